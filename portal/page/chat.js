// One agent's chat box: a session of its own, opened when first looked at, over
// a socket that comes back by itself and misses nothing.
import { CallBox } from "/page/callbox.js";

const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

const maxWait = 15000; // between attempts to come back, ms

export class Chat {
  constructor(agent, id, labelledBy) {
    this.agent = agent;
    this.session = "";
    this.last = 0; // greatest seq seen
    this.wait = 500;
    this.lines = new Map(); // message or client id → element
    this.box = element("div", "box");
    this.box.id = id;
    this.box.hidden = true;
    this.box.setAttribute("role", "tabpanel");
    this.box.setAttribute("aria-labelledby", labelledBy);
    this.#build();
  }

  #build() {
    if (this.agent.sip && this.agent.running) this.call = new CallBox(this.agent, () => this.#callSocket());
    if (this.agent.sip) this.box.append(this.#about());
    if (this.call) this.box.append(this.call.panel);
    this.log = element("div", "log");
    this.log.setAttribute("role", "log");
    this.log.setAttribute("aria-live", "polite");
    this.log.tabIndex = 0;
    this.log.setAttribute("aria-label", "Conversation with " + this.agent.name);
    const form = element("form", "write");
    this.text = element("textarea");
    this.text.rows = 1;
    this.text.placeholder = "Write to " + this.agent.name + " …";
    this.text.setAttribute("aria-label", "Message to " + this.agent.name);
    this.send = element("button", "button", "Send");
    this.send.disabled = true;
    form.append(this.text, this.send);
    form.addEventListener("submit", (e) => { e.preventDefault(); this.#say(this.text.value); });
    this.text.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.#say(this.text.value); }
    });
    this.box.append(this.log, form);
  }

  #about() {
    const about = element("div", "about");
    const copy = element("button", "button quiet", "Copy");
    copy.type = "button";
    copy.addEventListener("click", async () => {
      try { await navigator.clipboard.writeText(this.agent.sip); copy.textContent = "Copied"; } catch { copy.textContent = "Not allowed"; }
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    about.append(element("span", "", "Phone"), element("code", "", this.agent.sip), copy);
    if (this.call) about.append(element("span", "grow"), this.call.button);
    return about;
  }

  // open begins the session when the box is looked at for the first time.
  open() {
    this.text.focus({ preventScroll: true });
    if (this.begun) return;
    this.begun = true;
    if (!this.agent.running) { this.#note("This agent is stopped.", "note"); this.text.disabled = true; return; }
    this.#connect();
  }

  // callSocket gives a call a socket of its own. What the server refuses will be
  // refused again; where it was not reached, another attempt may.
  async #callSocket() {
    try {
      return (await this.#ticket()).socket;
    } catch (e) {
      if (e.status) e.refused = e.message;
      throw e;
    }
  }

  // ticket opens a socket of the session, which begins with the first one: who
  // asks meanwhile waits for it, so that chat and call have one session.
  async #ticket() {
    while (!this.session && this.opening) await this.opening.catch(() => { /* then this one tries */ });
    if (this.session) return this.#open();
    this.opening = this.#open();
    return this.opening.finally(() => { this.opening = null; });
  }

  async #open() {
    const answer = await fetch("/demo/ticket", {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ agent: this.agent.id, session: this.session }),
    });
    const got = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(got.detail + " (" + got.trace_id + ")"), { status: answer.status });
    const fresh = !this.session;
    this.session = got.session;
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const address = scheme + location.host + "/chatbot/" + encodeURIComponent(this.agent.id) + "/ws/" +
      encodeURIComponent(this.session);
    return { got, fresh, socket: new WebSocket(address + "?after=" + this.last + "&ticket=" + got.ticket) };
  }

  async #connect() {
    try {
      const { got, fresh, socket } = await this.#ticket();
      this.socket = socket;
      this.socket.addEventListener("open", () => { this.send.disabled = false; this.wait = 500; });
      this.socket.addEventListener("message", (e) => this.#frame(JSON.parse(e.data)));
      this.socket.addEventListener("close", (e) => this.#closed(e));
      if (fresh && got.greeting) this.greeting = got.greeting;
      if (fresh) setTimeout(() => this.#greet(), 400);
    } catch (e) {
      if (e.status === 404 && this.session) this.#over("The session has ended.");
      else this.#again(e.message);
    }
  }

  // greet shows the greeting unless the session has said it itself.
  #greet() {
    if (!this.greeting || this.log.querySelector(".AI")) return;
    this.log.prepend(this.#line("AI", this.greeting));
  }

  #closed(e) {
    this.send.disabled = true;
    if (e.code === 1000) this.#over("The session has ended.");
    else if (e.code === 4404) this.#over("The session is gone.");
    else this.#again("");
  }

  #again(why) {
    if (why) this.#note(why, "error");
    const wait = this.wait * (0.8 + Math.random() * 0.4);
    this.wait = Math.min(this.wait * 2, maxWait);
    setTimeout(() => this.#connect(), wait);
  }

  #over(text) {
    this.send.disabled = true;
    const fresh = element("button", "button quiet", "Start a new one");
    fresh.type = "button";
    fresh.addEventListener("click", () => {
      Object.assign(this, { session: "", last: 0, wait: 500, greeting: "" });
      this.lines.clear();
      this.log.replaceChildren();
      this.#connect();
      this.text.focus();
    });
    const line = this.#note(text + " ", "note");
    line.append(fresh);
  }

  #say(text) {
    text = text.trim();
    if (!text || this.send.disabled) return;
    const id = crypto.randomUUID();
    const line = this.#line("HUMAN", text);
    line.classList.add("unsent");
    this.lines.set(id, line);
    this.#show(line);
    this.socket.send(JSON.stringify({ type: "message", client_id: id, text }));
    this.text.value = "";
  }

  #frame(f) {
    this.last = Math.max(this.last, f.seq);
    switch (f.type) {
      case "chunk": this.#chunk(f); break;
      case "message": this.#message(f); break;
      case "error": this.#failed(f); break;
      case "thought": this.#note(f.text, "note"); break;
      case "timeout": this.#note("The session has timed out.", "note"); break;
      case "state":
        if (f.metadata && f.metadata.mode !== "REGULAR") this.#note("You are now talking to a person.", "note");
        break;
    }
  }

  #chunk(f) {
    this.#taken();
    let line = this.lines.get(f.message_id);
    if (!line) {
      line = this.#line(f.role || "AI", "");
      line.classList.add("coming");
      line.setAttribute("aria-hidden", "true"); // the whole is read out when it is there
      this.lines.set(f.message_id, line);
      this.#show(line);
    }
    if (!line.classList.contains("coming")) return; // late preview of what is whole already
    line.append(f.text);
    this.#down();
  }

  #message(f) {
    const mine = f.role === "HUMAN";
    let line = this.lines.get(mine ? f.client_id : f.message_id);
    if (!mine) this.#taken();
    if (!line) {
      line = this.#line(f.role || "AI", "");
      this.lines.set(mine ? f.client_id || f.seq : f.message_id || f.seq, line);
      this.#show(line);
    }
    line.classList.remove("coming", "unsent");
    line.removeAttribute("aria-hidden");
    line.textContent = f.text;
    if (f.options && f.options.length) this.#options(f.options);
    this.#down();
  }

  #options(options) {
    const row = element("div", "options");
    for (const o of options) {
      const b = element("button", "button quiet", o);
      b.type = "button";
      b.addEventListener("click", () => { row.remove(); this.#say(o); });
      row.append(b);
    }
    this.#show(row);
  }

  // taken marks what was sent as taken: an answer has begun.
  #taken() {
    for (const l of this.log.querySelectorAll(".unsent")) l.classList.remove("unsent");
  }

  #failed(f) {
    const line = this.lines.get(f.client_id);
    if (line) line.classList.remove("unsent");
    this.#note(f.text || f.code, "error");
  }

  #line(role, text) {
    const line = element("div", "line " + role, text);
    line.dir = "auto";
    return line;
  }

  #note(text, kind) {
    const line = element("div", "line " + kind, text);
    this.#show(line);
    return line;
  }

  #show(line) { this.log.append(line); this.#down(); }

  #down() { this.log.scrollTop = this.log.scrollHeight; }
}
