// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// A trace, or the traces of some cells, beside the page; not modal.

import { ask, question } from "./api.js";
import { h, morph } from "./dom.js";
import { clock, duration, percent, plural, text, whole } from "./format.js";
import { failure } from "./frame.js";
import { severity } from "./marks.js";
import { figuresList } from "./rows.js";
import { change, go, openTrace, route, segment, to } from "./state.js";
import { attributeList, flatPath, momentRows, waterfall } from "./waterfall.js";

const place = document.getElementById("peek");
let now = { id: null, trace: null, moment: null, cell: null, error: null };
let around = [];
let redraw = () => {};

const isOpen = () => !place.hidden;

/** Bring the peek to what the address says; `exemplars` are what j and k walk through. */
export function syncPeek(exemplars, drawPage) {
  around = exemplars.filter((e) => e.kept).sort((a, b) => a.time - b.time);
  redraw = drawPage;
  const id = route().query.get("trace");
  const span = route().query.get("span");
  if (!id && !now.cell) return close();
  if (id && id !== now.id) open(id, span);
  return null;
}

function close() {
  now = { id: null, trace: null, moment: null, cell: null, error: null };
  if (!isOpen()) return;
  place.hidden = true;
  document.body.classList.remove("peeking");
  requestAnimationFrame(redraw);
}

function show() {
  const first = place.hidden;
  place.hidden = false;
  document.body.classList.add("peeking");
  draw();
  if (first) requestAnimationFrame(redraw);
}

async function open(id, span) {
  now = { id, span, trace: null, moment: null, cell: null, error: null };
  show();
  try {
    const trace = await ask(`traces/${segment(id)}`);
    if (now.id !== id) return;
    now.trace = trace;
    draw();
    const chosen = trace.spans.find((x) => x.span_id === span) ?? trace.spans[0];
    const moment = await ask(question(`moments/${segment(id)}`, { span: chosen.span_id }));
    if (now.id !== id) return;
    now.moment = moment;
  } catch (error) {
    if (now.id !== id || now.trace) return;
    now.error = error;
  }
  draw();
}

/** Open what lies in a rectangle of the heatmap. */
export async function openCell(parameters, label) {
  change({ trace: null, span: null });
  now = { id: null, trace: null, moment: null, cell: { label, data: null }, error: null };
  show();
  try {
    now.cell.data = await ask(question("cells", parameters));
  } catch (error) {
    now.error = error;
  }
  draw();
}

function step(delta) {
  if (!around.length) return;
  const at = around.findIndex((e) => e.trace_id === now.id);
  const next = around[(at + delta + around.length) % around.length];
  openTrace(next);
}

const fullHref = () => to(`traces/${segment(now.id)}`, { span: now.span ?? null });
const leave = () => {
  now.cell = null;
  change({ trace: null, span: null });
  close();
};

function head(title, level) {
  const button = (label, keys, act) => h("button", { type: "button", "aria-label": label, title: label, on: { click: act } }, h("kbd", null, keys));
  return h("div", { class: "title" }, severity(level), h("h2", null, title), h("span", { class: "peekkeys" },
    around.length > 1 && now.id ? [button("Previous exemplar", "K", () => step(-1)), button("Next exemplar", "J", () => step(1))] : null, button("Close", "Esc", leave)));
}

function drawTrace(trace) {
  const focus = trace.spans.find((x) => x.span_id === now.span) ?? trace.spans[0];
  const pieces = shortPath(trace.path);
  return [head(trace.name, trace.failed ? "err" : ""),
    figuresList([[duration(trace.duration), "duration"], [[[whole(trace.spans.length), ""]], `${trace.spans.length === 1 ? "span" : "spans"}, ${plural(trace.services.length, "service")}`], trace.cpu === null ? null : [duration(trace.cpu), "on CPU"]]),
    trace.path.length ? [h("h3", null, "Critical path"), flatPath(pieces, true), pathNames(pieces)] : null,
    waterfall({ trace, small: true, selected: now.span, select: (span) => go(to(`traces/${segment(trace.trace_id)}`, { span: span.span_id })) }),
    trace.spans.length > 40 ? h("p", { class: "note" }, `40 of ${whole(trace.spans.length)} spans`) : null,
    h("hr"), h("h3", null, "Attributes", focus === trace.spans[0] ? "" : ` of ${focus.name}`),
    attributeList(focus, 8, [["at", clock((trace.start + focus.offset) * 1000, "ms")]]),
    now.moment?.lines.length ? [h("hr"), h("h3", null, "At that moment"), momentRows(now.moment, 3)] : null,
    h("div", { class: "buttons" }, h("a", { class: "control", href: fullHref() }, "Open trace ", h("kbd", null, "↵")), trace.usual ? h("a", { class: "control", href: fullHref() }, "Compare with a usual one ", h("kbd", null, "C")) : null)];
}

