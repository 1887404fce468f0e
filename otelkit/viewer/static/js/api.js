// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Asking the server, and following it. Addresses are relative to the page, so that a proxy's prefix stays.

const BASE = new URL("api/v1/", document.baseURI);

/** What went wrong with a question: status 0 when the server did not answer. */
export class Refused extends Error {
  constructor(status, message, remedy = "") {
    super(message);
    this.status = status;
    this.remedy = remedy;
  }
}

/** Path with its query; empty values are left out. */
export function question(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) query.set(key, String(value));
  }
  const text = query.toString();
  return path + (text ? `?${text}` : "");
}

/** The address of a question, for links. */
export const address = (asked) => new URL(asked, BASE).href;

/** Ask, and return the answer; throws Refused. */
export const ask = (asked, signal) => got(asked, { signal, headers: { Accept: "application/json" } });

/** Send a file, and return the answer; throws Refused. */
export const send = (asked, file) => got(asked, { method: "POST", body: file, headers: { "Content-Type": "application/x-ndjson" } });

async function got(asked, options) {
  let response;
  try {
    response = await fetch(new URL(asked, BASE), { ...options, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The viewer does not answer.", "Is it still running? This page tries again.");
  }
  if (response.ok) return response.json();
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // Refusals of the gate are plain text; the status says enough.
  }
  if (response.status === 401) {
    throw new Refused(401, "This browser has not shown the token of this start.", "Open the address with ?token= that the viewer printed when it started.");
  }
  throw new Refused(response.status, problem.message || `The viewer refused this (${response.status}).`, problem.remedy || "");
}

const EVERY = 0.6; // seconds between steps: what arrived is on the screen within one

/** Follow a page; `on` has frame, step, reload, open, lost. Returns a function that ends it. */
export function follow(asked, columns, on) {
  let source = null;
  let timer = 0;
  let ended = false;
  const open = () => {
    source = new EventSource(new URL(question("stream", { page: asked, columns, every: EVERY }), BASE));
    source.addEventListener("open", () => on.open());
    source.addEventListener("frame", (event) => on.frame(JSON.parse(event.data)));
    source.addEventListener("step", (event) => on.step(JSON.parse(event.data)));
    source.addEventListener("reload", () => on.reload());
    source.addEventListener("error", () => {
      if (ended) return;
      on.lost();
      source.close();
      clearTimeout(timer);
      timer = setTimeout(open, 2000);
    });
  };
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}

const IDENTITY = ["id", "key", "action", "name", "host", "instance", "service"];

function identity(item) {
  if (item === null || typeof item !== "object") return undefined;
  if (item.machine) return item.machine.host;
  for (const name of IDENTITY) if (typeof item[name] === "string") return item[name];
  return undefined;
}

const onAxis = (owner, name) => name === "values" || (name === "counts" && "largest" in owner) || ((name === "counts" || name === "failed") && "notches" in owner);

/** Raised inside `merge` where a step does not continue what is there; the page is then asked for anew. */
export class Discontinuous extends Error {}

/**
 * Continue `old` by a step: arrays on the axis are `fresh`'s new steps after the old ones, of which those that left
 * the axis are cut off; everything else is as in `fresh`.
 */
export function merge(old, fresh) {
  const [before, added] = [axisOf(old), axisOf(fresh)];
  if (!before || !added || before.step !== added.step) throw new Discontinuous();
  const offset = Math.round((added.start - before.start) / before.step);
  if (offset < 0 || offset > before.count) throw new Discontinuous();
  const grown = offset + added.count;
  const cut = Math.max(0, grown - before.count);
  const merged = join(old, fresh, offset, cut, before.count);
  Object.assign(axisOf(merged), { start: before.start + cut * before.step, step: before.step, count: grown - cut });
  return merged;
}

const axisOf = (answer) => answer?.ribbon?.axis ?? answer?.range?.axis;

function join(old, fresh, offset, cut, length) {
  if (Array.isArray(fresh)) {
    const known = Array.isArray(old) ? old : [];
    const byName = new Map(known.map((item) => [identity(item), item]));
    return fresh.map((item, i) => {
      const name = identity(item);
      return join(name === undefined ? known[i] : byName.get(name), item, offset, cut, length);
    });
  }
  if (fresh === null || typeof fresh !== "object") return fresh;
  const out = {};
  for (const [name, value] of Object.entries(fresh)) {
    if (Array.isArray(value) && onAxis(fresh, name)) {
      const before = old?.[name];
      if (!Array.isArray(before) || before.length !== length) throw new Discontinuous();
      if (name === "counts" && "edges" in fresh && String(fresh.edges) !== String(old.edges)) throw new Discontinuous();
      out[name] = [...before.slice(0, offset), ...value].slice(cut);
      if ("largest" in fresh) out.largest = largest(out[name], fresh);
    } else {
      out[name] = join(old?.[name], value, offset, cut, length);
    }
  }
  if (Array.isArray(out.counts) && "largest" in fresh) out.largest = largest(out.counts, fresh);
  return out;
}

function largest(columns, fresh) {
  let most = fresh.largest ?? 0;
  for (const column of columns) if (column) for (const count of column) if (count > most) most = count;
  return most;
}
