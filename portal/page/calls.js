// The running calls: a card for each, its turns, and a waterfall for each turn.

const stages = ["vad_stop", "eot", "stt_final", "queue", "llm_ttft", "llm_first_clause", "tts_ttfb", "pacer", "engine"];
const explained = {
  vad_stop: "silence until the voice counts as stopped", eot: "waiting whether the caller goes on",
  stt_final: "recogniser's last words", queue: "waiting for a place", llm_ttft: "model's first token",
  llm_first_clause: "model's first clause", tts_ttfb: "voice's first sound", pacer: "waiting for the packet's slot", engine: "our own work",
};
const keepEnded = 60000; // how long an ended call stays on the page, ms
const maxTurns = 50;

const element = (tag, className, text) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
};

const ms = (v) => (v >= 1000 ? (v / 1000).toFixed(2) + " s" : Math.round(v) + " ms");

const colour = (name) => (stages.includes(name) ? name : "other");

export class Calls {
  constructor(list, names) {
    this.list = list;
    this.names = names;
    this.calls = new Map();
    this.wait = 500;
    const legend = document.getElementById("legend");
    for (const s of stages) {
      const li = element("li");
      li.title = explained[s];
      li.append(element("i", s), s);
      legend.append(li);
    }
  }

  // follow keeps a socket to the feed and shows its state.
  follow(light) {
    const say = (state, text) => { light.dataset.state = state; light.textContent = text; };
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const socket = new WebSocket(scheme + location.host + "/demo/live");
    socket.addEventListener("open", () => {
      say("open", "live");
      this.wait = 500;
      for (const c of this.calls.values()) c.stale = true;
      // The feed begins with what runs now: a call it does not name has ended meanwhile.
      setTimeout(() => { for (const [id, c] of this.calls) if (c.stale) this.#drop(id); }, 2000);
    });
    socket.addEventListener("message", (e) => this.#turn(JSON.parse(e.data)));
    socket.addEventListener("close", () => {
      say("lost", "connection lost, trying again");
      setTimeout(() => this.follow(light), this.wait * (0.8 + Math.random() * 0.4));
      this.wait = Math.min(this.wait * 2, 15000);
    });
  }

  #turn(t) {
    const call = this.calls.get(t.session) || this.#call(t);
    call.stale = false;
    call.state.textContent = t.state;
    call.state.dataset.state = t.state;
    call.card.classList.toggle("ended", t.state === "ended");
    clearTimeout(call.timer);
    if (t.state === "ended") {
      call.timer = setTimeout(() => this.#drop(t.session), keepEnded);
      this.list.append(call.card); // what runs stays on top
    }
    if (t.turn > 0) this.#row(call, t);
    this.#count();
  }

  #call(t) {
    const card = element("article", "call");
    const head = element("header");
    const state = element("span", "state");
    head.append(element("h3", "", this.names.get(t.agent) || t.agent), element("span", "tag", t.channel), element("span", "id", t.session), state);
    const turns = element("ol", "turns");
    card.append(head, turns);
    card.setAttribute("aria-label", "Call with " + (this.names.get(t.agent) || t.agent));
    this.list.prepend(card);
    const call = { card, state, turns, rows: new Map() };
    this.calls.set(t.session, call);
    return call;
  }

  #drop(session) {
    const call = this.calls.get(session);
    if (!call) return;
    call.card.remove();
    this.calls.delete(session);
    this.#count();
  }

  #count() {
    let running = 0;
    for (const c of this.calls.values()) if (c.state.dataset.state !== "ended") running++;
    document.getElementById("count").textContent = String(running);
    document.getElementById("no-calls").hidden = this.calls.size > 0;
  }

  // row draws a turn, newest first; one that is open stays open.
  #row(call, t) {
    const old = call.rows.get(t.turn);
    const row = element("li", "turn");
    if (t.heard) row.append(this.#said("Caller", t.heard, false));
    if (t.said) row.append(this.#said("Agent", t.said, t.interrupted));
    const newest = !old && t.turn > (call.newest || 0);
    if (newest) {
      call.newest = t.turn;
      for (const open of call.turns.querySelectorAll("details[open]")) open.open = false;
    }
    const drawn = old ? old.querySelector("details") : null;
    const open = drawn ? drawn.open : t.turn === call.newest;
    if (t.stages && t.stages.length) row.append(this.#fall(t, open));
    if (old) old.replaceWith(row);
    else call.turns.prepend(row);
    call.rows.set(t.turn, row);
    if (call.rows.size > maxTurns) {
      const first = Math.min(...call.rows.keys());
      call.rows.get(first).remove();
      call.rows.delete(first);
    }
  }

  #said(who, text, cut) {
    const p = element("p", "said");
    const q = element("q", "", text);
    q.dir = "auto";
    const words = element("span");
    words.append(q);
    if (cut) words.append(" ", element("span", "cut", "interrupted"));
    p.append(element("b", "", who), words);
    return p;
  }

  #fall(t, open) {
    const total = t.stages.reduce((sum, s) => sum + s.ms, 0) || 1;
    const fall = element("details", "fall");
    fall.open = open;
    const summary = element("summary");
    const track = element("span", "track");
    track.setAttribute("role", "img");
    track.setAttribute("aria-label", t.stages.map((s) => s.name + " " + ms(s.ms)).join(", "));
    const table = element("table", "rows");
    let at = 0;
    for (const s of t.stages) {
      const bar = element("i", colour(s.name));
      bar.style.width = (100 * s.ms) / total + "%";
      bar.title = s.name + " " + ms(s.ms);
      track.append(bar);
      const tr = element("tr"), name = element("th", "", s.name), cell = element("td"), step = element("i", colour(s.name));
      name.scope = "row";
      name.title = explained[s.name] || "";
      step.style.width = (100 * s.ms) / total + "%";
      step.style.marginInlineStart = (100 * at) / total + "%";
      cell.append(step);
      tr.append(name, cell, element("td", "", ms(s.ms)));
      table.append(tr);
      at += s.ms;
    }
    summary.append(track, element("span", "total", ms(total)));
    fall.append(summary, table);
    if (t.waited) fall.append(element("p", "why", "Waited longest for: " + t.waited));
    return fall;
  }
}
