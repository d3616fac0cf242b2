// A call from a browser to an agent. No dependency, no build:
//
//   import { call } from "/widget/call/call.js";
//   const c = call({ connect: () => new WebSocket(address) });
//   c.addEventListener("state", (e) => show(e.detail.state));
//   button.addEventListener("click", () => c.start());
//
// It arranges the call over a socket of the agent's session, sends the
// microphone, plays the agent, and keeps the call when the network changes. It
// shows nothing: that is the page's.
import { Level } from "./level.js";
import { Signal } from "./signal.js";
import { NetworkWatch } from "./watch.js";
import { microphoneTrouble, trouble } from "./words.js";

const answerWithin = 10000; // ms for an answer to an offer
const upWithin = 15000;     // ms from the answer to the first connection
const lostAfter = 15000;    // ms without a connection until the call has ended: the server waits as long
const againAfter = 2500;    // ms between two attempts to connect anew
const answersSoon = 700;    // ms for an answer on a socket that may lead over a network that is no more
const serversWithin = 2000; // ms for the relay's credentials; without them the call goes direct
const serversFresh = 300000; // ms that credentials are used again: they are good for ten minutes
const levelEvery = 100;     // ms

const processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * @typedef {object} Options
 * @property {() => WebSocket | Promise<WebSocket>} connect  gives a new socket of the
 *   session; called again when one is lost, so it must not give the same ticket twice
 * @property {boolean} [relay]  only through the relay: hides the visitor's address from the network
 * @property {HTMLAudioElement} [audio]  what plays the agent; made here when missing
 */

/**
 * @typedef {object} Device
 * @property {string} id
 * @property {string} label  for people; the browser hides it until the microphone was allowed
 * @property {"microphone"|"speaker"} kind
 * @property {boolean} current
 */

/**
 * Call is one call. Events, each a CustomEvent with `detail`:
 *
 * - `state` {state, reason}: idle, asking (for the microphone), connecting, ringing,
 *   up, reconnecting, ended. After ended nothing comes; a new call is a new Call.
 *   Reasons of ended: hangup (ours), failed, lost, or what the server says.
 * - `caption` {turn, role: "USER"|"AI", text, final}: a later one with the same
 *   turn and role replaces it
 * - `level` {microphone, agent}: 0 to 1, ten times a second while there is sound
 * - `mute` {on}
 * - `devices` {devices: Device[]}: what can be chosen has changed
 * - `error`: a Trouble, see words.js. Not every one ends the call.
 */
export class Call extends EventTarget {
  #o; #state = "idle"; #id = ""; #session = "";
  #signal = null; #pc = null; #sender = null; #watch = null; #level = null; #stream = null; #audio;
  #muted = false; #pending = []; #answered = null; #restarting = null; #connectedOnce = false;
  #timers = new Map(); #off = []; #servers = null; #serversAt = 0; #gaveUp = null;
  #owed = 0; // answers that are still to come on this socket; they come in order

  /** @param {Options} options */
  constructor(options) {
    super();
    if (!options || typeof options.connect !== "function") throw new TypeError("call: options.connect must be a function that opens a socket");
    this.#o = options;
    this.#audio = options.audio || null;
  }

