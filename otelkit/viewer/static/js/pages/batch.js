// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// All batches and jobs; the chosen one below its row: will it finish, what waits, who is slow.

import { ask, question } from "../api.js";
import { h } from "../dom.js";
import { brief, clock, clockTicks, duration, plural, shown, text, whole } from "../format.js";
import { histogram, histogramTable } from "../histogram.js";
import { asTables } from "../keyboard.js";
import { lanes } from "../lanes.js";
import { bar, severity } from "../marks.js";
import { pendingChart } from "../pending.js";
import { lineFigure } from "../plot.js";
import { cols, jobParts, note, quantile, quantileText } from "../rows.js";
import { go, route, segment, to } from "../state.js";

let all = null;
let asking = 0;
export const title = () => "Batch & jobs";
export const compared = true;
export function path(at, context) {
  const parameters = { columns: context.narrow() ? 60 : 180 };
  return at.name ? { path: `batch/${segment(at.name)}`, parameters } : { path: "batch", parameters };
}

async function loadAll(context) {
  if (Date.now() - asking < 10e3) return;
  asking = Date.now();
  const { written } = context.range;
  try {
    all = await ask(question("batch", { from: written.from === "all" ? "-30d" : written.from, to: written.to, q: route().query.get("q") }));
  } catch {
    return;
  }
  context.draw();
}

const ago = (seconds, now) => (seconds === null ? "" : `, ${text(duration(Math.max(0, now - seconds)).slice(0, 1)).replace(/\.\d+/, "")} ago`);

function table(rows, chosen, context, now) {
  const [narrow, small] = [context.narrow(), context.small()];
  const most = Math.max(...rows.map((r) => r.total), 1);
  const right = (t) => h("th", { class: "right", scope: "col" }, t);
  const number = (v) => h("td", { class: "right" }, v === null ? h("span", { class: "quiet", title: "not reported" }, "–") : v ? shown([[whole(v), ""]]) : h("span", { class: "quiet" }, "0"));
  return h("table", { class: "bleed", key: "jobs" }, h("caption", { class: "unseen" }, "Batches and jobs"),
    narrow ? cols(22, null, 96, 66) : small ? cols(24, null, "14%", "14%", "10%", "10%", "7%", "8%", "8%", "7%") : cols(28, "13%", "11%", "15%", "9%", "8%", "13%", "7%", null, "6%", "6%", "5%"),
    h("thead", null, h("tr", null, h("th", null, h("span", { class: "unseen" }, "Finding")), h("th", { scope: "col" }, "Batch or job"), narrow ? null : [small ? null : h("th", { scope: "col" }, "Engine"), h("th", { scope: "col" }, "Done, running, pending")], right("Done"), narrow ? null : [right("Waited"), small ? null : h("th", { class: "center", scope: "col" }, "wait : run, p50"), h("th", { class: small ? "right" : "", scope: "col" }, "Ran"), right("Active"), right("Pending"), right("Retries")], right("Failed"))),
    h("tbody", null, rows.map((row) => {
      const href = to(`batch/${segment(row.key)}`);
      const [waited, ran] = [row.waited?.value ?? 0, row.ran?.value ?? 0];
      return h("tr", { class: "pick", "data-row": "1", key: row.key, "aria-selected": row.key === chosen ? "true" : "false", on: { click: (event) => !event.target.closest("a") && go(href) } },
        h("td", null, row.status !== "ok" ? severity(row.status) : null),
        h("td", null, h("a", { class: "name", href, "aria-current": row.key === chosen ? "true" : null }, row.name)),
        narrow ? null : [small ? null : h("td", null, row.engine, row.last_success ? ago(row.last_success, now) : ""), h("td", null, bar(jobParts(row), Math.max(0.5, 0.9 + 0.1 * (row.total / most)), `${row.done} done, ${row.failed} failed, ${row.running ?? 0} running, ${row.pending ?? 0} pending`))],
        h("td", { class: "right" }, h("span", { class: "num" }, h("b", null, whole(row.done)), h("i", null, ` / ${whole(row.total)}`))),
        narrow ? null : [h("td", { class: "right" }, quantile(row.waited)), small ? null : h("td", null, h("div", { class: "waitrun" }, waited + ran ? bar([[waited, "mute", "wait"], [ran, "data", "run"]], 1, `waited ${quantileText(row.waited)}, ran ${quantileText(row.ran)}`) : null)), h("td", { class: small ? "right" : "" }, quantile(row.ran)), number(row.running), number(row.pending), number(row.retries)],
        h("td", { class: "right" }, row.failed ? shown([[whole(row.failed), ""]], "") : h("span", { class: "quiet" }, "0")));
    })));
}

