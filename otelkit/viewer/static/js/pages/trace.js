// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// One trace: where the time went, and what differs from a usual one.

import { ask, question } from "../api.js";
import { h } from "../dom.js";
import { clock, difference, duration, factor, localTimes, percent, plural, shown, text, whole } from "../format.js";
import { copy } from "../keyboard.js";
import { severity } from "../marks.js";
import { cols, figuresList, note, sentence } from "../rows.js";
import { change, fixed, route, segment, to } from "../state.js";
import { attributeList, flatPath, momentRows, waterfall } from "../waterfall.js";

let moment = { span: null, data: null };
export const title = () => "Trace";
export const timeless = true;
export const opened = () => (moment = { span: null, data: null });
export const path = (at) => ({ path: `traces/${segment(at.name)}` });

async function loadMoment(trace, span, context) {
  moment = { span: span.span_id, data: null };
  try {
    const data = await ask(question(`moments/${segment(trace.trace_id)}`, { span: span.span_id }));
    if (moment.span !== span.span_id) return;
    moment.data = data;
  } catch (error) {
    if (error.name === "AbortError" || moment.span !== span.span_id) return;
    moment.data = { lines: [], failed: error.message };
  }
  context.draw();
}

function figures(trace) {
  const types = Object.entries(trace.error_types);
  const errors = types.length === 1 ? `${trace.errors === 1 ? "error" : "errors, all"} ${types[0][0]}` : trace.errors === 1 ? "error" : "errors";
  const wall = trace.duration > 0 && trace.cpu !== null ? trace.cpu / trace.duration : null;
  const compare = () => document.getElementById("usual")?.scrollIntoView({ block: "center" });
  const link = () => copy(location.href, "Link");
  return figuresList([
    [duration(trace.duration), "duration"],
    trace.usual ? [factor(trace.duration, trace.usual.duration), `the usual ${text(duration(trace.usual.duration))}`] : null,
    [[[whole(trace.errors), ""]], errors, trace.errors ? "err" : ""],
    [[[whole(trace.spans.length + trace.truncated), ""]], `${trace.spans.length === 1 ? "span" : "spans"} in ${plural(trace.services.length, "service")}`],
    trace.cpu === null ? null : [duration(trace.cpu), `on CPU, ${text(percent(wall))} of the wall time`],
  ], false, h("div", { class: "side wide-only" }, h("button", { type: "button", class: "control", on: { click: link } }, "Copy link ", h("kbd", null, "Y")), trace.usual ? h("button", { type: "button", class: "control", on: { click: compare } }, "Compare with a usual one ", h("kbd", null, "C")) : null));
}

/** Names below the path: the strong pieces at their place, the small ones after the last of them in one line. */
function pathNames(pieces) {
  const strong = (p) => p.share >= 0.1;
  const tail = pieces.length - pieces.findLastIndex(strong) - 1;
  const lead = pieces.slice(0, pieces.length - tail);
  const small = pieces.slice(pieces.length - tail);
  const name = (p) => h("div", { class: "pathname" }, h("span", { class: strong(p) ? "strong" : "" }, p.label), h("small", null, text(duration(p.duration)), strong(p) ? ` · ${text(percent(p.share, true))}` : ""));
  return h("div", { class: "flatnames" }, lead.map((p, i) => {
    const last = i === lead.length - 1;
    const share = p.share + (last ? small.reduce((sum, q) => sum + q.share, 0) : 0);
    return h("div", { class: `piece ${strong(p) ? "" : "quiet"}`, title: `${p.label} ${text(duration(p.duration))}`, style: { "flex-grow": share * 100, "flex-basis": 0 } }, p.share >= 0.04 ? name(p) : null,
      last && small.length ? h("div", { class: "tail" }, small.map((q, k) => [k ? "\u2002 " : "", q.label, " ", h("b", null, text(duration(q.duration)))])) : null);
  }));
}

function against(trace, narrow) {
  if (!trace.usual) return trace.usual_note ? note(trace.usual_note) : null;
  const { rows } = trace.usual;
  const most = Math.max(1e-9, ...rows.map((r) => Math.max(r.here ?? 0, r.usual ?? 0)));
  const large = Math.max(...rows.map((r) => Math.abs(r.difference)));
  return h("section", { class: "section", id: "usual" }, h("div", { class: "title" }, h("h2", null, "Against the usual trace"), h("span", { class: "sub" }, `${localTimes(trace.usual_note)}; the tick marks it`)),
    h("table", { class: "usual" }, h("caption", { class: "unseen" }, "Time by span name, here and usually"), narrow ? cols("40%", null, 72, 76) : cols("38%", null, "12%", "12%"),
      h("thead", null, h("tr", { class: "headless" }, ["Span", "Here against usual", "Here", "Difference"].map((t) => h("th", { scope: "col" }, h("span", { class: "unseen" }, t))))),
      h("tbody", null, rows.slice(0, 12).map((r) => h("tr", null,
        h("td", null, h("span", { class: "strongname" }, r.name), h("span", { class: "sub" }, r.note)),
        h("td", null, h("div", { class: "against" }, h("i", { class: Math.abs(r.difference) > 0.2 * large ? "c-data" : "c-mute", style: { width: `${((r.here ?? 0) / most) * 100}%` } }), r.usual === null ? null : h("b", { style: { left: `${(r.usual / most) * 100}%` } }))),
        h("td", { class: "right" }, shown(duration(r.here))),
        h("td", { class: "right" }, shown(difference(r.difference), Math.abs(r.difference) > 0.05 * large ? "large" : "quiet")))))));
}

