// The plain page: theme, agents, and one chat and one call list, each in its own file.
import { Chat } from "/page/chat.js";
import { Calls } from "/page/calls.js";

const byId = (id) => document.getElementById(id);

// Theme: auto follows the system, and is what an empty store means.
const themes = ["auto", "light", "dark"];
const themeButton = byId("theme");
const stored = () => { try { return localStorage.getItem("ft.theme"); } catch { return null; } };
const store = (v) => { try { localStorage.setItem("ft.theme", v); } catch { /* a private window */ } };
const wear = (theme) => {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  themeButton.textContent = "Theme: " + theme;
};
let theme = themes.includes(stored()) ? stored() : "auto";
wear(theme);
themeButton.addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  store(theme);
  wear(theme);
});

const names = new Map();
const calls = new Calls(byId("calls"), names);

async function begin() {
  const answer = await fetch("/demo/agents");
  if (!answer.ok) throw new Error("agents: " + answer.status);
  const agents = await answer.json();
  byId("no-agents").hidden = agents.length > 0;
  byId("no-agents").textContent = "There are no agents. Start the server with --demo or --agent FILE.yaml.";
  const tabs = byId("tabs"), chats = [];
  const choose = (n, focus) => {
    chats.forEach(({ tab, chat }, i) => {
      tab.setAttribute("aria-selected", String(i === n));
      tab.tabIndex = i === n ? 0 : -1;
      chat.box.hidden = i !== n;
    });
    if (focus) chats[n].tab.focus();
    chats[n].chat.open();
  };
  agents.forEach((agent, n) => {
    names.set(agent.id, agent.name);
    const tab = document.createElement("button");
    Object.assign(tab, { className: "tab", type: "button", id: "tab-" + n, textContent: agent.name });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", "box-" + n);
    tab.dataset.running = String(agent.running);
    tab.addEventListener("click", () => choose(n, false));
    tab.addEventListener("keydown", (e) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!step) return;
      e.preventDefault();
      choose((n + step + agents.length) % agents.length, true);
    });
    const chat = new Chat(agent, "box-" + n, "tab-" + n);
    tabs.append(tab);
    byId("chat").append(chat.box);
    chats.push({ tab, chat });
  });
  const phone = agents.find((a) => a.sip && a.running);
  if (phone) byId("dial").textContent = "Press “Call” in a chat, dial " + phone.sip + " from any SIP phone, or run “flametree demo”.";
  if (chats.length) choose(Math.max(0, agents.findIndex((a) => a.running)), false);
  calls.follow(byId("link"));
}

begin().catch((e) => {
  byId("no-agents").textContent = "The page could not load (" + e.message + "). Reload to try again.";
});
