// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Latency over time: the histogram's own buckets as cells, quantiles as lines on top, exemplars as rings; requests and
// errors below it on the same axis, under the same crosshair.

import { canvasOf, colour, dataTable, diamond, drawn, h, heat, hideTip, onWidth, part, s, say, showTip } from "./dom.js";
import { clock, clockTicks, percent, quantity, rate, roundSteps, text, ticks, whole } from "./format.js";
import { closedEdges } from "./marks.js";

const LEFT = 48;
const RIGHT = 72;
const TOP = 22;
const STRIP = 46;
const GAP = 26;
const SLICE = 36; // px of time in which
const PER_SLICE = 2; // rings are drawn at most, the slowest, and as many diamonds

/** The rows that hold anything, with one more at either side. */
function usedRows(counts, rows) {
  let [low, high] = [rows, -1];
  for (const column of counts) {
    if (column) column.forEach((count, row) => count && ([low, high] = [Math.min(low, row), Math.max(high, row)]));
  }
  return high < 0 ? [0, Math.max(0, rows - 1)] : [Math.max(0, low - 1), Math.min(rows - 1, high + 1)];
}

function logTicks(low, high, wanted) {
  const out = roundSteps(low, high);
  return out.length > wanted + 4 ? out.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6) : out;
}

const bucketText = (edges, row, unit) => {
  const [low, high] = [edges[row], edges[row + 1]];
  if (high === null) return `> ${text(quantity(low, unit))}`;
  if (!(low > 0)) return `up to ${text(quantity(high, unit))}`;
  const [a, b] = [quantity(low, unit), quantity(high, unit)];
  return a[0][1] === b[0][1] ? `${a[0][0]} – ${text(b)}` : `${text(a)} – ${text(b)}`;
};

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  const over = h("canvas", { "aria-hidden": "true", class: "over" });
  const tie = s("svg", { class: "tieline", "aria-hidden": "true" });
  place.append(canvas, over, tie);
  let view = null; // geometry of the last drawing
  let cell = null; // [column, row] under pointer or keyboard
  let extend = null; // the other corner of a selection
  let rows = null; // rows shown, held still
  let below = 0; // since when fewer would do
  const own = onWidth(place, draw);

  function heldRows(heatmap) {
    const [low, high] = usedRows(heatmap.counts, heatmap.edges.length - 1);
    const key = String(heatmap.edges);
    if (!rows || rows.key !== key) rows = { key, low, high };
    rows.low = Math.min(rows.low, low);
    rows.high = Math.max(rows.high, high);
    if (high - low < 0.6 * (rows.high - rows.low)) {
      below ||= Date.now();
      if (Date.now() - below > 30e3) rows = { key, low, high };
    } else below = 0;
    return rows;
  }

  function geometry(width) {
    const { heatmap, axis } = props;
    const tall = props.height ?? 276;
    const { low, high } = heldRows(heatmap);
    const edges = closedEdges(heatmap.edges);
    const [bottom, top] = [Math.log(edges[low]), Math.log(edges[high + 1])];
    const right = width - (width > 480 ? RIGHT : 8);
    const strips = (props.strips ?? []).map((strip, i) => ({ ...strip, y: TOP + tall + GAP + i * (STRIP + GAP), h: STRIP }));
    const end = strips.length ? strips.at(-1).y + STRIP : TOP + tall;
    return {
      width, left: LEFT, right, tall, strips, end, height: end + 28, edges, low, high, pitch: (right - LEFT) / axis.count,
      y: (value) => TOP + tall - ((Math.log(Math.max(value, edges[low])) - bottom) / (top - bottom)) * tall,
      x: (seconds) => LEFT + ((seconds - axis.start) / (axis.step * axis.count)) * (right - LEFT),
    };
  }

  function draw(width) {
    const { heatmap, axis } = props;
    view = geometry(width);
    const { x, y, left, right, pitch, edges, low, high } = view;
    const c = canvasOf(canvas, width, view.height);
    c.font = "11px Inter, system-ui, sans-serif";
    c.textBaseline = "middle";
    drawGrid(c);
    const most = Math.max(2, heatmap.largest) ** 0.55;
    const gap = pitch >= 6 ? 1 : 0;
    heatmap.counts.forEach((column, i) => {
      if (!column) return;
      const at = left + i * pitch;
      for (let row = low; row <= high; row++) {
        if (!column[row]) continue;
        c.fillStyle = heat(0.14 + 0.86 * (column[row] ** 0.55 / most));
        const [y1, y2] = [y(edges[row + 1]), y(edges[row])];
        c.fillRect(at, y1, Math.max(1, pitch - gap), Math.max(1, y2 - y1 - (y2 - y1 >= 5 ? 1 : 0)));
      }
    });
    for (const line of props.lines ?? []) drawLine(c, line);
    drawExemplars(c);
    for (const strip of view.strips) drawStrip(c, strip);
    c.fillStyle = colour("t3");
    c.textAlign = "center";
    for (const [ms, label] of clockTicks(axis.start * 1000, (axis.start + axis.step * axis.count) * 1000, Math.max(2, Math.floor((right - left) / 120)))) {
      c.fillText(label, x(ms / 1000), view.end + 14);
    }
    drawDirect(c);
    drawOver();
  }

  function drawGrid(c) {
    const { y, left, right, edges, low, high } = view;
    const unit = props.heatmap.unit;
    const values = logTicks(edges[low], edges[high + 1], view.tall / 36);
    let last = "";
    let lastY = 1e9;
    values.forEach((value, i) => {
      const at = y(value);
      c.fillStyle = colour("grid");
      c.fillRect(left, Math.round(at), right - left, 1);
      if (lastY - at < 13) return;
      lastY = at;
      const [[number, suffix]] = quantity(value, unit);
      c.fillStyle = colour("t3");
      c.textAlign = "right";
      const short = number.replace(/\.0+$/, "");
      c.fillText(suffix !== last || i === values.length - 1 && !last ? `${short} ${suffix}` : short, left - 8, at);
      last = suffix;
    });
  }

  function drawLine(c, line) {
    const { y, left, pitch } = view;
    const path = new Path2D();
    let open = false;
    line.values.forEach((value, i) => {
      if (value === null) return void (open = false);
      path[open ? "lineTo" : "moveTo"](left + (i + 0.5) * pitch, y(value));
      open = true;
    });
    c.lineJoin = "round";
    c.strokeStyle = colour("bg");
    c.lineWidth = line.then ? 3 : 4.5;
    c.stroke(path);
    if (line.then) c.setLineDash([4, 4]);
    c.strokeStyle = colour(line.then ? "t2" : "t1");
    c.lineWidth = line.then ? 1 : 1.6;
    c.stroke(path);
    c.setLineDash([]);
  }

  function drawDirect(c) {
    if (view.right > view.width - RIGHT) return;
    let before = -1e9;
    const entries = [...(props.lines ?? [])].map((line) => ({ line, at: line.values.findLast((v) => v !== null) })).filter((e) => e.at !== undefined).map((e) => ({ ...e, y: view.y(e.at) })).sort((a, b) => a.y - b.y);
    c.textAlign = "left";
    for (const { line, at, y } of entries) {
      const top = Math.max(y, before + 32);
      before = top;
      c.fillStyle = colour("t2");
      c.fillText(line.name, view.right + 8, top - 6);
      c.font = "600 11px Inter, system-ui, sans-serif";
      c.fillStyle = colour("t1");
      c.fillText(line.shown ?? text(quantity(at, props.heatmap.unit)), view.right + 8, top + 8);
      c.font = "11px Inter, system-ui, sans-serif";
    }
  }

  function drawStrip(c, strip) {
    const { left, right, pitch } = view;
    const known = [...strip.values, ...(strip.then ?? [])].filter((v) => v !== null);
    const most = Math.max(...known, strip.least ?? 0) || 1;
    const top = ticks(0, most, 1).at(-1) >= most ? ticks(0, most, 1).at(-1) : roundUp(most);
    c.fillStyle = colour(strip.token);
    strip.values.forEach((value, i) => {
      if (value === null || value === 0) return;
      const size = Math.max(1, (value / top) * strip.h);
      c.fillRect(left + i * pitch, strip.y + strip.h - size, Math.max(1, pitch - 1), size);
    });
    if (strip.then) {
      c.strokeStyle = colour("t2");
      c.lineWidth = 1;
      c.setLineDash([4, 4]);
      c.beginPath();
      strip.then.forEach((value, i) => value !== null && c.lineTo(left + (i + 0.5) * pitch, strip.y + strip.h - (value / top) * strip.h));
      c.stroke();
      c.setLineDash([]);
    }
    c.fillStyle = colour("line2");
    c.fillRect(left, strip.y + strip.h, right - left, 1);
    c.fillStyle = colour("t3");
    c.textAlign = "right";
    c.fillText(strip.write(top).replace(/\.0+(?=\D)/, ""), left - 8, strip.y + 4);
    c.fillText("0", left - 8, strip.y + strip.h - 2);
    if (right > view.width - RIGHT) return;
    c.textAlign = "left";
    c.fillStyle = colour("t2");
    c.fillText(strip.name, right + 8, strip.y + strip.h / 2 - 6);
    c.font = "600 11px Inter, system-ui, sans-serif";
    c.fillStyle = colour(strip.tone || "t1");
    c.fillText(strip.last, right + 8, strip.y + strip.h / 2 + 8);
    c.font = "11px Inter, system-ui, sans-serif";
  }

  function drawExemplars(c) {
    view.dots = [];
    const shown = (props.exemplars ?? []).filter((e) => e.kept || e.trace_id === props.chosen);
    const sorted = [...shown].sort((a, b) => (b.trace_id === props.chosen) - (a.trace_id === props.chosen) || b.failed - a.failed || b.value - a.value);
    const full = new Map();
    for (const exemplar of sorted) {
      const [ex, ey] = [view.x(exemplar.time), view.y(exemplar.value)];
      const slice = `${Math.floor((ex - view.left) / SLICE)}${exemplar.failed}`;
      if (ex < view.left || ex > view.right || (full.get(slice) ?? 0) >= PER_SLICE || view.dots.some((d) => Math.hypot(d.x - ex, d.y - ey) < 11)) continue;
      full.set(slice, (full.get(slice) ?? 0) + 1);
      view.dots.push({ x: ex, y: Math.max(TOP, ey), exemplar });
    }
    for (const { x, y, exemplar } of view.dots) dot(c, x, y, exemplar);
    view.dots.sort((a, b) => a.exemplar.time - b.exemplar.time);
  }

  function dot(c, x, y, exemplar) {
    const chosen = exemplar === view.dots.find((d) => d.exemplar.trace_id === props.chosen)?.exemplar;
    if (chosen) {
      c.beginPath();
      c.arc(x, y, 10, 0, 7);
      c.strokeStyle = colour("t1");
      c.lineWidth = 2;
      c.stroke();
    }
    c.beginPath();
    if (exemplar.failed) {
      diamond(c, x, y, chosen ? 7 : 5.5);
      c.fillStyle = colour("err");
      c.strokeStyle = colour("bg");
      c.lineWidth = 1.5;
      c.fill();
      c.stroke();
    } else {
      c.arc(x, y, 3.8, 0, 7);
      c.fillStyle = colour("bg");
      c.strokeStyle = colour("t1");
      c.lineWidth = 1.8;
      c.fill();
      c.stroke();
    }
  }

  function drawOver() {
    const c = canvasOf(over, view.width, view.height);
    if (cell) {
      const [column, row] = cell;
      const x = view.left + (column + 0.5) * view.pitch;
      c.strokeStyle = colour("t2");
      c.setLineDash([2, 3]);
      c.beginPath();
      c.moveTo(x, TOP - 14);
      c.lineTo(x, view.end);
      c.stroke();
      c.setLineDash([]);
      const [c0, c1] = extend ? [Math.min(column, extend[0]), Math.max(column, extend[0])] : [column, column];
      const [r0, r1] = extend ? [Math.min(row, extend[1]), Math.max(row, extend[1])] : [row, row];
      c.strokeStyle = colour("t1");
      c.lineWidth = 1.5;
      c.strokeRect(view.left + c0 * view.pitch - 0.5, view.y(view.edges[r1 + 1]) - 0.5, (c1 - c0 + 1) * view.pitch, view.y(view.edges[r0]) - view.y(view.edges[r1 + 1]));
      const at = clock((props.axis.start + (column + 0.5) * props.axis.step) * 1000, "s");
      c.font = "500 11px Inter, system-ui, sans-serif";
      const size = c.measureText(at).width + 12;
      c.fillStyle = colour("t1");
      c.beginPath();
      c.roundRect(x - size / 2, view.end + 4, size, 20, 4);
      c.fill();
      c.fillStyle = colour("bg");
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.fillText(at, x, view.end + 14.5);
    }
    const chosen = view.dots.find((d) => d.exemplar.trace_id === props.chosen);
    tie.replaceChildren();
    const edge = props.tie?.();
    if (chosen && edge) {
      const to = edge - place.getBoundingClientRect().left;
      tie.append(s("path", { d: `M${chosen.x} ${chosen.y - 11}V4H${to}` }));
    }
  }

  function cellAt(event) {
    const box = place.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    if (!view || px < view.left || px >= view.right || py < TOP - 8 || py > view.end) return null;
    const column = Math.min(props.axis.count - 1, Math.floor((px - view.left) / view.pitch));
    let row = -1;
    for (let r = view.low; r <= view.high; r++) if (py <= view.y(view.edges[r]) && py >= view.y(view.edges[r + 1])) row = r;
    return { column, row, px, py };
  }

  const nearest = (px, py, reach) => view.dots.map((d) => ({ ...d, far: Math.hypot(d.x - px, d.y - py) })).filter((d) => d.far < reach).sort((a, b) => a.far - b.far)[0];

  function facts([column, row]) {
    const counts = props.heatmap.counts[column];
    const from = (props.axis.start + column * props.axis.step) * 1000;
    const of = counts ? counts.reduce((a, b) => a + b, 0) : null;
    return { from, to: from + props.axis.step * 1000, of, count: counts?.[row] ?? 0, range: bucketText(props.heatmap.edges, row, props.heatmap.unit), usual: props.heatmap.usual?.[row] ?? null };
  }

  function describe(at) {
    const f = facts(at);
    if (f.of === null) return [h("p", null, "nothing was measured here")];
    const pair = (a, b) => h("div", { class: "pair" }, h("span", null, a), h("span", null, b));
    return [h("b", null, f.range), h("div", null, `${clock(f.from, "s")} – ${clock(f.to, "s")}`),
      pair([h("b", null, whole(f.count)), ` of ${whole(f.of)} ${props.what ?? "calls"}`], f.of ? text(percent(f.count / f.of)) : "–"),
      f.usual === null ? null : pair("usually here", text(percent(f.usual)))];
  }

  function speak() {
    const f = facts(cell);
    say(f.of === null ? `${clock(f.from, "s")}, nothing measured` : `${clock(f.from, "s")}, ${f.range}, ${f.count} of ${f.of} ${props.what ?? "calls"}${f.of ? `, ${text(percent(f.count / f.of))}` : ""}`);
  }

  let down = null;
  place.addEventListener("pointermove", (event) => {
    const at = cellAt(event);
    if (!at) return leave();
    if (at.row >= 0 || !cell) cell = [at.column, at.row >= 0 ? at.row : view.low];
    else cell = [at.column, cell[1]];
    if (down) extend = down.cell;
    const close = nearest(at.px, at.py, 10);
    place.style.cursor = close ? "pointer" : "crosshair";
    drawOver();
    showTip(event, close ? [h("b", null, text(quantity(close.exemplar.value, props.heatmap.unit)), close.exemplar.failed ? " failed" : ""), h("div", null, clock(close.exemplar.time * 1000, "ms")), h("div", null, "click: its trace")]
      : at.row >= 0 ? describe(cell) : strips(at));
  });
  function strips(at) {
    return [h("b", null, clock((props.axis.start + at.column * props.axis.step) * 1000, "s")),
      ...view.strips.map((strip) => h("div", { class: "pair" }, h("span", null, strip.name), h("span", null, strip.values[at.column] === null ? "–" : strip.write(strip.values[at.column]))))];
  }
  function leave() {
    if (!cell || down) return;
    cell = extend = null;
    hideTip();
    drawOver();
  }
  place.addEventListener("pointerleave", leave);
  place.addEventListener("pointerdown", (event) => {
    const at = cellAt(event);
    if (!at || event.button > 0 || event.pointerType === "touch") return;
    const close = nearest(at.px, at.py, 10);
    if (!close && at.row >= 0) {
      down = { cell: [at.column, at.row], x: event.clientX, y: event.clientY };
      place.setPointerCapture(event.pointerId);
    }
  });
  place.addEventListener("pointerup", () => {
    const done = down;
    down = null;
    if (done && extend && (extend[0] !== cell[0] || extend[1] !== cell[1])) pick();
    extend = null;
  });
  place.addEventListener("click", (event) => {
    const at = cellAt(event);
    const close = at && nearest(at.px, at.py, event.pointerType === "touch" ? 22 : 10);
    if (close) props.open?.(close.exemplar);
  });

  function pick() {
    const [a, b] = [cell, extend ?? cell];
    const [c0, c1, r0, r1] = [Math.min(a[0], b[0]), Math.max(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[1], b[1])];
    const { edges } = props.heatmap;
    props.select?.({ from: props.axis.start + c0 * props.axis.step, to: props.axis.start + (c1 + 1) * props.axis.step, low: edges[r0] ?? 0, high: edges[r1 + 1], text: r0 === r1 ? bucketText(edges, r0, props.heatmap.unit) : `${text(quantity(edges[r0] ?? 0, props.heatmap.unit))} – ${edges[r1 + 1] === null ? "" : text(quantity(edges[r1 + 1], props.heatmap.unit))}` });
  }

  place.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!view) return;
    if (moves[event.key]) {
      event.preventDefault();
      event.stopPropagation();
      if (event.shiftKey) extend ??= cell;
      else extend = null;
      const [dx, dy] = moves[event.key];
      const [column, row] = cell ?? [props.axis.count - 1 - dx, Math.round((view.low + view.high) / 2) - dy];
      cell = [Math.max(0, Math.min(props.axis.count - 1, column + dx)), Math.max(view.low, Math.min(view.high, row + dy))];
      drawOver();
      speak();
    } else if (event.key === "Enter" && cell) {
      event.preventDefault();
      event.stopPropagation();
      pick();
    } else if (event.key === "e") {
      event.preventDefault();
      event.stopPropagation();
      const [px, py] = cell ? [view.left + cell[0] * view.pitch, view.y(view.edges[cell[1]])] : [view.right, TOP];
      const close = nearest(px, py, 1e9);
      if (close) props.open?.(close.exemplar);
    }
  });
  place.addEventListener("blur", () => {
    cell = extend = null;
    if (view) drawOver();
  });

  return drawn(own, (next) => (props = next));
}

