// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// A machine in short, its cores as pixels, its GPUs as rows.

import { canvasOf, drawn, h, heat, onWidth, part, s } from "./dom.js";
import { bytes, percent, quantity, shown, text } from "./format.js";
import { bar, severity, spark } from "./marks.js";

/** A small chart with its name and its last value. */
export function tile(label, value, chart, tone = "") {
  return h("figure", null, h("figcaption", null, h("span", null, label), typeof value === "string" ? h("span", { class: `num ${tone}` }, h("b", null, value)) : value), chart);
}

/** "47.2 of 64 GiB": the unit once where it is the same. */
export function ofLimit(value, limit, tone = "") {
  if (!limit) return shown(value, tone);
  const [[number, unit]] = limit;
  const same = unit === value[0][1];
  return h("span", { class: `num ${tone}` }, h("b", null, value[0][0]), h("i", null, same ? "" : ` ${value[0][1]}`, ` of ${number.replace(/\.0+$/, "")} ${unit}`));
}

/** One machine in short: cores, memory, disk, GPUs. */
export function machineTiles(machine) {
  const out = [];
  const last = (line) => line?.last ?? line?.values.findLast((v) => v !== null);
  const area = (line, top) => spark(line.values, { width: 200, height: 39, fluid: true, area: true, base: false, top });
  if (machine.cores || machine.cpu) {
    out.push(tile(machine.core_count ? `CPU, ${machine.core_count} ${machine.core_count === 1 ? "core" : "cores"}` : "CPU", shown(percent(last(machine.cpu), true)),
      machine.cores ? pixels(machine.cores, "CPU per core") : area(machine.cpu, 1)));
  }
  const { memory } = machine;
  if (memory) out.push(tile("Memory", ofLimit(quantity(last(memory), "By"), memory.limit && quantity(memory.limit, "By")), area(memory, memory.limit)));
  if (machine.disk) out.push(tile("Disk", shown(quantity(last(machine.disk), "By/s")), area(machine.disk)));
  for (const gpu of machine.gpus) {
    const hot = gpu.temperature ? [" · ", h("span", { class: gpu.temperature.status === "ok" ? "" : `${gpu.temperature.status} strong` }, text(quantity(last(gpu.temperature), "Cel")))] : [];
    if (gpu.busy) out.push(tile([gpu.name, ...hot], shown(percent(last(gpu.busy), true)), area(gpu.busy, 1)));
  }
  const withMemory = machine.gpus.filter((g) => g.memory);
  if (withMemory.length) {
    const sum = withMemory.reduce((total, g) => total + (last(g.memory) ?? 0), 0);
    out.push(tile("GPU memory", shown(quantity(sum, "By")), h("div", null, withMemory.map((g) => h("div", { class: "gauge" },
      h("i", { style: { width: `${g.memory.limit ? (last(g.memory) / g.memory.limit) * 100 : 0}%` } }), h("span", null, text(quantity(last(g.memory), "By"))), h("span", null, g.name))))));
  }
  return h("div", { class: "machine" }, out);
}

// -- pixels: an ImageData scaled up, which costs the same at any size

const cache = new Map();

function rgb(share) {
  const text = heat(share);
  if (!cache.has(text)) cache.set(text, text.match(/\d+/g).map(Number));
  return cache.get(text);
}

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  place.append(canvas);
  const own = onWidth(place, draw);
  function draw(width) {
    const { rows } = props.data;
    const columns = rows[0]?.values.length ?? 0;
    if (!columns) return;
    const height = Math.max(24, Math.min(props.height ?? 39, rows.length * 20));
    const context = canvasOf(canvas, width, height);
    const image = new ImageData(columns, rows.length);
    rows.forEach((row, y) => row.values.forEach((value, x) => {
      if (value === null) return;
      image.data.set([...rgb(0.05 + 0.75 * Math.max(0, Math.min(1, value))), 255], (y * columns + x) * 4);
    }));
    const small = new OffscreenCanvas(columns, rows.length);
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, width, height);
    const each = height / rows.length;
    if (each >= 4) for (let y = 1; y < rows.length; y++) context.clearRect(0, Math.round(y * each), width, 1);
  }
  return drawn(own, (next) => (props = next));
}

/** Rows of shares 0 to 1. */
export const pixels = (data, label, height) => part(mount, { data, height }, { class: "chart", role: "img", "aria-label": `${label}: ${data.rows.length} rows` });

// -- GPUs, with the device's own limits dotted; a reading that no device gives has no column

const last = (line) => line?.last ?? line?.values.findLast((v) => v !== null) ?? null;
const ownTone = (line) => (line.status === "ok" ? "" : line.status);

function limited(line, top, note) {
  const tone = ownTone(line);
  const most = top ?? Math.max(line.limit ?? 0, ...line.values.map((v) => v ?? 0)) * 1.08;
  return h("div", { class: "gpucell" }, h("div", { class: "limited" }, spark(line.values, { width: 117, height: 34, tone, top: most }),
    line.limit && note ? [s("svg", { class: "limit", width: 117, height: 34, "aria-hidden": "true" }, s("line", { x1: 0, x2: 117, y1: 34 - (line.limit / most) * 30, y2: 34 - (line.limit / most) * 30, stroke: "var(--t3)", "stroke-dasharray": "2 3" })), h("small", null, note)] : null),
    shown(quantity(last(line), line.unit), tone));
}

/** A table of GPUs. */
export function gpuTable(gpus, narrow) {
  const columns = [
    ["busy", "Busy", (g) => h("div", { class: "gpucell" }, spark(g.busy.values, { width: 117, height: 34, top: 1 }), shown(percent(last(g.busy), true)))],
    ["memory", "Memory", (g) => h("div", { class: "gpucell" }, h("div", { class: "gpubar" }, g.memory.limit ? bar([[last(g.memory), "mute", "used"], [Math.max(0, g.memory.limit - last(g.memory)), "line2", "free"]], 1, `${text(bytes(last(g.memory)))} of ${text(bytes(g.memory.limit))}`) : null), shown(bytes(last(g.memory))))],
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
