// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// GPUs as rows, with the device's own limits dotted. A reading that no device gives has no column.

import { h, s } from "./dom.js";
import { bytes, percent, quantity, shown, text } from "./format.js";
import { bar, severity, spark } from "./marks.js";

const lastOf = (line) => line?.last ?? line?.values.findLast((v) => v !== null) ?? null;
const toneOf = (line) => (line.status === "ok" ? "" : line.status);

function limited(line, top, note) {
  const tone = toneOf(line);
  const most = top ?? Math.max(line.limit ?? 0, ...line.values.map((v) => v ?? 0)) * 1.08;
  return h("div", { class: "gpucell" }, h("div", { class: "limited" }, spark(line.values, { width: 117, height: 34, tone, top: most }),
    line.limit && note ? [s("svg", { class: "limit", width: 117, height: 34, "aria-hidden": "true" }, s("line", { x1: 0, x2: 117, y1: 34 - (line.limit / most) * 30, y2: 34 - (line.limit / most) * 30, stroke: "var(--t3)", "stroke-dasharray": "2 3" })), h("small", null, note)] : null),
    shown(quantity(lastOf(line), line.unit), tone));
}

/** A table of GPUs. */
export function gpuTable(gpus, narrow) {
  const columns = [
    ["busy", "Busy", (g) => h("div", { class: "gpucell" }, spark(g.busy.values, { width: 117, height: 34, top: 1 }), shown(percent(lastOf(g.busy), true)))],
    ["memory", "Memory", (g) => h("div", { class: "gpucell" }, h("div", { class: "gpubar" }, g.memory.limit ? bar([[lastOf(g.memory), "mute", "used"], [Math.max(0, g.memory.limit - lastOf(g.memory)), "line2", "free"]], 1, `${text(bytes(lastOf(g.memory)))} of ${text(bytes(g.memory.limit))}`) : null), shown(bytes(lastOf(g.memory))))],
    ["clock", "SM clock", (g) => limited(g.clock)],
    ["temperature", "Temperature", (g) => limited(g.temperature, null, g.temperature.limit && `slows at ${text(quantity(g.temperature.limit, "Cel"))}`)],
    ["power", "Power", (g) => limited(g.power, null, g.power.limit && `cap ${text(quantity(g.power.limit, "W"))}`)],
  ].filter(([name]) => gpus.some((g) => g[name])).slice(0, narrow ? 2 : 5);
  const sizes = new Set(gpus.map((g) => g.memory?.limit).filter(Boolean));
  return h("table", { class: "gpus" }, h("caption", { class: "unseen" }, "GPUs"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, "GPUs")), columns.map(([name, label]) => h("th", { scope: "col" }, name === "memory" && sizes.size === 1 ? `Memory of ${text(bytes([...sizes][0])).replace(/\.0+(?=\D)/, "")}` : label)))),
    h("tbody", null, gpus.map((g) => h("tr", { key: g.id, "data-row": "1" },
      h("td", null, h("div", { class: "who" }, h("span", { class: "name" }, g.status === "ok" ? null : [severity(g.status), " "], g.name), h("small", null, g.model), g.throttled.length ? h("small", { class: "warn" }, `throttled: ${g.throttled.join(", ")}`) : null)),
      columns.map(([name, , cell]) => h("td", null, g[name] ? cell(g) : h("span", { class: "quiet", title: "this device does not give it" }, "–")))))));
}
