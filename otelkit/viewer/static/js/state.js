// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The whole state of the page is its address: `#/services/checkout?from=-15m&to=now&action=charge&q=...`.

export const UNITS = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };
const KEPT = ["from", "to", "q", "vs"]; // carried along when navigating

/** The retained time as the server last reported it: what "all" means. */
export const retained = { from: null };

/** The present route: page, name, query. */
export function route(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page, ...rest] = path.split("/");
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch {
    // A hand-written address with a lone "%": taken as it stands.
  }
  return { page: page || "overview", name, query: new URLSearchParams(query) };
}

/** An address: `to("services/checkout", { action: "charge" })`; range and filter come along, null removes. */
export function to(path, changes = {}) {
  const now = route().query;
  const query = new URLSearchParams();
  for (const key of KEPT) if (now.has(key)) query.set(key, now.get(key));
  return address(path, query, changes);
}

/** The present address with changes. */
export function here(changes) {
  const { page, name, query } = route();
  return address(page === "overview" ? "" : page + (name ? `/${encodeURIComponent(name)}` : ""), query, changes);
}

function address(path, query, changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/");
  return `#/${path}${text ? `?${text}` : ""}`;
}

/** One segment of a path out of any text. */
export const segment = encodeURIComponent;

/** Go to an address as a step in the history. */
export function go(href) {
  if (href !== location.hash) location.hash = href;
}

/** Change range, filter or selection: the entry is replaced. */
export function change(changes) {
  const href = here(changes);
  if (href === location.hash) return;
  history.replaceState(null, "", href);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function moment(text, now) {
  if (!text || text === "now") return now;
  const relative = /^-(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  if (relative) return now - Number(relative[1]) * UNITS[relative[2]];
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** The selected time: { from, to } in Unix ms, live, label, and both as written. */
export function range(query = route().query, now = Date.now()) {
  const young = retained.from !== null && now - retained.from < 5 * UNITS.m;
  const written = { from: query.get("from") || (young ? "-5m" : "-15m"), to: query.get("to") || "now" };
  const live = written.to === "now";
  const end = moment(written.to, now) ?? now;
  const start = written.from === "all" ? (retained.from ?? end - 6 * UNITS.h) : moment(written.from, now);
  const from = start === null || start >= end ? end - 15 * UNITS.m : start;
  return { from, to: end, live, written };
}

/** What the page is compared with, where that is a time: [from, to] in Unix ms, of the page's length at most. */
export function versus(query = route().query, now = range(query)) {
  const vs = query.get("vs") ?? "";
  const length = now.to - now.from;
  if (vs === "previous") return [now.from - length, now.from];
  const shift = /^-/.test(vs) ? -moment(vs, 0) : null;
  if (shift > 0) return [now.from - shift, now.to - shift];
  const [from, end] = vs.split("/").map(Date.parse);
  return end > from ? [from, Math.min(end, from + length)] : null;
}

/** Live to fixed and back. */
export function toggleLive() {
  const now = range();
  if (now.live) change(fixed(now.from, now.to));
  else change({ from: `-${span(now.to - now.from)}`, to: null });
}

/** A length of time as an address writes it. */
export function span(ms) {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}

/** Changes that fix a range, in UTC. */
export function fixed(from, end) {
  const iso = (ms) => new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
  return { from: iso(from), to: iso(end) };
}

/** The parts of a filter: `service:checkout -tier=internal duration>1s words`. */
export function filterParts(text) {
  return text.match(/(?:"[^"]*"|\S)+/g) ?? [];
}

/** The filter with one part more, or without it where it was there. */
export function withPart(text, part) {
  const parts = filterParts(text ?? "");
  return (parts.includes(part) ? parts.filter((p) => p !== part) : [...parts, part]).join(" ");
}

/** `key=value` for the filter, quoted where needed. */
export function partOf(key, value, without = false) {
  const text = String(value);
  return `${without ? "-" : ""}${key}=${/[\s"]/.test(text) ? `"${text.replaceAll('"', "")}"` : text}`;
}

/** Let a trace peek in beside the page. */
export const openTrace = (exemplar) => change({ trace: exemplar.trace_id, span: exemplar.span_id });
