// What went wrong, said to people: what to do comes with what happened.

/**
 * A trouble of a call. `kind` is of a closed list, `message` is for people.
 * @typedef {object} Trouble
 * @property {"insecure"|"unsupported"|"denied"|"no-microphone"|"microphone-busy"|"microphone-lost"|"autoplay"|"unreachable"|"refused"|"lost"} kind
 * @property {string} message
 * @property {boolean} fatal  true when the call has ended by it
 */

const messages = {
  insecure: "The browser gives the microphone to secure pages only. Open this page over https (or on localhost) and call again.",
  unsupported: "This browser cannot make calls. Use a current Firefox, Chrome, Edge or Safari, or write instead.",
  denied: "The microphone is not allowed here. Allow it in the browser's address bar, and in the system's privacy settings, then call again.",
  "no-microphone": "No microphone was found. Connect one and call again.",
  "microphone-busy": "Another program holds the microphone. Close it and call again.",
  "microphone-lost": "The microphone was disconnected. Connect one or choose another; the call goes on meanwhile.",
  autoplay: "The browser keeps the sound back. Press “Turn the sound on”.",
  unreachable: "The call could not be connected. Check the network, or try another one, and call again.",
  refused: "The call was not accepted. Try again in a moment.",
  lost: "The connection was lost and did not come back. Check the network and call again.",
};

/**
 * @param {Trouble["kind"]} kind
 * @param {boolean} fatal
 * @param {string} [said]  what the server said, instead of our words
 * @returns {Trouble}
 */
export const trouble = (kind, fatal, said) => ({ kind, fatal, message: said || messages[kind] });

/**
 * The kind of what getUserMedia threw (W3C Media Capture and Streams 10.2).
 * @param {unknown} e
 * @returns {Trouble["kind"]}
 */
export const microphoneTrouble = (e) => {
  switch (e && e.name) {
    case "NotAllowedError": return "denied";
    case "SecurityError": return "insecure";
    case "NotFoundError": case "OverconstrainedError": return "no-microphone";
    case "NotReadableError": case "AbortError": return "microphone-busy";
    default: return "unsupported";
  }
};
