// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pieces that several pages draw: cells, sentences, findings, services as rows, a machine in short.

import { h, s } from "./dom.js";
import { ABSENT, clock, duration, localTimes, percent, rate, shown, text, whole } from "./format.js";
import { bar, decades, dumbbell, key, logShare, severity, spark } from "./marks.js";
import { segment, to } from "./state.js";

/** A sentence of parts; strong ones are its numbers and names. */
export const sentence = (parts) => parts.map(({ text: said, strong }) => (strong ? h("b", null, localTimes(said)) : localTimes(said)));
export const plainText = (parts) => localTimes(parts.map((part) => part.text).join(""));

/** A quantile with its ≈ and >. */
export function quantile(value, tone = "") {
  if (!value) return h("span", { class: "num quiet", title: "nothing measured in this range" }, h("b", null, ABSENT));
  const mark = value.over ? "> " : value.approximate ? "≈ " : "";
  const pairs = duration(value.value);
  return h("span", { title: `from ${whole(value.count)} observations` }, mark ? h("span", { class: "quiet" }, mark) : null, shown(pairs, tone));
}
export const quantileText = (value) => (value ? `${value.over ? "> " : value.approximate ? "≈ " : ""}${text(duration(value.value))}` : ABSENT);

/** The tone of one figure of a row: only what is outside its usual range has one. */
export const toneOf = (row, name) => (row.abnormal?.includes(name) ? (row.status === "ok" ? "warn" : row.status) : "");

/** A link whose text is a name. */
export const nameLink = (path, text_, changes) => h("a", { class: "name", href: to(path, changes) }, text_);

const route = (text_) => {
  const [path, query = ""] = text_.replace(/^#\/?/, "").split("?");
  return to(path, Object.fromEntries(new URLSearchParams(query)));
};

export function findingRow(finding, muted) {
  const { line } = finding;
  return h("div", { class: "finding", "data-row": "1", key: finding.id },
    severity(finding.severity),
    h("div", { class: "who" }, h("span", { class: "name" }, finding.subject),
      h("small", null, h("span", { class: "wide-only" }, `${finding.about} · `), `since ${clock(finding.since * 1000)}`, muted ? [" · ", h("button", { type: "button", "aria-label": `Mute ${finding.subject} until the range changes`, title: "until the range changes", on: { click: () => muted(finding.id) } }, "mute")] : null)),
    h("p", null, sentence(finding.sentence)),
    h("div", { class: "spark-cell" }, line ? [
      h("span", { class: "wide-only" }, spark(line.values, { width: 146, height: 28, tone: finding.severity, usual: line.usual && [line.usual.low, line.usual.high], base: false, dot: true })),
      h("span", { class: "only-phone" }, spark(line.values, { width: 74, height: 32, tone: finding.severity, usual: line.usual && [line.usual.low, line.usual.high], base: false, dot: true }))] : null),
    h("div", { class: "go" }, h("a", { href: route(finding.link.route), "aria-label": `${finding.link.text}: ${finding.subject}` }, finding.link.text, h("span", { "aria-hidden": "true" }, " →"))));
}

const decadeLabel = (seconds) => text([[String(seconds < 0.001 ? Math.round(seconds * 1e6) : seconds < 1 ? Math.round(seconds * 1e3) : seconds), seconds < 0.001 ? "µs" : seconds < 1 ? "ms" : "s"]]);

function axisHead([low, high]) {
  const labels = [];
  for (let v = low; v < high * 0.99; v *= 10) labels.push(s("text", { x: `${logShare(v, low, high) * 100}%`, y: 12 }, decadeLabel(v)));
  return s("svg", { width: "100%", height: 16, "aria-hidden": "true" }, labels);
}

/** Services as rows; `narrow`: three numbers. */
export function serviceTable(rows, context, title = "Services") {
  const narrow = context.narrow();
  const then = context.against?.services;
  const small = context.small();
  const beside = (cell) => (small ? null : h("td", null, cell));
  const axis = decades(rows.flatMap((r) => [r.p50?.value, r.p95?.value, r.usual_p95?.low, r.usual_p95?.high]));
  const href = (row) => to(`services/${segment(row.name)}`);
  if (narrow) {
    return h("table", { class: "services" }, h("caption", { class: "unseen" }, "Services, those that need a look first"),
      cols(null, 84, 70, 82),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, title)), ...["Rate", "Errors", "p95"].map((t) => h("th", { class: "right", scope: "col" }, t)))),
      h("tbody", null, rows.map((row) => h("tr", { class: "pick", "data-row": "1", key: row.name },
        h("td", null, row.status !== "ok" ? [severity(row.status), " "] : null, h("a", { class: "name", href: href(row) }, row.name)),
        h("td", { class: "right" }, shown(rate(row.rate), toneOf(row, "rate"))),
        h("td", { class: "right" }, shown(percent(row.error_share), toneOf(row, "error_share"))),
        h("td", { class: "right" }, quantile(row.p95, toneOf(row, "p95")))))));
  }
  const shared = Math.max(...rows.map((r) => Math.max(0, ...r.errors.values.map((v) => v ?? 0))), 0.02);
  return h("table", { class: "services" }, h("caption", { class: "unseen" }, "Services, those that need a look first: requests, errors, response time"),
    small ? cols(20, "22%", 72, 72, null, 84, ...(then ? [76] : []), 60) : cols(20, "18%", 84, 62, 86, 67, null, 84, ...(then ? [76] : []), 88),
    h("thead", null, h("tr", null, h("th", { colspan: 2, scope: "col" }, h("h2", null, title), key([["ring", "p50"], ["dot", "p95"], ["band", "usual p95"]])),
      ...["Requests per s", "Errors"].map((t, i) => h("th", { class: "right", scope: "col", colspan: small ? 1 : 2 }, small && !i ? "Per s" : t)),
      h("th", { scope: "col" }, h("span", { class: "unseen" }, "p50 to p95, log axis"), h("div", { class: "bellhead" }, axisHead(axis))), h("th", { class: "right", scope: "col" }, "p95"), then ? h("th", { class: "right", scope: "col" }, "Change") : null, h("th", { class: "right", scope: "col" }, "Active"))),
    h("tbody", null, rows.map((row) => {
      const [tone, errorTone] = [toneOf(row, "p95"), toneOf(row, "error_share")];
      return h("tr", { "data-row": "1", key: row.name },
        h("td", null, row.status !== "ok" ? severity(row.status) : null),
        h("td", null, h("a", { class: "name", href: href(row) }, row.name), h("span", { class: "sub" }, row.stale ? `last seen ${clock(row.last_seen * 1000, "s")}` : `${row.actions} ${row.actions === 1 ? "action" : "actions"}`)),
        beside(spark(row.requests.values, { width: 82, height: 20 })),
        h("td", { class: "right" }, perSecond(row.rate, toneOf(row, "rate"))),
        beside(h("div", { class: "pushright" }, spark(row.errors.values, { width: 58, height: 20, tone: errorTone, top: errorTone ? null : shared }))),
        h("td", { class: "right" }, shown(percent(row.error_share), errorTone)),
        h("td", { class: "plot" }, h("div", { class: "bellcell" }, dumbbell({ p50: row.p50?.value, p95: row.p95?.value, usual: row.usual_p95 && [row.usual_p95.low, row.usual_p95.high], tone }, axis))),
        h("td", { class: "right" }, quantile(row.p95, tone)),
        then ? h("td", { class: "right" }, context.difference(row, then.find((each) => each.name === row.name))) : null,
        h("td", { class: "right" }, row.active === null ? h("span", { class: "quiet", title: "active calls are not reported" }, ABSENT) : shown([[whole(row.active), ""]])));
    })));
}

