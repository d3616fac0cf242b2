// The socket a call is arranged over. It comes back by itself; who holds it is
// told and repeats what matters.

const firstWait = 200, mostWait = 3000; // between attempts, ms

/**
 * Signal keeps a socket of one session open until it is closed.
 */
export class Signal {
  #connect; #heard; #opened; #failed; #socket = null; #closed = false; #wait = firstWait; #timer = 0;

  /**
   * @param {object} o
   * @param {() => Promise<WebSocket>} o.connect  gives a new socket of the session, open or opening;
   *   an error with `refused`, a text for people, says that there will be none
   * @param {(frame: object) => void} o.heard     a frame of ours came
   * @param {(again: boolean) => void} o.opened   the socket is open, for the first time or again
   * @param {(gone: boolean, said?: string) => void} o.failed  it is closed; gone: and will not come back
   */
  constructor({ connect, heard, opened, failed }) {
    this.#connect = connect;
    this.#heard = heard;
    this.#opened = opened;
    this.#failed = failed;
    this.#open(false);
  }

  /** @returns {boolean} whether the frame was given to an open socket */
  send(frame) {
    if (!this.#socket || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Tries at once what would be tried later: the network has come back. */
  hurry() {
    if (this.#closed || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#wait = firstWait;
    this.#open(true);
  }

  /** Cuts the socket off and opens another: this one leads over a network that is no more. */
  renew() {
    if (this.#closed || !this.#socket) return;
    const old = this.#socket;
    this.#socket = null;
    old.close();
    this.#open(true);
  }

  /** Closes the socket for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#socket) this.#socket.close(1000);
    this.#socket = null;
  }

  async #open(again) {
    this.#timer = 0;
    let socket;
    try {
      socket = await this.#connect();
    } catch (e) {
      if (e && e.refused && !this.#closed) this.#failed(true, e.refused);
      else this.#later(again);
      return;
    }
    if (this.#closed) { socket.close(); return; }
    this.#socket = socket;
    const mine = () => this.#socket === socket;
    const ready = () => { if (mine()) { this.#wait = firstWait; this.#opened(again); } };
    socket.addEventListener("message", (e) => {
      if (!mine() || typeof e.data !== "string") return;
      let frame;
      try { frame = JSON.parse(e.data); } catch { return; }
      this.#heard(frame);
    });
    socket.addEventListener("close", (e) => {
      if (!mine()) return;
      this.#socket = null;
      // 1000 and 44xx say that the session or the right to it has ended (gateway/ws).
      if (e.code === 1000 || (e.code >= 4400 && e.code < 4408)) { this.#failed(true); return; }
      this.#later(true);
    });
    if (socket.readyState === WebSocket.OPEN) ready();
    else socket.addEventListener("open", ready);
  }

  #later(again) {
    if (this.#closed) return;
    this.#failed(false);
    this.#timer = setTimeout(() => this.#open(again), this.#wait * (0.8 + Math.random() * 0.4));
    this.#wait = Math.min(this.#wait * 2, mostWait);
  }
}
