// The page for an outside editor of one catalogue. Its only key is the token
// behind the # of its address; it goes into a header and nowhere else.

const PAGE = 50;
const API = '/api/v1/invited/catalog';
const $ = id => document.getElementById(id);
const token = () => location.hash.slice(1);

// The fields of a product: name, label, kind, hint.
const FIELDS = [
  ['sku', 'SKU', 'line', 'Its number in your shop. It cannot be changed later.'],
  ['title', 'Title', 'line'],
  ['product_url', 'Link to buy it', 'url', 'Begins with https://'],
  ['price', 'Price', 'line', 'Such as 19.90'],
  ['currency', 'Currency', 'line', 'Three letters, such as EUR'],
  ['availability', 'Availability', 'choice', '', [['in_stock', 'In stock'], ['out_of_stock', 'Out of stock'], ['preorder', 'Can be ordered in advance']]],
  ['category', 'Category', 'line', 'Such as Kitchen > Cups'],
  ['brand', 'Brand', 'line'],
  ['description', 'Description', 'text'],
  ['image_url', 'Address of a picture', 'url'],
  ['tags', 'Tags', 'line', 'Separated by semicolons'],
  ['attributes', 'Attributes', 'text', 'One in a line, such as colour = red'],
  ['active', 'Shown to customers', 'tick'],
];
const LONG = new Set(['title', 'product_url', 'description', 'image_url', 'tags', 'attributes', 'active']);
const NEEDED = new Set(['sku', 'title', 'product_url']);

let about = null; // the catalogue
let skip = 0;
let turn = 0; // of the list: an older answer is thrown away
let current = null; // the product in the form, null = a new one

class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || 'The server did not understand this.');
    this.status = status;
    this.faults = problem.errors || [];
  }
}

async function ask(method, path, body, type = 'application/json') {
  let answer;
  try {
    answer = await fetch(API + path, {
      method, body, cache: 'no-store',
      headers: { Authorization: 'Bearer ' + token(), ...(body === undefined ? {} : { 'Content-Type': type }) },
    });
  } catch {
    throw new Refusal(0, { detail: 'The server cannot be reached. Nothing was changed; try again.' });
  }
  if (!answer.ok) {
    const refusal = new Refusal(answer.status, await answer.json().catch(() => ({})));
    if (answer.status === 401) over(refusal.message);
    throw refusal;
  }
  return answer;
}

const json = async (...args) => (await ask(...args)).json();

function element(tag, props = {}, ...children) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...children);
  return e;
}

function notice(box, text) {
  box.textContent = text;
  box.hidden = !text;
}

function say(text) {
  $('done').textContent = text;
}

// over ends the visit: the link opens nothing any more.
function over(text) {
  for (const d of document.querySelectorAll('dialog[open]')) d.close();
  $('desk').hidden = true;
  $('until').textContent = '';
  say('');
  notice($('notice'), text.charAt(0).toUpperCase() + text.slice(1) + '.');
}

async function open() {
  notice($('notice'), '');
  if (!token()) {
    over('this page needs the whole link of an invitation');
    return;
  }
  try {
    about = await json('GET', '');
  } catch (e) {
    if (e.status !== 401) notice($('notice'), e.message);
    return;
  }
  document.title = about.name;
  document.documentElement.lang = 'en';
  $('name').textContent = about.name;
  $('about').textContent = about.description;
  const day = new Date(about.expires).toLocaleString([], { dateStyle: 'long', timeStyle: 'short' });
  $('until').textContent = `You were invited to edit these products until ${day}.`;
  $('desk').hidden = false;
  await list();
}

async function list() {
  const mine = ++turn;
  const query = new URLSearchParams({ text: $('text').value, skip, limit: PAGE });
  let found;
  try {
    found = await json('GET', '/products?' + query);
  } catch (e) {
    if (e.status !== 401) notice($('notice'), e.message);
    return;
  }
  if (mine !== turn) return;
  if (skip > 0 && found.products.length === 0) {
    skip = Math.max(0, skip - PAGE);
    return list();
  }
  notice($('notice'), '');
  $('list').replaceChildren(...found.products.map(row));
  const last = skip + found.products.length;
  $('count').textContent = found.all === 0 ? ($('text').value ? 'No product fits.' : 'There are no products yet. Add the first one, or import a file.') : '';
  $('where').textContent = found.all ? `${skip + 1} to ${last} of ${found.all}` : '';
  $('back').disabled = skip === 0;
  $('on').disabled = last >= found.all;
  document.querySelector('.pages').hidden = found.all <= PAGE;
}

