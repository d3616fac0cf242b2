// Draws the OpenAPI document of this server. It reads nothing else.

const element = (tag, className, ...content) => {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...content.filter((c) => c !== undefined && c !== null));
  return e;
};

let doc;
const resolve = (s) => (s && s.$ref ? resolve(s.$ref.split("/").slice(1).reduce((o, k) => o[k], doc)) : s || {});

// code turns `quoted` words of a description into code.
const prose = (text) => text.split("`").map((t, i) => (i % 2 ? element("code", "", t) : t));

const typeOf = (schema) => {
  const s = resolve(schema);
  const types = [].concat(s.type || "any");
  const name = types.map((t) => (t === "array" ? "[" + typeOf(s.items) + "]" : t)).join(" | ");
  return s.format ? name + " (" + s.format + ")" : name;
};

const bounds = (s) => [
  s.enum && "one of " + s.enum.filter((v) => v !== null).join(", "), s.default !== undefined && "default " + s.default,
  s.minLength && "at least " + s.minLength + " characters", s.maxLength && "at most " + s.maxLength + " characters",
  s.maxItems && "at most " + s.maxItems + " items", s.minimum !== undefined && "≥ " + s.minimum,
].filter(Boolean).join(" · ");

const row = (name, schema, must, text) => {
  const s = resolve(schema), about = element("td", "");
  if (text || s.description) about.append(...prose(text || s.description), " ");
  if (bounds(s)) about.append(element("span", "muted", bounds(s)));
  return element("tr", "", element("td", "", name, must ? element("span", "must", " required") : ""), element("td", "type", typeOf(schema)), about);
};

// rows lists the properties of an object, those of objects within it by dotted names.
const rows = (schema, asked, prefix = "", depth = 0) => {
  const s = resolve(schema), out = [];
  for (const [k, v] of Object.entries(s.properties || {})) {
    out.push(row(prefix + k, v, asked && (s.required || []).includes(k)));
    if (depth < 3 && resolve(v).properties) out.push(...rows(v, asked, prefix + k + ".", depth + 1));
  }
  return out;
};

const content = (title, body) => {
  const out = [];
  for (const [type, media] of Object.entries(body || {})) {
    const list = rows(media.schema, title === "Body");
    out.push(element("div", "", element("h4", "", title + " ", element("code", "muted", type)),
      list.length ? element("table", "", ...list) : element("p", "muted", typeOf(media.schema))));
  }
  return out;
};

const curl = (method, path, op) => {
  let s = "curl -X " + method.toUpperCase() + " " + location.origin + path.replace("{agent}", "$AGENT").replace("{session}", "$SESSION");
  const query = (op.parameters || []).filter((p) => p.in === "query" && resolve(p.schema).default === undefined && p.name === "text");
  if (query.length) s = s.replace(location.origin, "-G " + location.origin) + " \\\n  --data-urlencode 'text=Hello' -o hello.wav";
  s += " \\\n  -H \"Authorization: Bearer $TOKEN\"";
  const types = Object.keys((op.requestBody || {}).content || {});
  if (types.includes("multipart/form-data")) s += " \\\n  -F 'message=Hello'";
  else if (types.includes("audio/wav")) s += " \\\n  -H 'Content-Type: audio/wav' --data-binary @hello.wav";
  else if (types.includes("application/json")) s += " \\\n  -H 'Content-Type: application/json' -d '" + (method === "post" ? '{"user_id":"u1"}' : method === "put" ? '{"name":"Ann"}' : '{"status":"completed"}') + "'";
  return s;
};

const operation = (path, method, op) => {
  const card = element("section", "op");
  card.id = op.operationId;
  card.append(element("header", "", element("h3", "", op.summary || op.operationId),
    element("div", "path", element("span", "verb " + method, method + " "), path)));
  if (op.description) card.append(element("p", "", ...prose(op.description)));
  const params = op.parameters || [];
  if (params.length) {
    card.append(element("div", "", element("h4", "", "Parameters"),
      element("table", "", ...params.map((p) => row(p.name + " (" + p.in + ")", p.schema, p.required, p.description)))));
  }
  card.append(...content("Body", (op.requestBody || {}).content));
  for (const [status, answer] of Object.entries(op.responses || {})) {
    if (status[0] === "2") card.append(...content("Answer " + status, answer.content));
  }
  const refusals = Object.entries(op.responses || {}).filter(([s]) => s[0] !== "2");
  card.append(element("div", "", element("h4", "", "Refusals"),
    element("div", "codes", ...refusals.map(([s, a]) => element("span", "code", s + " " + a.description)))));
  card.append(element("details", "", element("summary", "", "Example"), element("pre", "", curl(method, path, op))));
  return card;
};

const link = (op, method) => {
  const a = element("a", "", element("span", "verb " + method, method), element("span", "", op.summary || op.operationId));
  a.href = "#" + op.operationId;
  return element("li", "", a);
};

async function draw() {
  doc = await (await fetch("/api/v1/openapi.json")).json();
  const nav = document.getElementById("nav"), main = document.getElementById("main");
  const raw = element("a", "", "openapi.json");
  raw.href = "/api/v1/openapi.json";
  nav.append(element("div", "brand", "flametree"));
  main.replaceChildren(element("h1", "", doc.info.title, " ", element("code", "muted", doc.info.version)),
    element("p", "", ...prose(doc.info.description || "")), element("p", "muted", "OpenAPI ", doc.openapi, ": ", raw));
  const tags = new Map((doc.tags || []).map((t) => [t.name, []])), verbs = ["post", "get", "put", "patch", "delete"];
  for (const [path, methods] of Object.entries(doc.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      const tag = (op.tags || ["Other"])[0];
      tags.set(tag, [...(tags.get(tag) || []), [path, method, op]]);
    }
  }
  for (const [tag, list] of tags) {
    if (!list.length) continue;
    list.sort((a, b) => a[0].length - b[0].length || verbs.indexOf(a[1]) - verbs.indexOf(b[1]));
    nav.append(element("h2", "", tag), element("ul", "", ...list.map(([, method, op]) => link(op, method))));
    main.append(element("h2", "tag", tag), ...list.map(([path, method, op]) => operation(path, method, op)));
  }
  const problem = resolve({ $ref: "#/components/schemas/Problem" });
  main.append(element("h2", "tag", "Refusals"), element("section", "op", element("p", "", "Every refusal has this form, as application/problem+json."),
    element("table", "", ...rows(problem, false))));
  if (location.hash) document.querySelector(location.hash)?.scrollIntoView();
}

draw().catch((e) => { document.getElementById("main").textContent = "The document could not be shown: " + e.message; });
