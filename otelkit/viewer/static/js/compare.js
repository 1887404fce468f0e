// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The same page of another time, or with another value of a label, laid under what is shown: lines thin and dashed,
// tables with a difference. A difference that chance alone would often make is said to be within noise.

import { ask, question } from "./api.js";
import { h } from "./dom.js";
import { ABSENT, clock, factor, percent, rate, shown, text } from "./format.js";
import { filterParts, here, route, versus } from "./state.js";

const iso = (ms) => new Date(ms).toISOString();

/** The filter with `part` in place of the parts that say something else of its key. */
function replaced(q, part) {
  const key = `${part.split("=")[0]}=`;
  return [...filterParts(q ?? "").filter((each) => !each.replace(/^-/, "").startsWith(key)), part].join(" ");
}

/** The values of `line` on the axis of the page; `shift` is how much earlier they were, in seconds. */
function aligned(answer, axis, own, shift) {
  const offset = Math.round((axis.start - shift - own.start) / axis.step);
  const walk = (value, name) => {
    if (Array.isArray(value)) return name === "values" ? Array.from({ length: axis.count }, (_, i) => value[i + offset] ?? null) : value.map((each) => walk(each));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, key === "heatmap" ? null : walk(each, key)]));
  };
  return walk(answer);
}

const WORDS = { previous: "the time before", "-1d": "a day before", "-7d": "a week before" };

/**
 * What `data`, the answer to `asked`, is to be compared with: { note, data, over, cell }; data is null where there is
 * nothing, and note says why.
 */
export async function load(asked, data) {
  const vs = route().query.get("vs");
  const { axis } = data.range;
  const own = { from: data.range.start * 1000, to: data.range.end * 1000 };
  const time = versus(route().query, own);
  const [path, query] = asked.split("?");
  const parameters = Object.fromEntries(new URLSearchParams(query));
  delete parameters.columns;
  const [from, to] = time ?? [own.from, own.to];
  if (!time) parameters.q = replaced(parameters.q, vs);
  const said = time ? `${WORDS[vs] ?? "the second range"}, ${clock(from)} – ${clock(to)}` : vs;
  const stop = h("a", { href: here({ vs: null }) }, "compare no more");
  const none = (why) => ({ data: null, note: [`Nothing to compare with: ${why} `, stop], over: same, cell: absent });
  if (time && data.range.retained * 1000 >= to) return none(`${said}, is before what is kept.`);
  try {
    const answer = await ask(question(path, { ...parameters, from: iso(from), to: iso(to), step: axis.step }));
    const known = (answer.range.ignored ?? []).find((each) => !time && each.term === vs);
    if (known) return none(`${vs} ${known.reason}`);
    const shift = time ? Math.round((own.from - from) / 1000 / axis.step) * axis.step : 0;
    return { data: aligned(answer, axis, answer.range.axis, shift), note: ["Compared with ", h("b", null, said), ": dashed in charts, as the change of p95 in tables. ", stop], over, cell: difference };
  } catch (error) {
    return none(`${said}: ${error.message}`);
  }
}

const same = (lines) => lines;
const absent = () => h("span", { class: "quiet" }, ABSENT);

/** Lines with those of then after them, matched by name. */
function over(lines, then) {
  if (lines.length > 4 && then) return lines;
  return [...lines, ...lines.flatMap((line) => (then ?? []).filter((each) => each.name === line.name).map((each) => ({ ...each, name: `${each.name}, then`, token: "t3", dash: [4, 4], usual: null, limit: null, total: false, then: true })))];
}

/** How p95 differs; requests and errors are in its title. */
function difference(row, then) {
  if (!then) return h("span", { class: "quiet", title: "it was not there then" }, "new");
  const [calls, before] = [row.calls, then.calls];
  const parts = [
    [`requests ${text(rate(row.rate))}, then ${text(rate(then.rate))}`, Math.abs(calls - before) < 2 * Math.sqrt(calls + before)],
    [`errors ${text(percent(row.error_share))}, then ${text(percent(then.error_share))}`, overlap(row.error_share, calls, then.error_share, before)],
  ].map(([said, noise]) => (noise ? `${said} (within noise)` : said));
  parts.unshift(`p95 then ${then.p95 ? text([[String(Number(then.p95.value.toPrecision(3))), "s"]]) : ABSENT}`);
  const known = row.p95 && then.p95;
  const few = known && Math.min(row.p95.count, then.p95.count) < 100;
  return h("span", { title: parts.join("; ") }, known ? shown(factor(row.p95.value, then.p95.value)) : h("span", { class: "quiet" }, ABSENT), few ? h("span", { class: "quiet" }, " few calls") : null);
}

/** Whether two shares differ by less than two standard errors. */
function overlap(a, of, b, other) {
  if (a === null || b === null) return false;
  const error = Math.sqrt((a * (1 - a)) / Math.max(1, of) + (b * (1 - b)) / Math.max(1, other));
  return Math.abs(a - b) <= 2 * error;
}