  /** @returns {string} the state, as in the event */
  get state() { return this.#state; }
  /** @returns {string} the call's id, "" until it was answered */
  get id() { return this.#id; }
  /** @returns {string} the session the call is told in, "" until it was answered */
  get session() { return this.#session; }
  /** @returns {boolean} */
  get muted() { return this.#muted; }
  /** @returns {RTCPeerConnection|null} for measuring; not to be changed */
  get connection() { return this.#pc; }
  /** @returns {MediaStream|null} the agent's sound */
  get sound() { return this.#audio ? this.#audio.srcObject : null; }

  /**
   * Starts the call. It must run in a gesture of the person (a click, a key), or
   * the browser may keep the sound back. Troubles come as events; the promise
   * is fulfilled when the offer is answered or the call has ended.
   * @param {MediaTrackConstraints} [microphone]  beside echo cancellation, noise suppression and gain control
   */
  async start(microphone = {}) {
    if (this.#state !== "idle") throw new Error("call: a call starts once; make another");
    if (!window.isSecureContext) { this.#fail("insecure"); return; }
    if (!navigator.mediaDevices || !window.RTCPeerConnection) { this.#fail("unsupported"); return; }
    this.#to("asking");
    this.#listen(window, "pagehide", () => this.hangup());
    // Both in the gesture: after the first await it may have passed.
    if (!this.#audio) this.#audio = new Audio();
    this.#audio.autoplay = true;
    try { this.#level = new Level(); } catch { this.#level = null; }
    this.#open();
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: { ...processing, ...microphone } });
    } catch (e) {
      this.#fail(microphoneTrouble(e));
      return;
    }
    if (this.#state === "ended") { this.#silence(); return; }
    this.#follow(this.#stream.getAudioTracks()[0]);
    this.#listen(navigator.mediaDevices, "devicechange", () => this.#tellDevices());
    this.#to("connecting");
    await this.#begin();
  }

  /** Mutes or unmutes the microphone. The server is told, so that it does not take silence for a lost line. */
  mute(on) {
    this.#muted = Boolean(on);
    if (this.#stream) for (const t of this.#stream.getAudioTracks()) t.enabled = !this.#muted;
    if (this.#id) this.#signal.send({ type: "call.mute", call: this.#id, on: this.#muted });
    this.#tell("mute", { on: this.#muted });
  }

  /** Ends the call. The server is told when the socket is there, and notices by itself otherwise. */
  hangup() {
    if (this.#state === "ended") return;
    if (this.#signal && this.#id) this.#signal.send({ type: "call.hangup", call: this.#id });
    this.#end("hangup");
  }

  /**
   * Sends a key.
   * @param {string} digit  one of 0-9 * # A-D
   * @param {number} [ms]   how long it was pressed
   */
  digit(digit, ms = 120) {
    if (!/^[0-9*#A-D]$/.test(digit)) throw new RangeError("call: a key is one of 0-9 * # A-D");
    if (this.#id) this.#signal.send({ type: "call.digit", call: this.#id, digit, ms });
  }

  /** @returns {Promise<Device[]>} what can be chosen */
  async devices() {
    if (!navigator.mediaDevices) return [];
    const kinds = { audioinput: "microphone", audiooutput: "speaker" };
    const track = this.#stream && this.#stream.getAudioTracks()[0];
    const inUse = track ? track.getSettings().deviceId : "";
    const speaker = (this.#audio && this.#audio.sinkId) || "default";
    return (await navigator.mediaDevices.enumerateDevices())
      .filter((d) => kinds[d.kind] && d.deviceId)
      .map((d, n) => ({
        id: d.deviceId, kind: kinds[d.kind], label: d.label || `${kinds[d.kind]} ${n + 1}`,
        current: d.kind === "audioinput" ? d.deviceId === inUse : d.deviceId === speaker,
      }));
  }

  /** Speaks into another microphone from now on; the call goes on meanwhile. */
  async useMicrophone(id) {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { ...processing, deviceId: id ? { exact: id } : undefined } });
    } catch (e) {
      this.#complain(microphoneTrouble(e), false);
      return;
    }
    if (this.#state === "ended") { stream.getTracks().forEach((t) => t.stop()); return; }
    const old = this.#stream;
    this.#stream = stream;
    const track = stream.getAudioTracks()[0];
    track.enabled = !this.#muted;
    this.#follow(track);
    if (this.#sender) await this.#sender.replaceTrack(track);
    if (old) old.getTracks().forEach((t) => t.stop());
    await this.#tellDevices();
  }

  /** Plays the agent on another speaker, where the browser can (setSinkId). */
  async useSpeaker(id) {
    if (this.#audio && this.#audio.setSinkId) await this.#audio.setSinkId(id === "default" ? "" : id);
    await this.#tellDevices();
  }

  /** Turns on the sound that the browser kept back. It must run in a gesture. */
  async unblock() {
    if (this.#audio) await this.#audio.play();
  }

  // ——— How it comes about ———

  #open() {
    this.#servers = deferred();
    this.#signal = new Signal({
      connect: async () => this.#o.connect(),
      heard: (f) => this.#heard(f),
      opened: (again) => {
        this.#owed = 0;
        this.#askServers();
        if (!again || !this.#id) return;
        if (this.#answered) this.#answered(null); // it was asked on the socket before
        this.#restart("socket");
      },
      failed: (gone, said) => {
        if (gone) this.#id ? this.#end("ended") : this.#fail("refused", said);
        else if (this.#state === "up") this.#reconnecting();
      },
    });
  }

  // askServers asks for the relay's credentials anew.
  #askServers() {
    if (this.#signal.send({ type: "call.servers" })) this.#servers = this.#servers.settled ? deferred() : this.#servers;
  }

  // begin makes the first offer.
  async #begin() {
    const servers = await Promise.race([this.#servers.promise, this.#pause(serversWithin)]);
    if (this.#state === "ended") return;
    let pc;
    try {
      pc = new RTCPeerConnection({
        iceServers: servers || [], bundlePolicy: "max-bundle", iceTransportPolicy: this.#o.relay ? "relay" : "all",
      });
    } catch (e) { // the browser forbids calls, or cannot read what the server told
      this.#fail("unsupported", e.message);
      return;
    }
    this.#pc = pc;
    const track = this.#stream.getAudioTracks()[0];
    this.#sender = pc.addTransceiver(track, { direction: "sendrecv", streams: [this.#stream] }).sender;
    pc.addEventListener("track", (e) => this.#play(e.streams[0] || new MediaStream([e.track])));
    pc.addEventListener("icecandidate", (e) => this.#candidate(e.candidate));
    pc.addEventListener("connectionstatechange", () => this.#connection());
    this.#watch = new NetworkWatch(pc, (why) => this.#changed(why));
    if (!await this.#offer(answerWithin)) {
      if (this.#state !== "ended") this.#fail("unreachable");
      return;
    }
    this.#after("up", upWithin, () => { if (!this.#connectedOnce) this.#fail("unreachable"); });
  }

  // offer makes an offer and reports whether it was answered in time.
  async #offer(within) {
    const pc = this.#pc;
    try {
      await pc.setLocalDescription(await pc.createOffer());
      const answer = new Promise((resolve) => { this.#answered = resolve; });
      const frame = { type: "call.offer", sdp: pc.localDescription.sdp };
      if (this.#id) frame.call = this.#id;
      if (!await this.#sent(frame, within)) return false;
      this.#owed++;
      const got = await Promise.race([answer, this.#pause(within)]);
      this.#answered = null;
      if (!got || pc.signalingState !== "have-local-offer") return false;
      await pc.setRemoteDescription({ type: "answer", sdp: got.sdp });
      for (const f of this.#pending.splice(0)) this.#signal.send({ ...f, call: this.#id });
      return true;
    } catch {
      return false; // the connection was closed meanwhile, or the answer is none
    }
  }

  // sent waits for a socket to send a frame on.
  async #sent(frame, within) {
    const until = performance.now() + within;
    while (!this.#signal.send(frame)) {
      if (this.#state === "ended" || performance.now() > until) return false;
      await this.#pause(50);
    }
    return true;
  }

  #heard(f) {
    switch (f.type) {
      case "call.servers": this.#relays(f.ice_servers || []); return;
      case "call.answer":
        this.#owed--;
        this.#id = f.call;
        this.#session = f.session || this.#session;
        if (this.#answered && this.#owed <= 0) this.#answered(f); // an earlier one answers an offer that was taken back
        return;
      case "call.error": this.#refused(f.message, f.call); return;
      case "error": if (!this.#id && this.#answered) this.#refused(f.text); return;
    }
    if (!this.#id || f.call !== this.#id) return;
    switch (f.type) {
      case "call.candidate": this.#add(f); break;
      case "call.caption": this.#tell("caption", { turn: f.turn, role: f.role, text: f.text, final: Boolean(f.final) }); break;
      case "call.state": this.#server(f); break;
    }
  }

  #relays(servers) {
    this.#serversAt = performance.now();
    if (this.#pc && this.#pc.connectionState !== "closed") {
      try { this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers: servers }); } catch { /* the old ones stay */ }
    }
    this.#servers.resolve(servers);
  }

  #refused(message, call) {
    if (this.#id && call && call !== this.#id) return;
    if (!this.#id) { this.#fail("refused", message); return; }
    this.#complain("refused", false, message);
    this.#owed = Math.max(0, this.#owed - 1);
    if (this.#answered) this.#answered(null);
  }

  #server(f) {
    if (f.state === "ended" && !this.#connectedOnce) this.#fail("unreachable");
    else if (f.state === "ended") this.#end(f.reason || "ended");
    else if (f.state === "ringing" && this.#state === "connecting") this.#to("ringing");
    else if (f.state === "up" && this.#pc.connectionState === "connected") this.#up();
  }

  async #add(f) {
    try {
      await this.#pc.addIceCandidate(f.candidate ? { candidate: f.candidate, sdpMid: f.mid, sdpMLineIndex: f.mline } : undefined);
    } catch { /* of a generation that has passed */ }
  }

  #candidate(c) {
    const frame = { type: "call.candidate", candidate: c ? c.candidate : "", mid: c ? c.sdpMid : "0", mline: c ? c.sdpMLineIndex : 0 };
    if (!this.#id || this.#pc.signalingState === "have-local-offer") this.#pending.push(frame);
    else this.#signal.send({ ...frame, call: this.#id });
  }

  // ——— How it stays ———

  #connection() {
    if (!this.#pc) return;
    if (this.#pc.connectionState === "connected") this.#up();
  }

  #up() {
    this.#connectedOnce = true;
    clearTimeout(this.#gaveUp);
    this.#gaveUp = null;
    if (this.#state !== "up") this.#to("up");
    this.#meter();
    this.#tellDevices();
  }

  #changed(why) {
    if (this.#state === "ended" || !this.#id) return;
    if (why === "online") this.#signal.hurry();
    this.#restart(why);
  }

  #reconnecting() {
    if (this.#state === "up") this.#to("reconnecting", "");
    if (this.#gaveUp === null) this.#gaveUp = setTimeout(() => this.#fail("lost"), lostAfter);
  }

  // restart looks for another way, again and again until one is found or it is
  // too late. Only one at a time does.
  #restart(why) {
    if (this.#restarting || !this.#pc || this.#state === "ended") return;
    this.#restarting = this.#again(why).finally(() => { this.#restarting = null; });
  }

  async #again(why) {
    if (why !== "socket") this.#reconnecting();
    let patience = why === "socket" ? againAfter : answersSoon;
    while (this.#state !== "ended") {
      const before = performance.now();
      if (before - this.#serversAt > serversFresh) {
        this.#askServers();
        await Promise.race([this.#servers.promise, this.#pause(patience)]);
      }
      this.#pc.restartIce();
      const ok = await this.#offer(patience);
      if (this.#state === "ended") return;
      if (ok && await this.#connected(againAfter)) { this.#up(); return; }
      if (!ok) await this.#takeBack();
      // The socket leads over the same network as the sound: one that does not answer is as good as gone.
      if (!ok && patience === answersSoon) this.#signal.renew();
      patience = againAfter;
      await this.#pause(Math.max(0, 200 - (performance.now() - before)));
    }
  }

  // takeBack withdraws an offer that was not answered, and what was gathered for it.
  async #takeBack() {
    this.#pending.length = 0;
    if (this.#pc.signalingState !== "have-local-offer") return;
    try { await this.#pc.setLocalDescription({ type: "rollback" }); } catch { /* closed meanwhile */ }
  }

  // connected waits for the connection, and reports whether it is there.
  async #connected(within) {
    const until = performance.now() + within;
    while (this.#state !== "ended" && performance.now() < until) {
      if (["connected", "completed"].includes(this.#pc.iceConnectionState)) return true;
      await this.#pause(50);
    }
    return false;
  }

  // ——— Sound ———

  #play(stream) {
    this.#audio.srcObject = stream;
    this.#audio.play().catch((e) => { if (e.name === "NotAllowedError") this.#complain("autoplay", false); });
    this.#measure("agent", stream);
  }

  #follow(track) {
    track.enabled = !this.#muted;
    this.#measure("microphone", new MediaStream([track]));
    track.addEventListener("ended", async () => {
      if (this.#state === "ended" || !this.#stream || this.#stream.getAudioTracks()[0] !== track) return;
      this.#complain("microphone-lost", false);
      await this.useMicrophone("");
    });
  }

  #measure(name, stream) {
    try { if (this.#level) this.#level.watch(name, stream); } catch { /* no meter is no loss */ }
  }

  #meter() {
    if (!this.#level || this.#timers.has("level")) return;
    this.#timers.set("level", setInterval(() => {
      this.#tell("level", { microphone: this.#muted ? 0 : this.#level.of("microphone"), agent: this.#level.of("agent") });
    }, levelEvery));
  }

  async #tellDevices() { this.#tell("devices", { devices: await this.devices() }); }

  // ——— The end ———

  #fail(kind, said) {
    if (this.#state === "ended") return;
    this.#complain(kind, true, said);
    if (this.#signal && this.#id) this.#signal.send({ type: "call.hangup", call: this.#id });
    this.#end(kind === "lost" ? "lost" : "failed");
  }

  #end(reason) {
    if (this.#state === "ended") return;
    this.#to("ended", reason);
    if (this.#answered) this.#answered(null);
    if (this.#servers) this.#servers.resolve([]);
    for (const t of this.#timers.values()) { clearTimeout(t); clearInterval(t); }
    clearTimeout(this.#gaveUp);
    for (const off of this.#off) off();
    if (this.#watch) this.#watch.close();
    if (this.#pc) this.#pc.close();
    if (this.#level) this.#level.close();
    this.#silence();
    if (this.#audio) this.#audio.srcObject = null;
    if (this.#signal) this.#signal.close();
  }

  #silence() { if (this.#stream) this.#stream.getTracks().forEach((t) => t.stop()); }

  // ——— Little things ———

  #to(state, reason = "") {
    this.#state = state;
    this.#tell("state", { state, reason });
  }

  #tell(name, detail) {
    if (this.#state === "ended" && name !== "state" && name !== "error") return;
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #complain(kind, fatal, said) { this.#tell("error", trouble(kind, fatal, said)); }

  #listen(target, name, f) {
    target.addEventListener(name, f);
    this.#off.push(() => target.removeEventListener(name, f));
  }

  #after(name, ms, f) { this.#timers.set(name, setTimeout(f, ms)); }

  #pause(ms) { return new Promise((resolve) => { setTimeout(resolve, ms, null); }); }
}

// deferred is a promise that is fulfilled from outside.
const deferred = () => {
  const d = { settled: false };
  d.promise = new Promise((resolve) => { d.resolve = (v) => { d.settled = true; resolve(v); }; });
  return d;
};

/**
 * call makes a call, which begins with start().
 * @param {Options} options
 * @returns {Call}
 */
export const call = (options) => new Call(options);
