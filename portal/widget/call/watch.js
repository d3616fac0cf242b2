// Notices that the network under a call has changed or gone, sooner than ICE
// does: ICE takes five seconds, a caller hangs up after three.

const lookEvery = 250; // ms
const silentFor = 900; // ms without a packet after a steady flow
const patience = 5000; // ms before the same sign is believed again

/** NetworkWatch looks at a connection until it is closed. */
export class NetworkWatch {
  #pc; #changed; #packets = 0; #steady = 0; #since = 0; #until = 0; #timer; #off = [];

  /**
   * @param {RTCPeerConnection} pc
   * @param {(why: string) => void} changed  called on each sign: "ice", "silence", "online", "network"
   */
  constructor(pc, changed) {
    this.#pc = pc;
    this.#changed = changed;
    this.#timer = setInterval(() => this.#look(), lookEvery);
    this.#on(window, "online", () => changed("online"));
    if (navigator.connection) this.#on(navigator.connection, "change", () => changed("network"));
    this.#on(pc, "iceconnectionstatechange", () => {
      if (["disconnected", "failed"].includes(pc.iceConnectionState)) changed("ice");
    });
  }

  close() {
    clearInterval(this.#timer);
    for (const off of this.#off) off();
  }

  #on(target, name, f) {
    target.addEventListener(name, f);
    this.#off.push(() => target.removeEventListener(name, f));
  }

  async #look() {
    let packets = 0;
    for (const s of (await this.#pc.getStats()).values()) {
      if (s.type === "inbound-rtp") packets += s.packetsReceived || 0;
    }
    const now = performance.now();
    if (packets > this.#packets) {
      this.#packets = packets;
      this.#steady++;
      this.#since = now;
      return;
    }
    // A flow of a second or more that stops is a sign; one that never was is none.
    if (this.#steady < 4 || now - this.#since < silentFor || now < this.#until) return;
    this.#steady = 0;
    this.#until = now + patience;
    this.#changed("silence");
  }
}