const offset = (seconds) => (seconds < 1 ? `${(seconds * 1e3).toFixed(seconds < 0.1 ? 1 : 0)} ms` : `${seconds.toFixed(3)} s`);

function panel(trace, span) {
  const shiftNote = span.shift ? h("p", { class: "note" }, `The clocks of the two processes differ by at least ${text(duration(span.shift))}; offsets are as they were sent.`) : null;
  return h("aside", { class: "panel", "aria-label": "The chosen span", key: "panel" },
    h("h2", null, severity(span.failed ? "err" : ""), span.failed ? " " : "", span.name, h("span", { class: "sub" }, span.detail || span.service)),
    h("p", null, sentence(span.sentence)), span.message ? h("p", { class: "err wrap" }, span.message) : null, shiftNote,
    span.events.length ? [h("h3", null, "Events"), h("dl", { class: "attributes events" }, span.events.slice(0, 50).map((e) => [h("dt", null, offset(e.offset)), h("dd", { class: e.failed ? "err" : "" }, [e.name, ...Object.entries(e.attributes).filter(([k]) => !/stacktrace/.test(k)).map(([, v]) => v)].join(", "))]))] : null,
    span.links.length ? [h("h3", null, "Links"), h("ul", null, span.links.slice(0, 50).map((l) => h("li", null, l.kept ? h("a", { href: to(`traces/${segment(l.trace_id)}`, { span: l.span_id }) }, `→ ${l.name ?? l.trace_id.slice(0, 8)}`) : h("span", { class: "quiet" }, `→ ${l.trace_id.slice(0, 8)} (not kept)`))))] : null,
    h("h3", null, "Attributes"), Object.keys(span.attributes).length || span.error_type ? attributeList(span) : note("none"),
    moment.span === span.span_id && moment.data ? [h("h3", { class: "big" }, "At that moment", moment.data.range ? h("small", null, `${clock(moment.data.range.start * 1000)} – ${clock(moment.data.range.end * 1000)}`) : null),
      moment.data.lines.length ? momentRows(moment.data) : note(moment.data.failed ?? "No metric shares a label or a process with this span.")] : null);
}

export function draw(trace, context) {
  const chosen = context.route.query.get("span");
  const slowest = [...trace.path].sort((a, b) => b.duration - a.duration)[0]?.span_id;
  const byId = (id) => trace.spans.find((x) => x.span_id === id);
  const span = byId(chosen) ?? byId(slowest) ?? trace.spans[0];
  if (!context.route.query.has("from") || route().query.get("to") === null) {
    const around = Math.max(450e3, trace.duration * 2e3);
    queueMicrotask(() => change(fixed(trace.start * 1000 - around, Math.min(trace.start * 1000 + trace.duration * 1000 + around, Date.now()))));
  }
  if (span && moment.span !== span.span_id) loadMoment(trace, span, context);
  const notes = [trace.rootless ? "The root span never arrived." : "", trace.complete ? "" : "Spans are missing between those that are here.", trace.truncated ? `${whole(trace.truncated)} further spans are not shown.` : "", ...trace.absent].filter(Boolean);
  const select = (x) => change({ span: x.span_id });
  return {
    title: trace.name,
    verdict: clock(trace.start * 1000, "ms"),
    extra: [h("span", { class: "mono" }, `${trace.trace_id.slice(0, 4)}…${trace.trace_id.slice(-4)}`)],
    children: [
      figures(trace),
      trace.path.length ? h("figure", { key: "path" }, h("figcaption", { class: "unseen" }, "Critical path"), flatPath(trace.path), pathNames(trace.path)) : null,
      h("div", { class: "tracecols", key: "cols" }, h("div", null, waterfall({ trace, selected: span?.span_id, select }), notes.map((n) => note(n)), against(trace, context.narrow())), span ? panel(trace, span) : null),
    ],
  };
}

window.addEventListener("keydown", (event) => {
  if (event.key === "c" && !event.ctrlKey && !event.metaKey && !event.target.matches?.("input") && document.getElementById("usual")) {
    event.preventDefault();
    document.getElementById("usual").scrollIntoView({ block: "center" });
  }
}, true);
