// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The catalogue of metrics.

import { h } from "../dom.js";
import { kindName, plural, quantity, shown, unitName, whole } from "../format.js";
import { spark } from "../marks.js";
import { cols, note } from "../rows.js";
import { change, go, route, segment, to } from "../state.js";

export const title = () => "Metrics";
export const polled = 5; // seconds at least
export const path = (at, context) => ({ path: "metrics", parameters: { search: at.query.get("search"), columns: context.narrow() ? 45 : 90 } });


let typing = 0;
const search = () => h("input", { class: "search", type: "search", placeholder: "Search names and descriptions", "aria-label": "Search metrics", value: route().query.get("search") ?? "", on: { input: (event) => {
  clearTimeout(typing);
  const { value } = event.currentTarget;
  typing = setTimeout(() => change({ search: value.trim() || null }), 150);
} } });

export function draw(data, context) {
  const narrow = context.narrow();
  const searched = route().query.get("search");
  const right = (t) => h("th", { class: "right", scope: "col" }, t);
  if (!data.total && !searched) return { title: "Metrics", children: [{ nothing: "metrics", text: "No metric has arrived yet." }] };
  return {
    title: "Metrics",
    verdict: `${plural(data.total, "metric")}${searched ? " match" : " kept"}`,
    children: [
      h("p", { key: "search" }, search()),
      data.metrics.length ? h("table", { class: "bleed catalogue", key: "table" }, h("caption", { class: "unseen" }, "Metrics"),
        narrow ? cols(null, 74, 96) : cols("30%", "13%", "10%", "8%", null, "13%"),
        h("thead", null, h("tr", null, h("th", { scope: "col" }, "Name"), narrow ? null : [h("th", { scope: "col" }, "Kind"), h("th", { scope: "col" }, "Unit"), right("Series")], h("th", { scope: "col" }, h("span", { class: narrow ? "" : "pad" }, "Over the range")), right("Last"))),
        h("tbody", null, data.metrics.map((row) => {
          const href = to(`metrics/${segment(row.name)}`);
          return h("tr", { class: "pick", "data-row": "1", key: row.name, title: row.description, on: { click: (event) => !event.target.closest("a") && go(href) } },
            h("td", null, h("a", { class: "name", href }, row.name)),
            narrow ? null : [h("td", null, kindName(row.kind)), h("td", null, unitName(row.unit)), h("td", { class: "right" }, shown([[whole(row.series), ""]]))],
            h("td", null, h("div", { class: narrow ? "" : "pad" }, row.spark ? spark(row.spark.values, { width: 180, height: 20, fluid: true }) : null)),
            h("td", { class: "right" }, shown(quantity(row.last, row.spark?.unit ?? row.unit, false))));
        }))) : note(`No metric matches "${searched}".`),
      data.metrics.length < data.total ? note(`${whole(data.metrics.length)} of ${whole(data.total)} are shown: search to find the others.`) : null,
    ],
  };
}

