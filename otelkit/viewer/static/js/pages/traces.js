// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The kept traces: duration over time, groups of one root, rows. The filter bar does the rest.

import { ask, question } from "../api.js";
import { h } from "../dom.js";
import { clock, duration, shown, text, whole } from "../format.js";
import { decades, key, logShare, severity } from "../marks.js";
import { cols, note } from "../rows.js";
import { scatter } from "../scatter.js";
import { change, go, here, route, segment, to } from "../state.js";

let more = { cursor: null, rows: [] };
export const title = () => "Traces";
export const polled = 0.5; // seconds at least; a step of it would be the whole of it
const asked = (at) => ({ name: at.query.get("name"), sort: at.query.get("sort"), failed: at.query.get("failures") ? "true" : null });
export function path(at, context) {
  more = { cursor: null, rows: [] };
  return { path: "traces", parameters: { ...asked(at), limit: 100, columns: context.narrow() ? 45 : 90 } };
}

function groups(data) {
  const chosen = route().query.get("name");
  if (data.groups.length < 2 && !chosen) return null;
  return h("div", { class: "chips", key: "groups" }, chosen ? h("a", { class: "chip", href: here({ name: null }) }, chosen, " ×") : data.groups.slice(0, 8).map((g) => h("a", { class: "chip", href: here({ name: g.name }) }, g.name, h("span", { class: "quiet" }, ` ${whole(g.count)} · p95 ${text(duration(g.p95))}`), g.errors ? [severity("err"), h("span", { class: "quiet" }, whole(g.errors))] : null)));
}

function table(data, rows, narrow) {
  const axis = decades([...data.points, ...rows].map((p) => p.duration));
  const sort = route().query.get("sort");
  const right = (t) => h("th", { class: "right", scope: "col" }, t);
  const sorter = (name, label) => h("a", { href: here({ sort: name === "newest" ? null : name }), "aria-current": (sort ?? "newest") === name ? "true" : null }, label);
  return h("table", { class: "bleed", key: "rows" }, h("caption", { class: "unseen" }, "Traces"),
    narrow ? cols(22, null, 80, 76) : cols(24, null, "15%", "22%", "9%", "7%", "8%", "9%", "11%"),
    h("thead", null, h("tr", null, h("th", null, h("span", { class: "unseen" }, "Failed")), h("th", { scope: "col" }, "Root"), narrow ? null : [h("th", { scope: "col" }, "Service"), h("th", { scope: "col" }, h("span", { class: "unseen" }, "Duration, log axis"))], right(sorter("slowest", "Duration")), narrow ? null : [right("Spans"), right("Errors"), right("CPU")], right(sorter("newest", "Start")))),
    h("tbody", null, rows.map((row) => {
      const href = to(`traces/${segment(row.trace_id)}`);
      const open = (event) => !event.target.closest("a") && !getSelection().toString() && go(href);
      return h("tr", { class: "pick", "data-row": "1", key: row.trace_id, on: { click: open } },
        h("td", null, row.failed || row.errors ? severity("err") : null),
        h("td", null, h("a", { class: "name", href }, row.name), row.rootless ? h("span", { class: "sub" }, "root missing") : null),
        narrow ? null : [h("td", null, row.service), h("td", null, h("div", { class: "bar" }, h("i", { class: row.failed ? "c-err" : "c-mute", style: { "flex-grow": 0, "flex-basis": `${logShare(row.duration, ...axis) * 96}%` } })))],
        h("td", { class: "right" }, shown(duration(row.duration))),
        narrow ? null : [h("td", { class: "right" }, shown([[whole(row.spans), ""]])), h("td", { class: "right" }, row.errors ? shown([[whole(row.errors), ""]]) : h("span", { class: "quiet" }, "0")), h("td", { class: "right" }, shown(duration(row.cpu)))],
        h("td", { class: "right num" }, h("span", { class: "quiet" }, clock(row.start * 1000, "s"))));
    })));
}

export function draw(data, context) {
  const { range } = data;
  const rows = [...data.rows, ...more.rows];
  const cursor = more.cursor ?? (more.rows.length ? null : data.cursor);
  const load = async () => {
    const { written } = context.range;
    const next = await ask(question("traces", { ...asked(context.route), from: written.from === "all" ? "-30d" : written.from, to: written.to, q: context.route.query.get("q"), limit: 100, cursor }));
    more = { cursor: next.cursor, rows: [...more.rows, ...next.rows] };
    context.draw();
  };
  const open = (point) => go(to(`traces/${segment(point.trace_id)}`));
  const count = `${data.total_at_least ? "the latest " : ""}${whole(data.total)} kept ${data.total === 1 ? "trace" : "traces"}`;
  const empty = context.frame?.counts.traces ? note("No kept trace matches in this range. A longer range, or fewer parts in the filter, may find some.") : { nothing: "traces", text: "No trace has arrived yet." };
  return {
    title: "Traces",
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", ") || count,
    children: !data.total ? [empty] : [
      groups(data),
      h("section", { key: "scatter" }, h("div", { class: "title" }, h("h2", null, "Duration over time"), h("span", { class: "sub" }, `${count}, log scale`), key([["dot", "trace"], ["diamond", "failed"]]), h("span", { class: "tools2" }, h("button", { type: "button", "aria-pressed": route().query.get("failures") ? "true" : "false", on: { click: () => change({ failures: route().query.get("failures") ? null : "1" }) } }, "failures only"))),
        h("figure", null, h("figcaption", { class: "unseen" }, `${count}; the table below holds them`), scatter({ points: data.points, from: range.start, to: range.end, open }, "Traces: duration over time. Left and right move from trace to trace, Enter opens."))),
      h("section", { class: "section", key: "list" }, table(data, rows, context.narrow()), cursor ? h("p", null, h("button", { type: "button", class: "control", on: { click: load } }, "Show more")) : null),
    ],
  };
}
