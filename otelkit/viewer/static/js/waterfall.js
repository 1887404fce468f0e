// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// A trace's spans over time: on the critical path in the data's colour, off it grey, thin joins where the path changes
// spans. Rows outside of the window are not there.

import { h, onWidth, part, s } from "./dom.js";
import { ABSENT, brief, duration, quantity, shown, text, ticks } from "./format.js";
import { spark } from "./marks.js";
import { change, partOf, route, segment, to, withPart } from "./state.js";

const FEW = 150; // rows that are simply all drawn

/** The end of the time axis: trace's duration, or a little more. */
const lengthOf = (trace) => Math.max(trace.duration, 1e-9, ...trace.spans.map((x) => x.offset + x.duration));

function axisTicks(length) {
  const unit = length < 1e-3 ? 1e6 : length < 1 ? 1e3 : 1;
  return ticks(0, length * unit, 4).map((v) => v / unit);
}

function track(span, length, small) {
  const at = (seconds) => `${((seconds / length) * 100).toFixed(3)}%`;
  const bars = [h("i", { class: "c-mute", style: { left: at(span.offset), width: at(span.duration) } })];
  for (const [from, to] of span.path) bars.push(h("i", { class: "c-data on", style: { left: at(from), width: at(to - from) } }));
  if (!small) for (const event of span.events.slice(0, 40)) bars.push(h("span", { class: "pin", title: event.name, style: { left: at(event.offset) } }));
  if (span.failed) bars.push(s("svg", { width: 12, height: 12, viewBox: "0 0 12 12", style: { left: at(span.offset + span.duration) }, "aria-hidden": "true" }, s("path", { d: "M6 .5 11.5 6 6 11.5 .5 6Z", class: "m-err", stroke: "var(--bg)", "stroke-width": 1.2 })));
  return h("div", { class: "wf-track" }, bars);
}

function label(span, small) {
  const folded = span.folded > 1 ? ` ×${span.folded}, sum ${text(duration(span.folded_sum))}` : "";
  return h("div", { class: `wf-name ${span.failed ? "err" : ""}`, title: `${span.name}${span.detail ? `, ${span.detail}` : ""} · ${span.service}`, style: { "padding-left": `${Math.min(span.depth, 12) * (small ? 9 : 13)}px` } },
    span.name, h("span", { class: "quiet" }, folded), small ? null : h("span", { class: "sub" }, span.detail || (span.showService ? span.service : "")),
    span.shift ? h("span", { class: "sub warn" }, `+${text(duration(span.shift))} shifted`) : null);
}

function row(span, i, props, length, most) {
  const { small, selected, columns } = props;
  const choose = () => props.select?.(span);
  return h("div", {
    class: "wf-row", role: "row", key: span.span_id, "aria-selected": selected === span.span_id ? "true" : "false", tabindex: selected === span.span_id || (!selected && i === 0) ? "0" : "-1", "data-span": span.span_id,
    style: { "grid-template-columns": columns },
    on: { click: choose, focus: () => !small && selected !== span.span_id && choose() } },
    h("div", { role: "rowheader", class: "wf-name-cell" }, label(span, small)), h("div", { role: "cell" , class: "wf-track-cell" }, track(span, length, small)),
    small || props.narrow ? null : [h("div", { role: "cell", class: "right" }, shown(duration(span.duration))),
      h("div", { role: "cell", class: "wf-cpu" }, h("i", { style: { width: span.cpu ? `${Math.max(1, (span.cpu / most) * 32)}px` : "0" } }), h("span", { class: "grow" }), span.cpu === null ? h("span", { class: "quiet", title: "CPU was not measured for this span" }, ABSENT) : shown(duration(span.cpu), "soft"))]);
}

