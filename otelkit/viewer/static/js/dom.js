// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Elements out of calls, and a tree brought up to date in place. Whatever comes from telemetry becomes a text node or
// an attribute's value, never markup.

const SVG = "http://www.w3.org/2000/svg";

function listen(event) {
  this.$on?.[event.type]?.call(this, event);
}

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name === "on") {
    element.$on = value;
    for (const type of Object.keys(value)) element.addEventListener(type, listen);
  } else if (name === "style") {
    element.$style = value;
    for (const key of Object.keys(value)) element.style.setProperty(key, value[key]);
  } else if (name === "key") {
    element.$key = value;
  } else {
    element.setAttribute(name, value === true ? "" : value);
  }
}

function append(element, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

function build(element, attributes, children) {
  if (attributes) for (const name of Object.keys(attributes)) set(element, name, attributes[name]);
  append(element, children);
  return element;
}

/** An HTML element: `h("a", { class: "row", href, on: { click } }, "text", child, [more])`. */
export function h(tag, attributes, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * An element with a life of its own, kept over updates: `mount(element, props)` is called once and returns
 * `{ update(props), destroy() }`.
 */
export function part(mount, props, attributes) {
  const element = h("div", attributes);
  element.$part = { mount, props, live: null };
  return element;
}

function start(node) {
  for (const element of [node, ...(node.querySelectorAll?.("div") ?? [])]) {
    const own = element.$part;
    if (own && !own.live) own.live = own.mount(element, own.props) ?? {};
  }
}

function end(node) {
  for (const element of [node, ...(node.querySelectorAll?.("div") ?? [])]) element.$part?.live?.destroy?.();
}

const same = (a, b) =>
  a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.$key === b.$key && a.$part?.mount === b.$part?.mount;

function attributesOf(old, next) {
  for (const { name } of [...old.attributes]) {
    if (name !== "style" && !next.hasAttribute(name) && !old.$own?.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const key of Object.keys(old.$style ?? {})) {
    if (!(key in (next.$style ?? {}))) old.style.removeProperty(key);
  }
  for (const [key, value] of Object.entries(next.$style ?? {})) old.style.setProperty(key, value);
  old.$style = next.$style;
  for (const type of Object.keys(next.$on ?? {})) {
    if (!old.$on?.[type]) old.addEventListener(type, listen);
  }
  old.$on = next.$on;
}

function bring(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if (old.$part) {
    old.$part.props = next.$part.props;
    attributesOf(old, next);
    old.$part.live.update?.(next.$part.props);
    return;
  }
  attributesOf(old, next);
  morph(old, [...next.childNodes]);
}

/** Bring the children of `parent` to `children`, keeping what is the same: focus, scroll, parts. */
export function morph(parent, children) {
  const list = children.filter((child) => child !== undefined && child !== null && child !== false);
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.$key !== undefined) keyed.set(node.$key, node);
  let at = parent.firstChild;
  for (const child of list) {
    const next = child instanceof Node ? child : document.createTextNode(String(child));
    const known = next.$key === undefined ? at : (keyed.get(next.$key) ?? null);
    if (known && same(known, next)) {
      if (known !== at) parent.insertBefore(known, at);
      else at = at.nextSibling;
      bring(known, next);
    } else {
      parent.insertBefore(next, at);
      start(next);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    end(gone);
    gone.remove();
  }
}

/** A canvas in device pixels, of the element's width; returns its context, scaled to CSS pixels. */
export function canvasOf(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h_] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h_) {
    canvas.width = w;
    canvas.height = h_;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Call `draw(width)` now, on every change of the element's width, and on a change of theme. */
export function onWidth(element, draw) {
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now && now !== width) draw((width = now));
  });
  observer.observe(element);
  const again = () => width && draw(width);
  window.addEventListener("themechange", again);
  return {
    again,
    destroy() {
      observer.disconnect();
      window.removeEventListener("themechange", again);
    },
  };
}

let colours = {};
window.addEventListener("themechange", () => (colours = {}));

/** A token's value in the present theme, for canvases: "rgb(r, g, b)". */
export function colour(token) {
  if (!colours[token]) {
    const probe = document.getElementById("say");
    probe.style.color = `var(--${token})`;
    colours[token] = getComputedStyle(probe).color;
    probe.style.color = "";
  }
  return colours[token];
}

/** The colour at `share` (0 to 1) of the heat ramp. */
export function heat(share) {
  colours.$heat ??= Array.from({ length: 64 }, (_, i) => mix((i / 63) * 5));
  return colours.$heat[Math.max(0, Math.min(63, Math.round(share * 63)))];
}

function mix(position) {
  const low = Math.min(4, Math.floor(position));
  const [a, b] = [colour(`heat${low}`), colour(`heat${low + 1}`)].map((rgb) => rgb.match(/\d+/g).map(Number));
  return `rgb(${a.map((value, i) => Math.round(value + (b[i] - value) * (position - low))).join(" ")})`;
}

/** What the browser remembers; nothing in a frame of another site, which it denies the storage. */
export function remembered(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return value ?? null;
  }
}

/** Read a sentence to those who hear the page. */
export function say(text) {
  const place = document.getElementById("say");
  if (place.textContent !== text) place.textContent = text;
}

const tip = document.getElementById("tip");

/** The one tooltip: show children beside the pointer, inside the window. */
export function showTip(event, children) {
  tip.replaceChildren(...children.filter(Boolean));
  tip.hidden = false;
  const [w, t] = [tip.offsetWidth, tip.offsetHeight];
  const left = event.clientX + 18 + w > innerWidth - 8 ? event.clientX - w - 18 : event.clientX + 18;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${Math.max(8, Math.min(event.clientY - t - 8, innerHeight - t - 8))}px`;
}

export function hideTip() {
  tip.hidden = true;
}

/** What a part gives back whose place is drawn anew with new props. */
export const drawn = (own, take) => ({
  update(next) {
    take(next);
    own.again();
  },
  destroy() {
    own.destroy();
    hideTip();
  },
});

/** `text`, or as much of it as fits. */
export function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let short = text;
  while (short.length > 2 && context.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}

/** The path of a failure's diamond, `r` from its middle to its corners. */
export function diamond(context, x, y, r) {
  context.beginPath();
  context.moveTo(x, y - r);
  context.lineTo(x + r, y);
  context.lineTo(x, y + r);
  context.lineTo(x - r, y);
  context.closePath();
}

/** A chart's data as a table: names of columns, rows of texts; the first `plain` columns are not numbers. */
export const dataTable = (caption, names, rows, plain = 1) => {
  const cell = (tag, more) => (text, i) => h(tag, { class: i < plain ? null : "right", ...more }, text);
  return h("div", { class: "datatable", tabindex: "0" }, h("table", null, h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, names.map(cell("th", { scope: "col" })))), h("tbody", null, rows.map((row) => h("tr", null, row.map(cell("td")))))));
};