/** A rate under a heading that says "per s"; others keep their unit. */
export function perSecond(value, tone = "") {
  const pairs = rate(value);
  return shown(pairs[0][1] === "/s" ? [[pairs[0][0], ""]] : pairs, tone);
}

/** Column widths in px; null takes what is left, a string is taken as it is. */
export const cols = (...widths) => h("colgroup", null, widths.map((w) => h("col", { style: w === null ? {} : { width: typeof w === "number" ? `${w}px` : w } })));

export const HUE = { wait: "mute", host: "host-a", transfer: "transfer", device: "data", other: "dim" };
export const hueOf = (phase) => (phase.where === "host" && /post/.test(phase.phase ?? phase.kind ?? "") ? "host-b" : HUE[phase.where] ?? "dim");

export const phaseBar = (phases) => bar(phases.map((p) => [p.mean, hueOf(p), `${p.phase} ${text(duration(p.mean))}`]));

export const jobParts = (row) => [[row.done, "mute", "done"], [row.failed, "err", "failed"], [row.running ?? 0, "data", "running"], [row.pending ?? 0, "line2", "pending"]];

/** Key figures: [pairs or element, label, tone]. */
export function figuresList(entries, large = false, side = null) {
  return h("div", { class: `figures ${large ? "large" : ""}` },
    entries.filter(Boolean).map(([value, label, tone]) => h("div", null, h("div", { class: "v" }, Array.isArray(value) ? shown(value, tone) : value), h("div", { class: "k" }, label))), side);
}

/** One quiet line. */
export const note = (text_) => h("p", { class: "note" }, localTimes(text_));
