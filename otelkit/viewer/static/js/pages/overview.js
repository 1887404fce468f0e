// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Is anything wrong, where, since when.

import { h } from "../dom.js";
import { rate, shown, whole } from "../format.js";
import { machineTiles } from "../machine.js";
import { bar, severity } from "../marks.js";
import { cols, findingRow, hueOf, jobParts, phaseBar, quantile, serviceTable, toneOf } from "../rows.js";
import { range, segment, to } from "../state.js";

const muted = new Map(); // finding's id -> the window it was muted in
let all = false;
const windowKey = () => JSON.stringify(range().written);

export const title = () => "Overview";
export const compared = true;
export const path = (_at, context) => ({ path: "overview", parameters: { columns: context.narrow() ? 45 : 90 } });

function findings(data, context) {
  const mute = (id) => {
    muted.set(id, windowKey());
    context.draw();
  };
  const open = data.findings.filter((f) => muted.get(f.id) !== windowKey());
  const [rest, silent] = [open.length - 5, data.findings.length - open.length];
  const toggle = (act) => () => {
    act();
    context.draw();
  };
  return h("section", { class: "findings", "aria-label": "What needs a look", key: "findings" },
    open.slice(0, all ? open.length : 5).map((f) => findingRow(f, mute)),
    rest > 0 ? h("p", { class: "note" }, h("button", { type: "button", on: { click: toggle(() => (all = !all)) } }, all ? "the first five" : `${rest} more`)) : null,
    silent ? h("p", { class: "note" }, h("button", { type: "button", on: { click: toggle(() => muted.clear()) } }, `${silent} muted until the range changes: show again`)) : null);
}

function inference(rows, narrow) {
  const phases = [...new Map(rows.flatMap((r) => r.phases).map((p) => [hueOf(p), p])).entries()];
  return h("section", { class: "section", key: "inference" }, h("table", null, h("caption", { class: "unseen" }, "Inference: how a batch's time divides, by model"),
    narrow ? cols("32%", null, 78, 74) : cols("23%", null, "18%", "16%"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, "Inference")),
      h("th", { scope: "col" }, h("span", { class: narrow ? "unseen" : "key" }, phases.slice(0, 4).map(([hue, p]) => h("span", { class: `k-${hue}` }, p.phase === "wait" ? "wait for data" : p.phase)))),
      h("th", { class: "right", scope: "col" }, "Items"), h("th", { class: "right", scope: "col" }, narrow ? "p95" : "p95, batch"))),
    h("tbody", null, rows.slice(0, 8).map((row) => h("tr", { "data-row": "1", key: row.key },
      h("td", null, h("a", { class: "name", href: to(`inference/${segment(row.key)}`) }, row.model), row.status !== "ok" ? [" ", severity(row.status)] : null),
      h("td", null, row.phases.length ? phaseBar(row.phases) : null),
      h("td", { class: "right" }, shown(rate(row.items_per_s), toneOf(row, "items"))),
      h("td", { class: "right" }, quantile(row.p95)))))));
}

function batch(rows, narrow) {
  return h("section", { class: "section", key: "batch" }, h("table", null, h("caption", { class: "unseen" }, "Batches and jobs: done, running, pending"),
    narrow ? cols("32%", null, 96, 66) : cols("24%", null, "24%", "14%"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, "Batch & jobs")),
      h("th", { scope: "col" }, h("span", { class: narrow ? "unseen" : "key" }, h("span", null, "done"), h("span", { class: "k-data" }, "running"), h("span", { class: "k-line2" }, "pending"))),
      h("th", { class: "right", scope: "col" }, "Done"), h("th", null, h("span", { class: "unseen" }, "Failed")))),
    h("tbody", null, rows.slice(0, 8).map((row) => h("tr", { "data-row": "1", key: row.key },
      h("td", null, h("a", { class: "name", href: to(`batch/${segment(row.key)}`) }, row.name), row.status !== "ok" ? [" ", severity(row.status)] : null),
      h("td", null, bar(jobParts(row), 1, `${row.done} done, ${row.failed} failed, ${row.running ?? 0} running, ${row.pending ?? 0} pending`)),
      h("td", { class: "right" }, h("span", { class: "num" }, h("b", null, whole(row.done)), h("i", null, ` / ${whole(row.total)}`))),
      h("td", { class: "right" }, h("span", { class: row.failed ? "num" : "quiet" }, row.failed ? h("b", null, `${whole(row.failed)} failed`) : "0 failed")))))));
}

export function draw(data, context) {
  const { headline } = data;
  const note = headline.note;
  const some = data.inference.length > 0 && data.batch.length > 0;
  const pair = [data.inference.length ? inference(data.inference, context.narrow()) : null, data.batch.length ? batch(data.batch, context.narrow()) : null].filter(Boolean);
  return {
    title: headline.text,
    verdict: note,
    children: [
      findings(data, context),
      data.services.length ? h("section", { class: "section", key: "services" }, serviceTable(data.services, context)) : null,
      pair.length ? h("div", { class: some ? "columns pair" : "", key: "pair" }, pair) : null,
      data.machine ? h("section", { class: "section", key: "machine" }, h("div", { class: "title" }, h("h2", null, "This machine"), h("span", { class: "sub" }, h("a", { class: "quiet", href: to(`hosts/${segment(data.machine.host)}`) }, data.machine.host))), machineTiles(data.machine)) : null,
      !data.services.length && !pair.length && !data.machine ? { nothing: "services", text: "Something arrives, but no service, model, job or machine is in it yet." } : null,
    ],
  };
}