// money writes a price with two decimals where it has any.
const money = v => (Number.isInteger(v) || v !== Number(v.toFixed(2)) ? String(v) : v.toFixed(2));

const STATES = { in_stock: 'In stock', out_of_stock: 'Out of stock', preorder: 'Preorder' };

function row(p) {
  const price = p.price === undefined ? '' : `${money(p.price)} ${p.currency || about.currency || ''}`.trim();
  const b = element('button', { type: 'button', className: p.active ? '' : 'off' },
    element('b', { textContent: p.title }),
    element('span', { className: 'price', textContent: price }),
    element('span', { className: 'quiet', textContent: [p.sku, p.category, p.brand].filter(Boolean).join(' · ') }),
    element('span', { className: 'quiet state', textContent: p.active ? STATES[p.availability] : 'Hidden' }));
  b.addEventListener('click', () => edit(p));
  return element('li', {}, b);
}

// edit opens the form with a product, or empty for a new one.
function edit(p) {
  current = p;
  $('edit-title').textContent = p ? p.title : 'New product';
  $('drop').hidden = !p;
  notice($('wrong'), '');
  $('fields').replaceChildren(...FIELDS.map(f => field(f, p)));
  $('edit').showModal();
  $('f-' + (p ? 'title' : 'sku')).focus();
}

function field([name, label, kind, hint, choices], p) {
  const id = 'f-' + name;
  const value = shown(name, p);
  let input;
  if (kind === 'tick') {
    input = element('input', { id, type: 'checkbox', checked: value });
    return element('label', { className: 'field whole' }, element('span', { className: 'tick' }, input, label), element('span', { className: 'fault', id: id + '-fault' }));
  }
  if (kind === 'text') input = element('textarea', { id, value });
  else if (kind === 'choice') {
    input = element('select', { id }, ...choices.map(([v, text]) => element('option', { value: v, textContent: text })));
    input.value = value;
  } else input = element('input', { id, type: kind === 'url' ? 'url' : 'text', value });
  if (name === 'sku' && p) [input.readOnly, hint] = [true, ''];
  if (name === 'price') input.inputMode = 'decimal';
  input.setAttribute('aria-describedby', id + '-fault');
  const parts = [element('span', { textContent: label + (NEEDED.has(name) ? ' *' : '') }), input];
  if (hint) parts.push(element('small', { textContent: hint }));
  return element('label', { className: LONG.has(name) ? 'field whole' : 'field' }, ...parts, element('span', { className: 'fault', id: id + '-fault' }));
}

// shown is a field's value as it stands in the form.
function shown(name, p) {
  if (!p) return { availability: 'in_stock', active: true }[name] ?? '';
  const v = p[name];
  if (name === 'tags') return (v || []).join('; ');
  if (name === 'attributes') return Object.entries(v || {}).map(([k, x]) => `${k} = ${x}`).join('\n');
  if (name === 'price' && v !== undefined) return money(v);
  return v ?? '';
}

// filled is the product in the form. Only what was changed is sent: somebody else
// may have changed the rest.
function filled() {
  const out = { sku: $('f-sku').value.trim() };
  for (const [name, , kind] of FIELDS) {
    if (name === 'sku') continue;
    const now = kind === 'tick' ? $('f-' + name).checked : $('f-' + name).value;
    if (current && now === shown(name, current).toString() || kind === 'tick' && current && now === current.active) continue;
    if (name === 'tags') out.tags = now.split(/[;\n]/).map(t => t.trim()).filter(Boolean);
    else if (name === 'attributes') {
      out.attributes = {};
      for (const line of now.split('\n').map(l => l.trim()).filter(Boolean)) {
        const at = line.search(/[=:]/);
        if (at < 1) throw new Refusal(422, { detail: '', errors: [{ location: 'body.attributes', message: `“${line}” is no pair such as colour = red` }] });
        out.attributes[line.slice(0, at).trim()] = line.slice(at + 1).trim();
      }
    } else out[name] = typeof now === 'string' ? now.trim() : now;
  }
  return out;
}

