// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The small marks: sparkline, dumbbell, bars, severity. All of them SVG or plain boxes, none with a life of its own.

import { h, s } from "./dom.js";

/** ◆ of an error, ▲ of a warning; with a word for those who hear. */
export function severity(level, size = 10) {
  if (!level) return null;
  const shape = level === "err" ? "M5 0 10 5 5 10 0 5Z" : "M5 .5 10 9.5H0Z";
  return s("svg", { class: "mark", viewBox: "0 0 10 10", width: size, height: size, role: "img", "aria-label": level === "err" ? "severe" : "warning" },
    s("path", { class: `m-${level}`, d: shape }));
}

function segments(values, x, y) {
  let path = "";
  let open = false;
  values.forEach((value, i) => {
    if (value === null || value === undefined) {
      open = false;
      return;
    }
    path += `${open ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    if (!open && (values[i + 1] === null || values[i + 1] === undefined)) path += "h.5";
    open = true;
  });
  return path;
}

/**
 * A line from zero over its usual band. `values` has a null where nothing was measured. Fluid ones fill their place;
 * `dot` marks the last value (fixed width only).
 */
export function spark(values, { width = 82, height = 20, tone = "", usual = null, area = false, base = true, dot = false, fluid = false, top = null } = {}) {
  const known = (values ?? []).filter((v) => v !== null && v !== undefined);
  const most = top ?? Math.max(0, ...known, usual ? usual[1] : 0);
  const inner = width - (dot ? 4 : 0);
  const x = (i) => (values.length > 1 ? (i / (values.length - 1)) * inner : inner / 2);
  const y = (v) => height - 1.5 - (most > 0 ? Math.max(0, Math.min(1, v / most)) * (height - 4) : 0);
  const line = known.length ? segments(values, x, y) : "";
  const last = values?.at(-1);
  return s("svg", {
      class: `spark ${tone}`, "aria-hidden": "true", height, width: fluid ? "100%" : width, viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: fluid ? "none" : null },
    usual ? s("rect", { class: "band", x: 0, width: inner, y: y(usual[1]), height: Math.max(2, y(usual[0]) - y(usual[1])) }) : null,
    area && line ? areas(values, x, y, height) : null,
    base ? s("line", { class: "base", x1: 0, x2: inner, y1: height - 0.5, y2: height - 0.5 }) : null,
    line ? s("path", { class: "l", d: line }) : null,
    dot && last !== null && last !== undefined ? s("circle", { cx: inner, cy: y(last), r: 2.5 }) : null);
}

function areas(values, x, y, height) {
  const out = [];
  let from = -1;
  for (let i = 0; i <= values.length; i++) {
    const known = values[i] !== null && values[i] !== undefined;
    if (known && from < 0) from = i;
    if (!known && from >= 0) {
      const line = values.slice(from, i).map((v, k) => `L${x(from + k).toFixed(1)} ${y(v).toFixed(1)}`).join("");
      out.push(s("path", { class: "area", d: `M${x(from).toFixed(1)} ${height}${line}L${x(i - 1).toFixed(1)} ${height}Z` }));
      from = -1;
    }
  }
  return out;
}

/** Share of the way from `low` to `high` on a log axis. */
export const logShare = (value, low, high) => Math.max(0, Math.min(1, Math.log(value / low) / Math.log(high / low)));

/** Round bounds for a shared log axis around all `values` (seconds): whole decades. */
export function decades(values) {
  const known = values.filter((v) => v > 0);
  if (!known.length) return [0.001, 10];
  const low = 10 ** Math.floor(Math.log10(Math.min(...known)) + 1e-9);
  const high = 10 ** Math.ceil(Math.log10(Math.max(...known)) - 1e-9);
  return [low, high <= low ? low * 10 : high];
}

/** p50 to p95 on the shared log axis, over the usual p95. */
export function dumbbell({ p50, p95, usual, tone = "" }, [low, high], height = 40) {
  const at = (v) => `${(logShare(v, low, high) * 100).toFixed(2)}%`;
  const mid = height / 2;
  const grid = [];
  for (let v = low; v <= high * 1.0001; v *= 10) grid.push(s("line", { class: "grid", x1: at(v), x2: at(v), y1: 0, y2: height }));
  const band = usual && usual[1] > 0 ? logShare(usual[1], low, high) - logShare(Math.max(usual[0], low), low, high) : 0;
  return s("svg", { class: `bell ${tone}`, width: "100%", height, "aria-hidden": "true", overflow: "visible" }, grid,
    usual ? s("rect", { class: "usual", x: at(Math.max(usual[0], low)), width: `${Math.max(0.8, band * 100)}%`, y: mid - 7, height: 14, rx: 3 }) : null,
    p50 > 0 && p95 > 0 ? [
      s("line", { x1: at(p50), x2: at(p95), y1: mid, y2: mid }),
      s("circle", { class: "p50", cx: at(p50), cy: mid, r: 3 }),
      s("circle", { class: "p95", cx: at(p95), cy: mid, r: 4 })] : null);
}

/** Parts beside each other: [[value, tone, name]]; as wide as its place, or as `share` of it. */
export function bar(parts, share = 1, label = "") {
  const present = parts.filter(([value]) => value > 0);
  const sum = present.reduce((total, [value]) => total + value, 0);
  return h("div", { class: `bar ${present.length ? "" : "empty"}`, role: "img", "aria-label": label || present.map(([v, , n]) => `${n} ${v}`).join(", "), style: { width: `${share * 100}%` } },
    present.map(([value, tone, name]) => h("i", { class: `c-${tone}`, title: name, style: { "flex-grow": (value / sum) * 100 } })));
}

/** The key of repeated marks: ["ring" | "dot" | "band" | "diamond" | "line", label]. */
export function key(entries) {
  const shapes = {
    ring: () => s("circle", { cx: 5, cy: 5, r: 3.2, fill: "none", stroke: "currentColor", "stroke-width": 1.6 }),
    dot: () => s("circle", { cx: 5, cy: 5, r: 4, fill: "currentColor" }),
    band: () => s("rect", { x: -3, y: -1, width: 16, height: 12, rx: 3, fill: "var(--line)" }),
    diamond: () => s("path", { class: "m-err", d: "M5 0 10 5 5 10 0 5Z" }),
    line: () => s("path", { d: "M-2 5H12", stroke: "currentColor", "stroke-width": 1.5 }),
  };
  return h("span", { class: "key" }, entries.map(([shape, label]) =>
    h("span", null, s("svg", { width: 10, height: 10, "aria-hidden": "true" }, shapes[shape]()), label)));
}

/** Edges as drawn: open ends closed by a bucket as wide as its neighbour, on the log axis. */
export function closedEdges(edges) {
  const out = [...edges];
  const n = out.length;
  if (!(out[0] > 0)) out[0] = out[1] / (n > 2 && out[2] > 0 ? Math.min(10, Math.max(1.5, out[2] / out[1])) : 2);
  if (out[n - 1] === null) out[n - 1] = out[n - 2] * (n > 2 ? Math.max(1.2, Math.min(3, out[n - 2] / out[n - 3])) : 2);
  return out;
}