function roundUp(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return size * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((m) => m * size >= value * 0.999);
}

/**
 * props: axis, heatmap, lines (p50, p95: { name, values }), exemplars, strips (requests, errors below), chosen (trace id),
 * open(exemplar), select(rectangle), tie() (x of the peek's edge, or null).
 */
export const heatmapPart = (props, label) => part(mount, props, { class: "chart heatmap", tabindex: "0", role: "application", "aria-roledescription": "heatmap", "aria-label": label });

/** Strips that go below a latency heatmap. */
export const requestStrip = (line) => ({ name: "requests", values: line.values, token: "mute", write: (v) => text(rate(v)), last: text(rate(line.last)) });
export const errorStrip = (line) => ({ name: "errors", values: line.values, token: "err", tone: line.status === "ok" ? "" : line.status, least: 0.01, write: (v) => text(percent(v)), last: text(percent(line.last)) });

/** The same as a table: a row a step, with the lines and the fullest bucket. */
export const heatmapTable = ({ axis, heatmap, lines = [], strips = [] }) => dataTable("Calls by time and duration", ["Time", ...[...lines, ...strips].map((l) => l.name), "Most calls in"],
  Array.from({ length: axis.count }, (_, i) => {
    const column = heatmap.counts[i];
    const top = column ? column.indexOf(Math.max(...column)) : -1;
    return [clock((axis.start + i * axis.step) * 1000, "s"), ...lines.map((l) => text(quantity(l.values[i], heatmap.unit))), ...strips.map((l) => (l.values[i] === null ? "–" : l.write(l.values[i]))),
      top >= 0 && column[top] ? `${bucketText(heatmap.edges, top, heatmap.unit)}: ${column[top]}` : "–"];
  }));

/** The ramp with its ends, for the title. */
export function rampKey(largest, what = "calls") {
  const stops = Array.from({ length: 12 }, (_, i) => s("rect", { x: i * 5.5, y: 1, width: 5.6, height: 7, fill: heat(0.14 + 0.86 * ((i / 11) ** 1)) }));
  return h("span", null, "1", s("svg", { width: 66, height: 9, "aria-hidden": "true" }, stops), `${whole(largest)} ${what}`);
}