/** Where the critical path changes spans: [seconds, from row, to row]. */
function joins(spans) {
  const pieces = spans.flatMap((span, i) => span.path.map(([from, to]) => [from, to, i])).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const out = [];
  for (let i = 1; i < pieces.length; i++) {
    if (pieces[i][2] !== pieces[i - 1][2]) out.push([pieces[i][0], pieces[i - 1][2], pieces[i][2]]);
  }
  return out;
}

function mount(place, first) {
  let props = first;
  const rowsPlace = h("div", { role: "rowgroup" });
  const marks = h("div", { "aria-hidden": "true" });
  const head = h("div");
  place.append(head, marks, rowsPlace);
  const own = onWidth(place, draw);
  const scrolled = () => props.trace.spans.length > FEW && draw();
  window.addEventListener("scroll", scrolled, { passive: true });

  function draw() {
    const { trace, small } = props;
    const height = small ? 24 : innerWidth < 720 ? 44 : 32;
    const length = lengthOf(trace);
    const width = place.clientWidth;
    const nameWidth = small ? Math.round(width * 0.39) : Math.round(Math.min(240, width * 0.32));
    props.narrow = !small && width < 520;
    props.columns = small ? `${nameWidth}px minmax(0,1fr)` : props.narrow ? "minmax(0,1fr)" : `${nameWidth}px minmax(0,1fr) 82px 100px`;
    const track_ = props.narrow ? [0, width] : [nameWidth, width - nameWidth - (small ? 0 : 182)];
    const x = (seconds) => track_[0] + (seconds / length) * track_[1];
    const { spans } = trace;
    const top = place.getBoundingClientRect().top + 20;
    const [from, to] = spans.length > FEW && !small ? [Math.max(0, Math.floor(-top / height) - 20), Math.min(spans.length, Math.ceil((innerHeight - top) / height) + 20)] : [0, Math.min(spans.length, small ? 40 : spans.length)];
    const most = Math.max(1e-9, ...spans.map((span) => span.cpu ?? 0));
    const values = axisTicks(length);
    head.replaceChildren(h("div", { class: "wf-axis", "aria-hidden": "true" }, small || props.narrow ? null : h("b", { class: "head" }, "Span"), values.map((v) => h("span", { style: { left: `${x(v)}px` } }, v === 0 ? "0" : brief(v))),
      small || props.narrow ? null : [h("b", { class: "head wall" }, "Wall"), h("b", { class: "head cpu" }, "On CPU")]));
    const lines = props.narrow ? [] : [...values.map((v) => h("div", { class: "wf-grid", style: { left: `${x(v)}px` } })),
      ...(small ? [] : joins(spans).filter(([, a, b]) => Math.max(a, b) >= from && Math.min(a, b) <= to).slice(0, 400).map(([at, a, b]) => h("div", { class: "wf-join", style: { left: `${x(at)}px`, top: `${20 + Math.min(a, b) * height + height / 2}px`, height: `${Math.abs(a - b) * height}px` } })))];
    if (!small && !props.narrow) for (const line of guides(spans, from, to, height)) lines.push(line);
    marks.replaceChildren(...lines);
    const focused = document.activeElement?.dataset?.span;
    rowsPlace.style.paddingTop = `${from * height}px`;
    rowsPlace.style.paddingBottom = `${(spans.length - to) * height * (small ? 0 : 1)}px`;
    rowsPlace.replaceChildren(...spans.slice(from, to).map((span, i) => row(span, from + i, props, length, most)));
    if (focused) rowsPlace.querySelector(`[data-span="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function guides(spans, from, to, height) {
    const out = [];
    for (let i = from; i < to; i++) {
      const depth = spans[i].depth;
      let end = i;
      while (end + 1 < spans.length && spans[end + 1].depth > depth) end++;
      if (end > i && depth < 12) out.push(h("div", { class: "wf-guide", style: { left: `${depth * 13 + 5}px`, top: `${20 + (i + 1) * height}px`, height: `${(end - i) * height}px` } }));
    }
    return out;
  }

  place.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step || props.small) return;
    event.preventDefault();
    event.stopPropagation();
    const { spans } = props.trace;
    const at = spans.findIndex((span) => span.span_id === (document.activeElement?.dataset?.span ?? props.selected));
    const next = spans[Math.max(0, Math.min(spans.length - 1, at + step))];
    const node = rowsPlace.querySelector(`[data-span="${CSS.escape(next.span_id)}"]`);
    if (node) node.focus();
    else props.select?.(next);
  });

  return {
    update(next) {
      props = next;
      own.again();
    },
    destroy() {
      own.destroy();
      window.removeEventListener("scroll", scrolled);
    },
  };
}

/** props: trace, small, selected (span id), select(span). */
export function waterfall(props) {
  const { spans } = props.trace;
  spans.forEach((span) => (span.showService = !spans.some((p) => p.span_id === span.parent_id && p.service === span.service)));
  return part(mount, props, { class: `wf ${props.small ? "small" : ""}`, role: "table", "aria-label": "Spans" });
}

/** The critical path laid flat, with what its pieces are. */
export function flatPath(pieces, small) {
  const total = pieces.reduce((sum, p) => sum + p.duration, 0) || 1;
  const tone = (piece, i) => (!piece.leaf && i > 0 && /backoff|wait|sleep/.test(piece.label) ? "mute" : piece.share >= 0.1 ? "data" : piece.share >= 0.04 && !piece.leaf ? "mute" : "dim");
  return h("div", { class: `flat ${small ? "small" : ""}`, role: "img", "aria-label": `Critical path: ${pieces.map((p) => `${p.label} ${text(duration(p.duration))}`).join(", ")}` },
    pieces.map((p, i) => h("i", { class: `c-${tone(p, i)}`, title: `${p.label} ${text(duration(p.duration))}`, style: { "flex-grow": (p.duration / total) * 100, "flex-basis": 0 } })));
}

// -- what is known of one span

const TRACED = /^(error\.|exception\.)/;

/** Attributes as text, each with "only" and "without" for the filter. */
export function attributeList(span, most = 400, extra = []) {
  const entries = Object.entries(span.attributes);
  if (span.error_type && !("error.type" in span.attributes)) entries.unshift(["error.type", span.error_type]);
  entries.sort((a, b) => TRACED.test(b[0]) - TRACED.test(a[0]));
  const pick = (name, value, without) => h("button", { type: "button", on: { click: () => change({ q: withPart(route().query.get("q"), partOf(name, value, without)) }) } }, without ? "without" : "only");
  return h("dl", { class: "attributes" }, entries.slice(0, most).map(([name, value]) => {
    const hidden = span.masked?.includes(name);
    return [h("dt", null, name), h("dd", { class: hidden ? "masked" : name === "error.type" ? "err" : "" }, h("span", null, hidden ? "masked" : String(value)),
      hidden || extra.length ? null : h("span", { class: "pick" }, pick(name, value, false), " ", pick(name, value, true)))];
  }), extra.map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

/** Metrics around the span: those outside of their usual range keep their colour. */
export function momentRows(moment, most = 5) {
  const { axis } = moment.range;
  const at = ((moment.start + moment.end) / 2 - axis.start) / (axis.step * axis.count);
  return moment.lines.slice(0, most).map(({ metric, why, line, here }) => {
    const odd = line.status !== "ok";
    return h("div", { class: "moment", title: `${metric}: ${why}` },
      h("div", null, h("div", { class: "label" }, h("a", { href: to(`metrics/${segment(metric)}`) }, line.name)),
        shown(quantity(here, line.unit)), line.limit ? h("small", null, `of ${text(quantity(line.limit, line.unit))}`) : null,
        line.usual ? h("small", null, `usual ${text(quantity(line.usual.middle, line.unit))}`) : null),
      h("div", { class: "momentline" }, h("i", { style: { left: `${Math.max(0, Math.min(1, at)) * 100}%` } }), spark(line.values, { width: 122, height: 26, tone: odd ? "data" : "" })));
  });
}
