// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// What otelkit costs, dropped and refused; which label explodes.

import { h } from "../dom.js";
import { bytes, clock, count, duration, figures, shown, text, whole } from "../format.js";
import { lineFigure } from "../plot.js";
import { cols, figuresList, findingRow, note, quantile } from "../rows.js";
import { segment, to } from "../state.js";

export const title = () => "otelkit itself";
export const compared = true;
export const path = (_at, context) => ({ path: "otelkit", parameters: { columns: context.narrow() ? 60 : 180 } });
const share = (v) => (v === null ? [["–", ""]] : [[figures(v * 100, 2), "% of a core"]]);
const right = (t) => h("th", { class: "right", scope: "col" }, t);

function losses(rows) {
  if (!rows.length) return h("section", { class: "section" }, h("div", { class: "title" }, h("h2", null, "Lost")), note("Nothing was dropped, refused or put into an overflow series in this range."));
  return h("section", { class: "section" }, h("table", null, h("caption", { class: "unseen" }, "What was lost"), cols("12%", "24%", null, "18%", "12%"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, "Lost")), h("th", { scope: "col" }, "Of"), h("th", { scope: "col" }, "Why"), h("th", { scope: "col" }, "By"), right("Items"))),
    h("tbody", null, rows.map((l) => h("tr", null, h("td", null, l.what), h("td", null, h("code", null, l.item)), h("td", { title: l.reason }, l.reason), h("td", null, l.sender), h("td", { class: "right" }, shown([[whole(l.count), ""]], "err")))))));
}

function exportsTable(rows, narrow) {
  if (!rows.length) return null;
  return h("section", { class: "section" }, h("table", null, h("caption", { class: "unseen" }, "Exports"), narrow ? cols(null, 90, 80) : cols("20%", "16%", null, "12%", "14%", "12%"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, "Exports")), h("th", { scope: "col" }, "By"), narrow ? null : h("th", { scope: "col" }, "Outcomes"), right("p95"), narrow ? null : [right("Queue"), right("Buffer")])),
    h("tbody", null, rows.map((e) => h("tr", null, h("td", { class: "name" }, e.sender), h("td", null, e.exporter), narrow ? null : h("td", null, Object.entries(e.outcomes).map(([name, n], i) => [i ? ", " : "", h("span", { class: name === "success" ? "" : "err" }, `${name} ${whole(n)}`)])),
      h("td", { class: "right" }, quantile(e.p95)), narrow ? null : [h("td", { class: "right" }, e.queue === null ? "–" : h("span", { class: "num" }, h("b", null, whole(e.queue)), h("i", null, e.queue_limit ? ` of ${whole(e.queue_limit)}` : ""))), h("td", { class: "right" }, shown(bytes(e.buffer_bytes)))])))));
}

function explosions(rows) {
  if (!rows.length) return null;
  return h("section", { class: "section" }, h("div", { class: "title" }, h("h2", null, "Labels that explode"), h("span", { class: "sub" }, "metrics with very many label sets")), h("ul", null, rows.map((e) => h("li", { class: "pairline" }, h("span", null, h("a", { class: "name", href: to(`metrics/${segment(e.metric)}`) }, e.metric), h("span", { class: "sub" }, `${text(count(e.series))} label sets: `, h("code", null, e.label), ` has ${text(count(e.values))} values, such as ${e.examples.slice(0, 3).join(", ")}`))))));
}

function kept(k) {
  const limit = [k.limit_age_s ? text(duration(k.limit_age_s)) : "", k.limit_bytes ? text(bytes(k.limit_bytes)) : ""].filter(Boolean).join(" or ");
  return h("section", { class: "section" }, h("div", { class: "title" }, h("h2", null, "Kept"), h("span", { class: "sub" }, [k.folder ?? "in memory", limit ? `at most ${limit}` : "", k.oldest ? `oldest ${clock(k.oldest * 1000)}` : ""].filter(Boolean).join(", "))),
    figuresList([[count(k.spans), "spans"], [count(k.traces), "traces"], [count(k.series), "series"], [count(k.points), "points"], [bytes(k.bytes), "on disk"]]));
}

export function draw(data, context) {
  const { own, range } = data;
  const narrow = context.narrow();
  const more = { live: range.live, height: 150, labels: !narrow };
  return {
    title: data.headline.text || "otelkit itself",
    verdict: data.headline.note,
    children: [
      figuresList([own.cpu === null ? null : [share(own.cpu), "otelkit in all programs"], own.viewer_cpu === null ? null : [share(own.viewer_cpu), "this viewer"], own.viewer_memory === null ? null : [bytes(own.viewer_memory), "its memory"], [[[whole(own.dropped), ""]], "items dropped or refused", own.dropped ? "err" : ""]]),
      data.findings.length ? h("section", { class: "findings section" }, data.findings.map((f) => findingRow(f))) : null,
      h("div", { class: "columns section rowgap" }, data.cpu.length ? lineFigure("CPU", "of one core, by activity", range.axis, context.over(data.cpu, (then) => then.cpu), { unit: "1", ...more }) : null, data.memory ? lineFigure("Memory", "of this viewer", range.axis, context.over([data.memory], (then) => [then.memory]), { unit: "By", area: true, ...more }) : null),
      losses(data.losses), exportsTable(data.exports, narrow), explosions(data.explosions), kept(data.kept),
      (context.frame?.limits ?? []).map((t) => note(t)),
    ].flat(),
  };
}

