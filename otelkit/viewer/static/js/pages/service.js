// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// One service: its actions; of the chosen one latency, requests and errors on one axis; a trace beside it.

import { h } from "../dom.js";
import { brief, percent, plural, shown, text, whole } from "../format.js";
import { errorStrip, heatmapPart, heatmapTable, rampKey, requestStrip } from "../heatmap.js";
import { asTables } from "../keyboard.js";
import { key, severity, spark } from "../marks.js";
import { cols, perSecond, plainText, quantile, quantileText, toneOf } from "../rows.js";
import { change, here, openTrace, route, segment } from "../state.js";

let unfolded = false;
export const title = (at) => at.name;
export const compared = true;
export const opened = () => (unfolded = false);

export function path(at, context) {
  return { path: `services/${segment(at.name)}`, parameters: { columns: context.narrow() ? 45 : 90, action: at.query.get("action"), failures: at.query.get("failures") ? "true" : null } };
}

function actionRow(row, chosen, narrow, most, context) {
  const [tone, errorTone] = [toneOf(row, "p95"), toneOf(row, "error_share")];
  const select = (event) => {
    if (event.target.closest("a") || getSelection().toString()) return;
    change({ action: row.action, trace: null, span: null });
  };
  return h("tr", { class: "pick", "data-row": "1", key: row.action, "aria-selected": row.action === chosen ? "true" : "false", on: { click: select } },
    h("td", null, row.status !== "ok" ? severity(row.status) : null),
    h("td", null, h("a", { class: "name", href: here({ action: row.action, trace: null, span: null }), "aria-current": row.action === chosen ? "true" : null }, row.label)),
    narrow ? null : h("td", null, spark(row.requests.values, { width: 64, height: 18 })),
    h("td", { class: "right" }, perSecond(row.rate, toneOf(row, "rate"))),
    narrow ? null : h("td", { class: "right" }, h("div", { class: "pushright" }, spark(row.errors.values, { width: 50, height: 18, tone: errorTone, top: errorTone ? null : most }))),
    h("td", { class: "right" }, shown(percent(row.error_share), errorTone)),
    narrow ? null : h("td", { class: "right" }, quantile(row.p50)),
    h("td", { class: "right" }, quantile(row.p95, tone)),
    context.against && !narrow ? h("td", { class: "right" }, context.difference(row, context.against.actions.find((each) => each.action === row.action))) : null,
    narrow ? null : [h("td", { class: "right" }, quantile(row.p99)),
      h("td", { class: "right" }, row.active === null ? h("span", { class: "quiet" }, "–") : shown([[whole(row.active), ""]]))]);
}

function actions(data, context) {
  const narrow = context.narrow();
  const chosen = data.chosen?.action;
  const busy = data.actions.filter((a) => !a.quiet || a.action === chosen);
  const quiet = data.actions.filter((a) => a.quiet && a.action !== chosen);
  const right = (label) => h("th", { class: "right", scope: "col" }, label);
  const most = Math.max(0.02, ...data.actions.filter((a) => !a.abnormal.length).flatMap((a) => a.errors.values.map((v) => v ?? 0)));
  const toggle = () => {
    unfolded = !unfolded;
    context.draw();
  };
  return h("table", { class: "bleed actions", key: "actions" }, h("caption", { class: "unseen" }, `Actions of ${data.name}`),
    narrow ? cols(22, null, 70, 70, 78) : cols(24, null, "9%", "7%", "9%", "9%", "10%", "10%", ...(context.against ? ["9%"] : []), "10%", "8%"),
    h("thead", null, h("tr", null, h("th", null, h("span", { class: "unseen" }, "Finding")), h("th", { scope: "col" }, "Action"), narrow ? right("Rate") : h("th", { class: "right", scope: "col", colspan: 2 }, "Requests per s"), narrow ? right("Errors") : h("th", { class: "right", scope: "col", colspan: 2 }, "Errors"), narrow ? null : right("p50"), right("p95"), context.against && !narrow ? right("Change") : null, narrow ? null : [right("p99"), right("Active")])),
    h("tbody", null, busy.map((row) => actionRow(row, chosen, narrow, most, context)), unfolded ? quiet.map((row) => actionRow(row, chosen, narrow, most, context)) : null,
      quiet.length ? h("tr", { class: "fold", key: "fold" }, h("td"), h("td", { colspan: narrow ? 4 : context.against ? 10 : 9 }, h("button", { type: "button", "data-row": "1", "aria-expanded": unfolded ? "true" : "false", on: { click: toggle } }, plural(quiet.length, "quiet action")))) : null));
}