function workers(data) {
  if (!data.lanes.length) return data.lanes_note ? h("section", { class: "section" }, h("div", { class: "title" }, h("h2", null, `Workers of ${data.row.name}`)), note(data.lanes_note)) : null;
  const { range } = data;
  const open = (b) => (b.trace_id ? () => go(to(`traces/${b.trace_id}`, { span: b.span_id })) : null);
  const tip = (b) => () => [`${text(duration(b.end - b.start))}${b.count > 1 ? `, ${b.count} jobs` : ""}`, `${clock(b.start * 1000, "s")} – ${clock(b.end * 1000, "s")}`, [b.failed ? "failed" : "", b.retry ? "was retried" : "", b.straggler ? "straggler" : ""].filter(Boolean).join(", ")].filter(Boolean);
  const listed = data.lanes.map((lane) => ({
    name: lane.name, busy: lane.busy, tone: lane.status === "ok" ? "" : lane.status, gaps: lane.gaps,
    blocks: lane.blocks.map((b) => ({ start: b.start, end: b.end, token: b.straggler ? "warn" : range.now - b.end < 2 ? "data" : "data-dim", text: b.straggler ? brief(Math.round(b.end - b.start)) : "", mark: b.failed ? "failed" : b.retry ? "retry" : "", tip: tip(b), open: open(b) })),
  }));
  return h("figure", null, h("div", { class: "title" }, h("h2", null, `Workers of ${data.row.name}`), h("span", { class: "sub" }, data.lanes_note)),
    h("figcaption", { class: "unseen" }, data.lanes.map((l) => `${l.name}: ${l.busy === null ? "busy share unknown" : `${Math.round(l.busy * 100)} % busy`}`).join(", ")),
    lanes({ lanes: listed, from: range.start, to: range.end, pitch: listed.length > 16 ? 24 : 40, ticks: (width) => clockTicks(range.start * 1000, range.end * 1000, Math.max(2, Math.floor(width / 150))).map(([ms, label]) => [ms / 1000, label]) }, `Workers of ${data.row.name}: arrow keys move from job to job, Enter opens its trace`));
}

function runTime(data) {
  const run = data.run_time;
  if (!run) return null;
  const dots = run.stragglers.map((s_) => ({ value: s_.duration, text: `${s_.worker}, ${clock(s_.time * 1000, "s")}`, open: () => go(to(`traces/${s_.trace_id}`, { span: s_.span_id })) }));
  const mean = dots.reduce((sum, d) => sum + d.value, 0) / (dots.length || 1);
  const props = {
    histogram: run.histogram, log: true, write: brief, mark: run.p50 ? { value: run.p50.value, name: "p50", text: quantileText(run.p50) } : null,
    threshold: run.threshold && (dots.length || run.threshold < (run.histogram.edges.findLast((e) => e !== null) ?? 0)) ? run.threshold : null, thresholdName: "3× p50", dots,
    dotsText: [plural(run.straggler_count ?? dots.length, "straggler"), run.p50 ? `${(mean / run.p50.value).toFixed(1)}× the median` : ""],
  };
  return h("figure", null, h("div", { class: "title" }, h("h2", null, "Run time"), h("span", { class: "sub" }, `${plural(run.histogram.total, data.row.kind === "job" ? "run" : "job")}, log scale`)), h("figcaption", { class: "unseen" }, `p50 ${quantileText(run.p50)}`), histogram(props, `Run time: p50 ${quantileText(run.p50)}`), asTables() ? histogramTable(props) : null);
}

export function draw(data, context) {
  const narrow = context.narrow();
  const now = data.range.now;
  const verdict = [data.headline.text, data.headline.note].filter(Boolean).join(", ");
  if (data.jobs) {
    all = data;
    if (!data.jobs.length) return { title: "Batch & jobs", children: [{ nothing: "batch", text: "No batch and no job has sent anything yet." }] };
    return { title: "Batch & jobs", verdict, children: [table(data.jobs, null, context, now), note("Choose a job to see its workers, its run times and where it leads.")] };
  }
  loadAll(context);
  const rows = (all?.jobs ?? []).map((r) => (r.key === data.row.key ? data.row : r));
  const types = Object.entries(data.error_types);
  return {
    title: "Batch & jobs",
    verdict,
    children: [
      table(rows.some((r) => r.key === data.row.key) ? rows : [data.row, ...rows], data.row.key, context, now),
      h("div", { class: "columns wide section rowgap", key: "who" }, workers(data), runTime(data)),
      types.length ? note(`Failed as ${types.map(([t, n]) => `${t} ${whole(n)}×`).join(", ")}`) : null,
      h("div", { class: "columns section rowgap", key: "time" }, data.pending ? pendingChart(data.pending, data.range) : null,
        data.wait_run.length ? lineFigure("Wait and run", "seconds per job", data.range.axis, context.over(data.wait_run, (then) => then.wait_run), { unit: "s", height: 170, labels: !narrow, live: data.range.live }) : null),
    ],
  };
}
