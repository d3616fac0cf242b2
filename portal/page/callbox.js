// The call of one chat box: a button, and while a call is on, its panel with
// state, levels, captions, mute, keys and devices.
import { call } from "/widget/call/call.js";

const mostLines = 40;

const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

const button = (className, text, click) => {
  const b = element("button", className, text);
  b.type = "button";
  b.addEventListener("click", click);
  return b;
};

const states = {
  asking: "Waiting for the microphone", connecting: "Connecting", ringing: "Ringing", up: "Connected", reconnecting: "Reconnecting", ended: "Call ended",
};
const endings = {
  lost: "The connection was lost", failed: "The call failed", hangup: "You ended the call",
  completed: "The agent ended the call", transferred: "The agent passed the call on", media_lost: "The connection was lost",
};

const clock = (ms) => {
  const s = Math.floor(ms / 1000);
  return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0");
};

export class CallBox {
  #agent; #connect; #call = null; #lines = new Map(); #began = 0; #ticking = 0;

  /**
   * @param {{id: string, name: string}} agent
   * @param {() => Promise<WebSocket>} connect  gives a new socket of the agent's session
   */
  constructor(agent, connect) {
    this.#agent = agent;
    this.#connect = connect;
    this.button = button("button call-start", "Call", () => this.#start());
    this.button.setAttribute("aria-label", "Call " + agent.name + " from this browser");
    this.panel = element("section", "callbox");
    this.panel.hidden = true;
    this.panel.setAttribute("aria-label", "Call with " + agent.name);
    this.#build();
  }

  #build() {
    this.state = element("span", "call-state");
    this.state.setAttribute("role", "status");
    this.timer = element("span", "call-timer", "0:00");
    this.timer.setAttribute("role", "timer");
    this.timer.setAttribute("aria-live", "off");
    this.meters = { microphone: this.#meter("You"), agent: this.#meter("Agent") };
    this.mute = button("button quiet", "Mute", () => this.#call.mute(!this.#call.muted));
    this.mute.setAttribute("aria-pressed", "false");
    this.keys = this.#opener("Keys");
    this.sound = this.#opener("Devices");
    this.end = button("button bad", "Hang up", () => this.#call.hangup());
    this.close = button("button quiet", "Close", () => { this.panel.hidden = true; this.button.focus(); });
    const head = element("div", "call-head");
    const who = element("div", "call-who");
    who.append(this.state, this.timer);
    const meters = element("div", "call-meters");
    meters.append(this.meters.microphone.row, this.meters.agent.row);
    const does = element("div", "call-does");
    does.append(this.mute, this.keys, this.sound, this.end, this.close);
    head.append(who, meters, does);
    this.error = element("div", "call-error");
    this.error.setAttribute("role", "alert");
    this.error.hidden = true;
    this.captions = element("div", "captions");
    this.captions.setAttribute("role", "log");
    this.captions.setAttribute("aria-label", "Captions");
    this.captions.tabIndex = 0;
    this.panel.append(head, this.error, this.#keypad(), this.#devices(), this.captions);
  }

  #meter(name) {
    const row = element("div", "meter");
    const bar = element("i");
    const track = element("span", "meter-track");
    track.append(bar);
    row.append(element("span", "meter-name", name), track);
    row.setAttribute("aria-hidden", "true"); // a reader would talk without end
    return { row, bar };
  }

  #opener(text) {
    const b = button("button quiet", text, () => {
      const open = b.getAttribute("aria-expanded") !== "true";
      b.setAttribute("aria-expanded", String(open));
      document.getElementById(b.getAttribute("aria-controls")).hidden = !open;
    });
    b.setAttribute("aria-expanded", "false");
    b.setAttribute("aria-controls", "call-" + text.toLowerCase() + "-" + this.#agent.id);
    return b;
  }

  #keypad() {
    const pad = element("div", "keypad");
    pad.id = this.keys.getAttribute("aria-controls");
    pad.hidden = true;
    pad.setAttribute("role", "group");
    pad.setAttribute("aria-label", "Keys");
    const named = { "*": "star", "#": "hash" };
    for (const key of "123456789*0#") {
      const b = button("button quiet", key, () => this.#call.digit(key));
      if (named[key]) b.setAttribute("aria-label", named[key]);
      pad.append(b);
    }
    return pad;
  }

  #devices() {
    const box = element("div", "devices");
    box.id = this.sound.getAttribute("aria-controls");
    box.hidden = true;
    this.selects = {};
    for (const [kind, text, use] of [
      ["microphone", "Microphone", (id) => this.#call.useMicrophone(id)], ["speaker", "Speaker", (id) => this.#call.useSpeaker(id)],
    ]) {
      const label = element("label", "", text);
      const select = element("select");
      select.addEventListener("change", () => use(select.value));
      label.append(select);
      box.append(label);
      this.selects[kind] = { select, label };
    }
    return box;
  }

  #start() {
    const c = call({ connect: this.#connect });
    this.#call = c;
    this.current = c; // for the console, and for tests
    this.#lines.clear();
    this.captions.replaceChildren(element("p", "captions-empty", "What is said appears here."));
    this.error.hidden = true;
    this.timer.textContent = "0:00";
    this.#began = 0;
    this.panel.hidden = false;
    c.addEventListener("state", (e) => this.#show(e.detail));
    c.addEventListener("caption", (e) => this.#caption(e.detail));
    c.addEventListener("error", (e) => this.#trouble(e.detail));
    c.addEventListener("mute", (e) => this.#muted(e.detail.on));
    c.addEventListener("devices", (e) => this.#list(e.detail.devices));
    c.addEventListener("level", (e) => {
      for (const [name, m] of Object.entries(this.meters)) m.bar.style.transform = "scaleX(" + e.detail[name].toFixed(2) + ")";
    });
    this.#muted(false);
    c.start();
    this.end.focus();
  }

  #show({ state, reason }) {
    this.panel.dataset.state = state;
    this.state.textContent = state === "ended" ? endings[reason] || states.ended : states[state] || state;
    const over = state === "ended";
    this.button.disabled = !over;
    for (const b of [this.mute, this.keys, this.sound, this.end]) b.hidden = over;
    this.close.hidden = !over;
    if (state === "up" && !this.#began) this.#began = Date.now();
    if (state === "up" && !this.#ticking) {
      this.#ticking = setInterval(() => { this.timer.textContent = clock(Date.now() - this.#began); }, 500);
    }
    if (!over) return;
    clearInterval(this.#ticking);
    this.#ticking = 0;
    for (const m of Object.values(this.meters)) m.bar.style.transform = "";
    for (const b of [this.keys, this.sound]) if (b.getAttribute("aria-expanded") === "true") b.click();
    if (!this.panel.contains(document.activeElement) && document.activeElement !== document.body) return;
    this.close.focus();
  }

  #caption({ turn, role, text, final }) {
    const key = turn + role;
    let line = this.#lines.get(key);
    if (!line) {
      if (!this.#lines.size) this.captions.replaceChildren();
      line = element("p", "caption " + role);
      line.append(element("b", "", role === "AI" ? "Agent" : "You"), element("q"));
      line.lastChild.dir = "auto";
      this.#lines.set(key, line);
      this.captions.append(line);
      if (this.captions.childElementCount > mostLines) this.captions.firstChild.remove();
    }
    line.lastChild.textContent = text;
    line.classList.toggle("coming", !final);
    if (final) line.removeAttribute("aria-hidden");
    else line.setAttribute("aria-hidden", "true"); // the whole is read out when it is there
    this.captions.scrollTop = this.captions.scrollHeight;
  }

  #trouble({ kind, message }) {
    this.error.replaceChildren(message);
    if (kind === "autoplay") this.error.append(" ", button("button", "Turn the sound on", () => { this.#call.unblock(); this.error.hidden = true; }));
    this.error.hidden = false;
  }

  #muted(on) {
    this.mute.setAttribute("aria-pressed", String(on));
    this.mute.textContent = on ? "Muted" : "Mute";
    this.panel.classList.toggle("muted", on);
  }

  #list(devices) {
    for (const [kind, { select, label }] of Object.entries(this.selects)) {
      const mine = devices.filter((d) => d.kind === kind);
      label.hidden = mine.length === 0;
      select.replaceChildren(...mine.map((d) => {
        const o = element("option", "", d.label);
        o.value = d.id;
        o.selected = d.current;
        return o;
      }));
    }
  }
}