function latency(data, context) {
  const { chosen, range } = data;
  const { axis } = range;
  const failures = route().query.get("failures");
  const head = (sub, extra) => h("div", { class: "title" }, h("h2", null, `${failures ? "Failed calls" : "Latency"} of ${chosen.label}`), h("span", { class: "sub" }, sub), extra,
    h("span", { class: "tools2" }, h("button", { type: "button", "aria-pressed": failures ? "true" : "false", on: { click: () => change({ failures: failures ? null : "1" }) } }, "failures only")));
  if (!chosen.heatmap) return h("section", { class: "section", key: "latency" }, head("no histogram was reported for it", null));
  const { heatmap } = chosen;
  const row = data.actions.find((a) => a.action === chosen.action);
  const lines = [{ name: "p95", values: chosen.p95.values, shown: row && !failures ? quantileText(row.p95) : null }, { name: "p50", values: chosen.p50.values, shown: row && !failures ? quantileText(row.p50) : null }];
  const then = context.against?.chosen?.action === chosen.action ? context.against.chosen : null;
  if (then) lines.push(...["p95", "p50"].map((name) => ({ name: `${name}, then`, values: then[name].values, then: true })));
  const strips = [{ ...requestStrip(chosen.requests), last: row ? text(rateOf(row)) : "", then: then?.requests.values }, { ...errorStrip(chosen.errors), last: row ? text(percent(row.error_share)) : "", then: then?.errors.values }];
  const props = {
    axis, heatmap, lines, strips, exemplars: chosen.exemplars, chosen: route().query.get("trace"), tie: context.peekEdge, height: context.narrow() ? 220 : 276,
    open: openTrace,
    select: (cell) => context.openCell({ service: data.name, action: chosen.action, from: cell.from, to: cell.to, low: cell.low, high: cell.high }, cell.text),
  };
  const sub = `one cell: ${brief(axis.step)} × one bucket${heatmap.every ? `; reported every ${brief(heatmap.every)}` : ""}`;
  const p95 = row?.p95 ? `p95 ${quantileText(row.p95)}` : "";
  return h("section", { class: "section", key: "latency" },
    head(sub, h("span", { class: "key" }, key([["ring", "exemplar"], ["diamond", "failed"]]), rampKey(heatmap.largest))),
    h("figure", { "data-promql": chosen.promql.p95 ?? null }, h("figcaption", { class: "unseen" }, `Latency of ${chosen.label}: ${p95}, ${row ? plural(row.calls, "call") : ""}`),
      heatmapPart(props, `Latency of ${chosen.label} over time. Arrow keys move between cells, Enter lists the traces of a cell, e opens the nearest exemplar, v shows a table.`),
      asTables() ? heatmapTable({ axis, heatmap, lines, strips }) : null),
    chosen.error_types.length ? h("p", { class: "note" }, "Failed as ", chosen.error_types.slice(0, 5).map((e, i) => [i ? ", " : "", h("b", null, e.type), ` ${whole(e.count)}×`])) : null);
}

const rateOf = (row) => (row.rate === null ? [["–", ""]] : [[row.rate >= 1000 ? whole(row.rate) : row.rate >= 0.1 ? shownRate(row.rate) : shownRate(row.rate * 60), row.rate >= 0.1 ? "/s" : "/min"]]);
const shownRate = (v) => (v >= 100 ? whole(v) : v >= 10 ? v.toFixed(1) : v.toFixed(2));

export function draw(data, context) {
  context.peek(data.chosen?.exemplars ?? []);
  const children = [actions(data, context), data.chosen ? latency(data, context) : null];
  return { title: data.name, verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", ") || plainText(data.findings[0]?.sentence ?? []), children };
}