function faults(list) {
  let first = null;
  for (const [name] of FIELDS) {
    const about = list.filter(f => f.location === 'body.' + name || f.location.startsWith('body.' + name + '.'));
    const input = $('f-' + name);
    $('f-' + name + '-fault').textContent = about.map(f => f.message).join('; ');
    input.setAttribute('aria-invalid', about.length > 0);
    if (about.length && !first) first = input;
  }
  first?.focus();
  return first !== null;
}

// busy keeps a button from being pressed twice.
async function busy(button, what) {
  button.disabled = true;
  try {
    await what();
  } finally {
    button.disabled = false;
  }
}

$('product').addEventListener('submit', event => {
  event.preventDefault();
  notice($('wrong'), '');
  faults([]);
  busy($('keep'), async () => {
    try {
      const p = filled();
      await ask(current ? 'PUT' : 'POST', '/products', JSON.stringify(p));
      $('edit').close();
      say(current ? 'Saved.' : 'Added.');
      await list();
    } catch (e) {
      if (!(e instanceof Refusal)) throw e;
      if (!faults(e.faults)) notice($('wrong'), e.message);
    }
  });
});

$('drop').addEventListener('click', () => {
  $('sure-what').textContent = `${current.title} (${current.sku})`;
  $('sure').showModal();
});

$('really').addEventListener('submit', event => {
  event.preventDefault();
  busy(event.submitter, async () => {
    try {
      await ask('DELETE', '/products?' + new URLSearchParams({ sku: current.sku }));
      $('sure').close();
      $('edit').close();
      say('Removed.');
      await list();
    } catch (e) {
      $('sure').close();
      notice($('wrong'), e.message);
    }
  });
});

$('load').addEventListener('click', () => {
  $('import').reset();
  $('plan').replaceChildren();
  notice($('unread'), '');
  $('apply').disabled = true;
  $('file').showModal();
});

async function send(dry) {
  const file = $('pick').files[0];
  const query = new URLSearchParams({ name: file.name, dry: dry ? '1' : '0' });
  return json('POST', '/import?' + query, file, 'application/octet-stream');
}

$('pick').addEventListener('change', async () => {
  notice($('unread'), '');
  $('plan').textContent = $('pick').files.length ? 'Reading …' : '';
  $('apply').disabled = true;
  if (!$('pick').files.length) return;
  try {
    const r = await send(true);
    $('plan').replaceChildren(plan(r));
    $('apply').disabled = r.new + r.changed === 0;
  } catch (e) {
    $('plan').replaceChildren();
    notice($('unread'), e.message);
  }
});

// plan shows what an import would do.
function plan(r) {
  const lines = [element('strong', { textContent: `${r.new} new, ${r.changed} changed, ${r.unchanged} as they are, ${r.failed} with faults` })];
  for (const w of r.warnings) lines.push(element('p', { className: 'quiet', textContent: w }));
  if (r.faults.length) {
    lines.push(element('p', { className: 'faults', textContent: 'These rows are left out:' }));
    lines.push(element('ul', { className: 'faults' }, ...r.faults.map(f =>
      element('li', { textContent: `Row ${f.row}: ${f.field}${f.value ? ` “${f.value}”` : ''} ${f.reason}` }))));
  }
  return element('div', { className: 'plan' }, ...lines);
}

$('import').addEventListener('submit', event => {
  event.preventDefault();
  busy($('apply'), async () => {
    try {
      const r = await send(false);
      $('file').close();
      say(`Imported: ${r.new} new, ${r.changed} changed.`);
      skip = 0;
      await list();
    } catch (e) {
      notice($('unread'), e.message);
    }
  });
});

$('save').addEventListener('click', () => busy($('save'), async () => {
  try {
    const blob = await (await ask('GET', '/export')).blob();
    const link = element('a', { href: URL.createObjectURL(blob), download: 'products.csv' });
    link.click();
    URL.revokeObjectURL(link.href);
  } catch (e) {
    if (e.status !== 401) notice($('notice'), e.message);
  }
}));

let waiting = 0;
$('text').addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { skip = 0; list(); }, 250);
});
$('search').addEventListener('submit', event => { event.preventDefault(); skip = 0; list(); });
$('add').addEventListener('click', () => edit(null));
$('back').addEventListener('click', () => { skip = Math.max(0, skip - PAGE); list(); });
$('on').addEventListener('click', () => { skip += PAGE; list(); });
for (const b of document.querySelectorAll('[data-close]')) b.addEventListener('click', () => b.closest('dialog').close());
addEventListener('hashchange', open);
open();
