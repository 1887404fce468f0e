// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// All models; with a name: what limits one of them.

import { h } from "../dom.js";
import { duration, rate, shown, whole } from "../format.js";
import { severity, spark } from "../marks.js";
import { cols, phaseBar, quantile, sentence, toneOf } from "../rows.js";
import { go, segment, to } from "../state.js";

export const title = () => "Inference";
export const path = (_at, context) => ({ path: "inference", parameters: { columns: context.narrow() ? 45 : 90 } });

export function draw(data, context) {
  const narrow = context.narrow();
  const right = (t) => h("th", { class: "right", scope: "col" }, t);
  if (!data.models.length) return { title: "Inference", children: [{ nothing: "inference", text: "No model has sent anything yet." }] };
  return {
    title: "Inference",
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", "),
    children: [h("table", { class: "bleed", key: "models" }, h("caption", { class: "unseen" }, "Models"),
      narrow ? cols(null, 88, 84) : cols("18%", "10%", "22%", null, 92, "9%", "9%", "9%", "8%"),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Model"), narrow ? null : [h("th", { scope: "col" }, "Engine"), h("th", { scope: "col" }, "Where a batch’s time goes"), h("th", { scope: "col" }, "What limits it")], h("th", { class: "right", scope: "col", colspan: narrow ? 1 : 2 }, "Items"), narrow ? null : right("Mean"), right("p95, batch"), narrow ? null : right("Errors"))),
      h("tbody", null, data.models.map((row) => {
        const href = to(`inference/${segment(row.key)}`);
        return h("tr", { class: "pick", "data-row": "1", key: row.key, on: { click: (event) => !event.target.closest("a") && go(href) } },
          h("td", null, row.status !== "ok" ? [severity(row.status), " "] : null, h("a", { class: "name", href }, row.model)),
          narrow ? null : [h("td", null, row.engine), h("td", null, row.phases.length ? phaseBar(row.phases) : h("span", { class: "quiet" }, "phases are not recorded")), h("td", null, h("span", { class: "pad" }, sentence(row.verdict.slice(0, 1)))), h("td", null, spark(row.items.values, { width: 82, height: 20 }))],
          h("td", { class: "right" }, shown(rate(row.items_per_s), toneOf(row, "items"))),
          narrow ? null : h("td", { class: "right" }, shown(duration(row.mean))),
          h("td", { class: "right" }, quantile(row.p95)),
          narrow ? null : h("td", { class: "right" }, row.errors ? shown([[whole(row.errors), ""]]) : h("span", { class: "quiet" }, "0")));
      })))],
  };
}