/** The two largest names, and the rest. */
function shortPath(path) {
  const byName = new Map();
  for (const piece of path) {
    const name = piece.label.replace(/, attempt \d+$/, "");
    const entry = byName.get(name) ?? { ...piece, label: name, duration: 0, share: 0, calls: 0 };
    byName.set(name, { ...entry, duration: entry.duration + piece.duration, share: entry.share + piece.share, calls: entry.calls + 1 });
  }
  const all = [...byName.values()].sort((a, b) => b.duration - a.duration);
  const rest = all.slice(2).reduce((sum, p) => ({ duration: sum.duration + p.duration, share: sum.share + p.share }), { duration: 0, share: 0 });
  return [...all.slice(0, 2).map((p) => ({ ...p, label: p.calls > 1 ? `${p.label} ×${p.calls}` : p.label })), ...(rest.duration > 0 ? [{ label: "rest", leaf: true, ...rest, share: 0 }] : [])];
}

export function pathNames(pieces) {
  return h("div", { class: "flatnames" }, pieces.map((p, i) => h("div", { class: i && i === pieces.length - 1 ? "right" : "", style: { "flex-grow": Math.max(12, p.share * 100), "flex-basis": 0 } }, p.label, h("small", { class: "strong" }, text(duration(p.duration))))));
}

function drawCell({ label, data }) {
  if (!data) return [head(label, "")];
  return [head(label, ""),
    figuresList([[[[whole(data.count), ""]], `of ${whole(data.of)} calls`], [data.of ? percent(data.count / data.of) : [["–", ""]], "share"], [[[whole(data.traces.length), ""]], "kept traces"]]),
    h("h3", null, "More frequent in here"),
    data.excess.length ? h("ul", null, data.excess.map((e) => h("li", null, h("code", null, `${e.key} = ${e.value}`), h("div", { class: "quiet" }, `${text(percent(e.inside, true))} inside, ${text(percent(e.outside, true))} outside`)))) : h("p", { class: "note" }, data.note),
    h("h3", null, "Kept traces, slowest first"),
    h("ul", { class: "plainrows" }, data.traces.map((t) => h("li", null, h("a", { href: to(`traces/${segment(t.trace_id)}`) }, t.failed ? severity("err") : null, ` ${text(duration(t.duration))} `, h("span", { class: "sub" }, `${t.name}, ${clock(t.start * 1000, "s")}`)))))];
}

function draw() {
  if (!isOpen()) return;
  const children = now.error ? [head("Trace", ""), failure(now.error)] : now.cell ? drawCell(now.cell) : now.trace ? drawTrace(now.trace) : [head("…", "")];
  morph(place, children.flat(3));
}

window.addEventListener("escape", (event) => {
  if (!isOpen()) return;
  event.preventDefault();
  leave();
});
document.addEventListener("keydown", (event) => {
  if (!isOpen() || !now.id || event.ctrlKey || event.metaKey || event.altKey || event.target.matches?.("input, select, textarea")) return;
  const acts = { j: () => step(1), k: () => step(-1), c: () => now.trace?.usual && go(fullHref()) };
  if (event.key === "Enter" && (event.target === document.body || event.target.closest?.(".heatmap, #content") === event.target || event.target.closest?.(".heatmap"))) acts.Enter = () => go(fullHref());
  if (!acts[event.key]) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  acts[event.key]();
}, true);
let touch = null;
place.addEventListener("touchstart", (event) => (touch = event.touches[0].clientX), { passive: true });
place.addEventListener("touchend", (event) => {
  const far = event.changedTouches[0].clientX - touch;
  if (Math.abs(far) > 60) step(far < 0 ? 1 : -1);
}, { passive: true });

