// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Any metric, opened as what it is, split by any of its labels.

import { h } from "../dom.js";
import { brief, kindName, plural, quantity, shown, unitName, whole } from "../format.js";
import { heatmapPart, heatmapTable, rampKey } from "../heatmap.js";
import { asTables, copy } from "../keyboard.js";
import { key } from "../marks.js";
import { lineFigure } from "../plot.js";
import { figuresList, note, quantileText } from "../rows.js";
import { change, here, openTrace, partOf, route, segment, withPart } from "../state.js";

export const title = (at) => at.name;
export const compared = true;
export function path(at, context) {
  return { path: `metrics/${segment(at.name)}`, parameters: { by: at.query.get("by"), view: at.query.get("view"), quantile: at.query.get("quantile"), columns: context.narrow() ? 60 : 180, ...(wantsHeatmap(at) ? { columns: context.narrow() ? 45 : 90 } : {}) } };
}
const wantsHeatmap = (at) => !at.query.get("view") || at.query.get("view") === "heatmap";

const VIEWS = {
  counter: ["rate", "increase"], up_down_counter: ["value"], gauge: ["value"], summary: ["value"],
  histogram: ["heatmap", "quantile", "count"], exponential_histogram: ["heatmap", "quantile", "count"],
};

function choices(data) {
  const views = VIEWS[data.kind] ?? [];
  const option = (value, label, chosen) => h("option", { value, selected: chosen }, label);
  const labels = data.labels.filter((l) => l.cardinality > 1 || l.name === data.by);
  return h("div", { class: "chips", key: "choices" },
    views.length > 1 ? views.map((view) => h("a", { class: "chip", href: here({ view: view === views[0] ? null : view }), "aria-current": data.view === view ? "true" : null }, view)) : null,
    data.view === "quantile" ? h("select", { "aria-label": "Quantile", on: { change: (e) => change({ quantile: e.currentTarget.value }) } }, [0.5, 0.9, 0.95, 0.99].map((q) => option(q, `p${q * 100}`, String(q) === (route().query.get("quantile") ?? "0.95")))) : null,
    data.view !== "heatmap" && labels.length ? h("label", null, h("span", { class: "quiet" }, "split by "), h("select", { "aria-label": "Split by", on: { change: (e) => change({ by: e.currentTarget.value || null }) } }, option("", "nothing", !data.by), labels.map((l) => option(l.name, `${l.name} (${whole(l.cardinality)})`, l.name === data.by)))) : null);
}

const unitOf = (data) => data.lines[0]?.unit ?? data.unit;

function chart(data, context) {
  const { axis } = data.range;
  const tools = h("span", { class: "tools2" }, h("button", { type: "button", on: { click: () => copy(data.promql, "PromQL") } }, "Copy PromQL"));
  if (data.heatmap) {
    const props = { axis, heatmap: data.heatmap, lines: context.over(data.lines.slice(0, 2).filter((l) => /^p\d/.test(l.name)), (then) => then.lines), exemplars: data.exemplars, chosen: route().query.get("trace"), open: openTrace, what: "observations", height: context.narrow() ? 240 : 320 };
    return h("figure", { "data-promql": data.promql, key: "heat" }, h("div", { class: "title" }, h("h2", null, "Distribution"), h("span", { class: "sub" }, `one cell: ${brief(axis.step)} × one bucket`), h("span", { class: "key" }, data.exemplars.length ? key([["ring", "exemplar"]]) : null, rampKey(data.heatmap.largest, "")), tools),
      h("figcaption", { class: "unseen" }, `Distribution of ${data.name} over time`), heatmapPart(props, `${data.name} over time. Arrow keys move between cells.`), asTables() ? heatmapTable(props) : null);
  }
  const what = { rate: "a second", increase: `per ${brief(axis.step)}`, value: "as reported", count: "observations a second", quantile: `p${Number(route().query.get("quantile") ?? 0.95) * 100}` }[data.view] ?? data.view;
  return lineFigure(data.by ? `By ${data.by}` : data.view === "rate" ? "Rate" : "Value", what, axis, context.over(data.lines, (then) => then.lines), { unit: unitOf(data), height: 320, promql: data.promql, tools, live: data.range.live });
}

function labels(data) {
  if (!data.labels.length) return null;
  const only = (name, value) => change({ q: withPart(route().query.get("q"), partOf(name, value)) });
  return h("section", { class: "section", key: "labels" }, h("div", { class: "title" }, h("h2", null, "Labels"), h("span", { class: "sub" }, "and how many values each has")),
    h("div", { class: "cards" }, data.labels.map((label) => h("div", null,
      h("div", { class: "pairline" }, h("code", { class: "strong" }, label.name), h("span", { class: "quiet" }, `${plural(label.cardinality, "value")}${label.resource ? ", resource" : ""}`)),
      h("ul", null, label.top.slice(0, 6).map((v) => h("li", { class: "pairline" }, h("button", { type: "button", class: "cut", title: `only ${v.value}`, on: { click: () => only(label.name, v.value) } }, v.value || "(empty)"), h("span", { class: "quiet num" }, `${whole(v.series)} series`))))))));
}

export function draw(data, context) {
  context.peek(data.exemplars ?? []);
  const quantiles = Object.entries(data.quantiles);
  const last = data.lines.find((l) => l.total) ?? (data.lines.length === 1 ? data.lines[0] : null);
  return {
    title: data.name,
    verdict: data.description,
    children: [
      figuresList([
        quantiles.length ? null : last ? [quantity(last.last, last.unit), "now"] : null,
        ...quantiles.map(([name, q]) => [unitOf(data) === "s" ? h("span", { class: "num" }, h("b", null, quantileText(q))) : shown(quantity(q.value, data.unit)), name]),
        [[[whole(data.series), ""]], "series"],
        [h("span", { class: "plainfig" }, kindName(data.kind)), `${unitName(data.unit)}${data.temporality === "none" ? "" : `, ${data.temporality}`}`],
        [h("code", { class: "plainfig" }, data.prometheus), "on Prometheus"],
      ]),
      choices(data), chart(data, context), data.note ? note(data.note) : null, labels(data),
    ],
  };
}

