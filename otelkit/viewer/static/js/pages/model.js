// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// One model: what limits its throughput; data, host, transfer or device.

import { h } from "../dom.js";
import { brief, clock, duration, figures, percent, rate, shown, text, ticks, whole } from "../format.js";
import { histogram, histogramTable } from "../histogram.js";
import { asTables } from "../keyboard.js";
import { lanes } from "../lanes.js";
import { gpuTable } from "../machine.js";
import { lineFigure } from "../plot.js";
import { figuresList, findingRow, hueOf, note, sentence } from "../rows.js";
import { go, segment, to } from "../state.js";

export const title = (at) => at.name;
export const compared = true;
export const path = (at, context) => ({ path: `inference/${segment(at.name)}`, parameters: { columns: context.narrow() ? 60 : 180 } });

const TOKENS = { mute: "mute", "host-a": "host-a", "host-b": "host-b", transfer: "transfer", data: "data", dim: "data-dim" };

function numbers(data) {
  const { row } = data;
  const usual = row.usual_items_per_s;
  const [items] = rate(row.items_per_s);
  return figuresList([
    [[[items[0], items[1] === "/s" ? "items/s" : "items/min"]], usual ? `throughput, usual ${rate(usual.middle)[0][0]}` : "throughput"],
    row.p95 ? [h("span", { class: "num" }, shown(duration(row.p95.value))), `p95 of a batch${row.p95.approximate ? ", ≈" : ""}`] : null,
    row.mean === null ? null : [duration(row.mean), "mean of a batch"],
    data.energy ? [[[figures(data.energy), "items/J"]], "energy"] : null,
    data.cache_hits === null ? null : [percent(data.cache_hits), "cache hits"],
    row.errors ? [[[whole(row.errors), ""]], row.errors === 1 ? "error" : "errors", "err"] : null,
  ], true, row.verdict.length ? h("p", { class: "side" }, sentence(row.verdict)) : null);
}

let heat = null;
/** The heatmap's module, for models without phases and for those that generate. */
function heatmapOf(props, label, unit, context) {
  if (!heat) {
    import("../heatmap.js").then((module) => {
      heat = module;
      context.draw();
    });
    return null;
  }
  const sub = `one cell: ${brief(props.axis.step)} × one bucket`;
  return h("figure", null, h("div", { class: "title" }, h("h2", null, label), h("span", { class: "sub" }, sub), h("span", { class: "key" }, heat.rampKey(props.heatmap.largest, unit))), heat.heatmapPart({ ...props, what: unit }, label), asTables() ? heat.heatmapTable(props) : null);
}

function time(data, more, context) {
  const { axis } = data.range;
  const phases = data.phases.filter((p) => p.line);
  if (data.generation?.first_token) {
    const g = data.generation;
    return heatmapOf({ axis, heatmap: g.first_token, lines: [g.first_token_p95, g.first_token_p50].filter(Boolean), height: 196 }, "Time to first token", "requests", context);
  }
  if (!phases.length) {
    if (!data.latency) return null;
    return heatmapOf({ axis, heatmap: data.latency, lines: data.p50 ? [data.p50] : [], height: 196 }, "Time of a batch", "batches", context);
  }
  const size = data.batch_size?.mean ? ` of ${whole(data.batch_size.mean)}` : "";
  return lineFigure("Where a batch’s time goes", `mean per batch${size}, stacked`, axis, phases.map((p) => ({ ...p.line, name: p.phase === "wait" ? "wait for data" : p.phase, token: TOKENS[hueOf(p)] })), { ...more, unit: "s", stacked: true, hatched: data.warmup });
}

function work(data) {
  if (!data.lanes) return data.absent.map((t) => note(t));
  const { start, duration: length, lanes: list, sentence: said } = data.lanes;
  const unit = length < 1 ? 1e3 : 1;
  return h("figure", null, h("div", { class: "title" }, h("h2", null, "Wait against work"), h("span", { class: "sub" }, `${brief(length)} at ${clock(start * 1000, "s")}`), h("span", { class: "sub" }, sentence(said))),
    h("figcaption", { class: "unseen" }, list.map((l) => `${l.name} ${text(percent(l.busy))} busy`).join(", ")),
    lanes({
      from: 0, to: length, lines: true, pitch: 36,
      ticks: (width) => { const values = ticks(0, length * unit, Math.max(2, Math.min(6, Math.floor(width / 110)))); return values.map((v, i) => [v / unit, i === values.length - 1 ? brief(v / unit) : String(Number(v.toPrecision(3)))]); },
      lanes: list.map((lane) => ({ name: lane.name, busy: lane.busy, blocks: lane.blocks.map((b) => ({ start: b.start, end: b.end, token: TOKENS[hueOf({ ...b, phase: b.kind })], tip: () => [`${b.kind} ${text(duration(b.end - b.start))}`, lane.note].filter(Boolean), open: b.trace_id ? () => go(to(`traces/${b.trace_id}`)) : null })) })),
    }, "Wait against work: arrow keys move from block to block"));
}

function sizes(batch) {
  if (!batch) return null;
  const props = { histogram: batch.histogram, labels: "bars", shares: true, write: (v) => String(Number(v.toPrecision(4))) };
  const said = [batch.full_share === null ? "" : `full ${text(percent(batch.full_share, true))} of the time`, batch.padding === null ? "" : `padding is ${text(percent(batch.padding, true))}`].filter(Boolean).join("; ");
  return h("figure", null, h("div", { class: "title" }, h("h2", null, "Batch size"), h("span", { class: "sub" }, `${whole(batch.histogram.total)} batches`)), h("figcaption", { class: "sub" }, said), histogram(props, `Batch size: ${said}`), asTables() ? histogramTable(props) : null);
}

export function draw(data, context) {
  const { axis } = data.range;
  const narrow = context.narrow();
  const more = { live: data.range.live, height: 236, labels: !narrow };
  const lines = context.over(data.throughput, (then) => then.throughput);
  return {
    title: data.row.model,
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(" · ") || [data.row.engine, ...data.programs].join(" · "),
    children: [
      numbers(data),
      data.findings.length ? h("section", { class: "findings section", key: "findings" }, data.findings.slice(0, 3).map((f) => findingRow(f))) : null,
      h("div", { class: "columns section rowgap", key: "charts" }, lines.length ? lineFigure("Throughput", "items per second", axis, lines, { ...more, unit: "/s", hatched: data.warmup, brief: (v) => whole(v) }) : null, time(data, more, context)),
      data.generation?.tokens.length ? h("section", { class: "section" }, lineFigure("Tokens", "per second", axis, data.generation.tokens, { ...more, unit: "/s" })) : null,
      h("div", { class: "columns wide section rowgap", key: "work" }, h("div", null, work(data)), sizes(data.batch_size)),
      data.lanes ? data.absent.map((t) => note(t)) : null,
      data.gpus.length ? h("section", { class: "section", key: "gpus" }, gpuTable(data.gpus, narrow)) : null,
    ].flat(),
  };
}
