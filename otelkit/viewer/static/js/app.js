// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The start: routes, what is asked when, Live, and what happens when the server does not answer.

import { address, ask, Discontinuous, follow, merge, question, Refused } from "./api.js";
import { h, morph, say } from "./dom.js";
import { clock, localTimes } from "./format.js";
import { closeMenu, drawSide, drawTitle, drawTools, failure, PAGES } from "./frame.js";
import { applyTheme, bindKeys } from "./keyboard.js";
import { mountRibbon } from "./ribbon.js";
import { range, retained, route } from "./state.js";

/** A page's name, and the module of one of its things. */
const ONE = { services: "service", traces: "trace", inference: "model", batch: "batch", hosts: "host", metrics: "metric" };
const NAMES = new Set([...PAGES.map(([name]) => name), "otelkit"]);
const place = Object.fromEntries(["side", "tools", "content", "progress", "notice", "ribbon", "peek"].map((id) => [id, document.getElementById(id)]));

/** What is on the screen. */
const now = { module: null, asked: "", data: null, frame: null, frameAt: 0, status: null, error: null, key: "", lostSince: null, against: null, againstAt: 0 };
let abort = null;
let stop = null;
let polledAt = 0;
let polling = 0;
let held = 0;
let pending = false;
let ribbon = null;
let findings = null;

const narrow = () => innerWidth < 720;
/** Not narrow, but without room for what is beside the numbers. */
const small = () => innerWidth < 1000;
const ribbonColumns = () => Math.max(60, Math.round(place.ribbon.clientWidth / 4));

/** What a page is given when it draws. */
const context = {
  get route() { return route(); },
  get range() { return range(route().query, serverNow()); },
  get frame() { return now.frame; },
  get data() { return now.data; },
  narrow,
  small,
  draw,
  reload: () => load(true),
  peek: syncPeek,
  /** Left edge of the open peek, to tie a line to; null when it covers the page or is closed. */
  peekEdge: () => (!place.peek.hidden && innerWidth >= 1100 ? place.peek.getBoundingClientRect().left : null),
  /** What the page is compared with, once it is here; `over` adds its lines to those of the page. */
  get against() { return now.against?.data; },
  over: (lines, pick) => (now.against?.data ? now.against.over(lines, pick(now.against.data)) : lines),
  difference: (row, then) => now.against.cell(row, then),
  get comparable() { return Boolean(now.module?.compared); },
  openCell: async (...given) => (await import("./peek.js")).openCell(...given),
};

let peek = null;
/** The peek's module comes with the first trace that is looked at. */
async function syncPeek(exemplars) {
  if (!peek && !route().query.get("trace")) return;
  peek ??= await import("./peek.js");
  peek.syncPeek(exemplars, draw);
}

let clockShift = 0;
const serverNow = () => Date.now() + clockShift;

function asking(at) {
  if (!now.module.path) return "";
  const { path, parameters = {} } = now.module.path(at, context);
  const { written } = range();
  const timed = now.module.timeless ? {} : { from: written.from === "all" && retained.from ? new Date(retained.from).toISOString() : written.from.replace("all", "-6h"), to: written.to, q: at.query.get("q") };
  return question(path, { ...timed, ...parameters });
}

/** The other side of a comparison: with the page, and again as it moves. */
async function loadAgainst() {
  const { asked, data } = now;
  const vs = route().query.get("vs");
  if (!vs || !data || !now.module.compared) {
    if (!now.against) return null;
    now.against = null;
    return draw();
  }
  now.againstAt = Date.now();
  const against = await (await import("./compare.js")).load(asked, data);
  if (asked !== now.asked || vs !== route().query.get("vs")) return null;
  now.against = against;
  return draw();
}

function progress() {
  const timer = setTimeout(() => (place.progress.hidden = false), 400);
  return () => {
    clearTimeout(timer);
    place.progress.hidden = true;
  };
}

async function navigate() {
  const at = route();
  const name = NAMES.has(at.page) ? at.page : "overview";
  const key = `${name}/${at.name}`;
  const moved = key !== now.key;
  closeMenu();
  try {
    const module = await import(`./pages/${(at.name && ONE[name]) || name}.js`);
    if (key !== `${NAMES.has(route().page) ? route().page : "overview"}/${route().name}`) return;
    now.module = module;
  } catch (error) {
    now.error = error;
    return draw();
  }
  now.key = key;
  if (moved) {
    place.content.setAttribute("aria-busy", "true");
    if (!at.query.get("trace")) peek?.syncPeek([], draw);
    now.data = now.against = null;
    now.module.opened?.();
    scrollTo(0, 0);
  }
  if (!now.frame) await first();
  const asked = asking(at);
  drawFrame();
  if (asked !== now.asked || moved || now.error) {
    now.asked = asked;
    draw();
    await load(false, moved);
    if (moved && document.activeElement !== document.body && !document.activeElement?.closest?.("#side, #tools, #ribbon")) place.content.focus({ preventScroll: true });
  } else {
    draw();
    loadAgainst();
  }
}

/** The frame comes first: how much history there is decides what "by default" means. */
async function first() {
  try {
    frameArrived(await ask(question("frame", { columns: ribbonColumns() })));
  } catch {
    // Whatever it was, the page's own question meets it again and shows it.
  }
}

async function load(again = false) {
  abort?.abort();
  const mine = (abort = new AbortController());
  const { signal } = mine;
  place.content.setAttribute("aria-busy", "true");
  const done = progress();
  stop?.();
  stop = null;
  const asked = now.asked;
  try {
    const { written } = range();
    const frameAsked = question("frame", { columns: ribbonColumns(), from: written.from === "all" ? "-6h" : written.from, to: written.to });
    const framing = Date.now() - now.frameAt < 1500 ? null : ask(frameAsked, signal).then(frameArrived);
    framing?.catch(() => {}); // it is awaited below, if the page's own question does not fail first
    if (asked) {
      now.data = await ask(asked, signal);
      now.error = null;
      draw();
      loadAgainst();
    }
    await framing;
    if (now.frame.empty || !asked) now.status = await ask("status", signal);
    now.error = null;
    if (now.frame.empty) draw();
    connected();
    listen(asked);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error instanceof Refused && error.status === 0) lost();
    else now.error = error;
    draw();
    if (error.status === 0) setTimeout(() => asked === now.asked && load(again), 2000);
  } finally {
    done();
    if (abort === mine) place.content.setAttribute("aria-busy", "false");
  }
}

/** Ask anew for a page that is not followed, soon: something has arrived. */
function repoll(asked) {
  clearTimeout(polling);
  polling = setTimeout(() => {
    polledAt = Date.now();
    if (asked === now.asked) ask(asked).then((data) => {
      if (asked !== now.asked) return;
      now.data = data;
      later();
    }, () => {});
  }, Math.max(0, polledAt + now.module.polled * 1000 - Date.now()));
}

/** What arrived after the page was asked for, and before it was followed. */
async function missed(asked, live) {
  await first();
  if (live && now.module.polled) repoll(asked);
}

function listen(asked) {
  stop?.();
  stop = null;
  if (document.hidden) return;
  const live = range().live && asked && !now.module.timeless;
  const following = live && !now.module.polled ? asked : "";
  stop = follow(following, ribbonColumns(), {
    open: () => {
      if (now.lostSince !== null) load(true);
      else missed(asked, live);
      connected();
    },
    frame: (fresh) => {
      if (live && now.module.polled) repoll(asked);
      try {
        frameArrived(fresh.ribbon && now.frame ? merge(now.frame, fresh) : fresh);
      } catch (error) {
        if (!(error instanceof Discontinuous)) throw error;
        load(true);
      }
    },
    step: (fresh) => {
      try {
        now.data = merge(now.data, fresh);
      } catch (error) {
        if (!(error instanceof Discontinuous)) throw error;
        return load(true);
      }
      announce();
      later();
      if (now.against && Date.now() - now.againstAt > 5000) loadAgainst();
    },
    reload: () => load(true),
    lost,
  });
}

function frameArrived(frame) {
  const wasEmpty = now.frame?.empty;
  now.frame = frame;
  now.frameAt = Date.now();
  clockShift = frame.now * 1000 - Date.now();
  retained.from = frame.retained ? frame.retained * 1000 : null;
  drawFrame();
  if (now.asked && asking(route()) !== now.asked) navigate(); // with more history, "by default" is a longer range
  else if (wasEmpty && !frame.empty) load(true);
  else if (frame.empty && now.status && !document.hidden) ask("status").then((status) => { now.status = status; if (now.frame.empty) draw(); }, () => {});
}

function drawFrame() {
  if (document.activeElement?.id !== "filter") drawTools(place.tools, now.lostSince === null);
  drawSide(place.side, now.frame);
  if (now.frame) ribbon.update(now.frame.ribbon);
}

/** A new finding is said; other changes are not. */
function announce() {
  const ids = (now.data?.findings ?? []).map((f) => f.id);
  if (findings) {
    const fresh = (now.data?.findings ?? []).find((f) => !findings.has(f.id));
    if (fresh) say(localTimes(`${fresh.subject}: ${fresh.sentence.map((p) => p.text).join("")}`));
  }
  findings = new Set(ids);
}

/** Draw soon: not while somebody points at something for longer than a second. */
function later() {
  if (held) pending = true;
  else requestAnimationFrame(draw);
}

let holding = 0;
document.addEventListener("pointerover", (event) => {
  clearTimeout(holding);
  const inside = event.target.closest?.(".chart, #peek, .menu");
  if (!inside) return release();
  holding = setTimeout(() => (held = 1), 1000);
});
document.documentElement.addEventListener("pointerleave", () => release());
function release() {
  clearTimeout(holding);
  held = 0;
  if (pending) later();
  pending = false;
}

function draw() {
  const { module, data, frame, status, error } = now;
  if (error) {
    drawTitle(module?.title?.(route()) ?? "otelkit", "");
    return morph(place.content, [failure(error, () => load(true))]);
  }
  if (frame?.empty && !module?.whenEmpty) {
    const since = status ? Math.max(0, Math.round(status.now - status.started)) : 0;
    drawTitle("Nothing yet", status ? `listening for ${since < 120 ? `${since} s` : `${Math.round(since / 60)} min`}` : "");
    return morph(place.content, status ? nothing(() => states.nothingYet(status, loadFiles)) : []);
  }
  if (!module) return null;
  if (!data) {
    drawTitle(module.title?.(route()) ?? "otelkit", "");
    return morph(place.content, []);
  }
  const { title, verdict = "", extra = [], children } = module.draw(data, context);
  drawTitle(title, verdict, extra);
  const ignored = data.range?.ignored ?? [];
  return morph(place.content, [
    ignored.length ? h("p", { class: "note", key: "ignored" }, ignored.map((each) => [h("b", null, each.term), ` ${each.reason} `])) : null,
    now.against ? h("p", { class: "note", key: "against" }, now.against.note) : null,
    ...children.map((child) => (child?.nothing ? nothing(() => states.nothingOfKind(child.nothing, child.text)) : child)).flat(),
    exported(data),
  ]);
}

/** Lists and heatmaps of an answer, as its CSV names them. */
const partsOf = (data, at = "") => Object.entries(data).flatMap(([name, v]) =>
  Array.isArray(v) ? (v[0]?.constructor === Object && !v[0].values ? [at + name] : []) : v?.edges ? [at + name] : v && name === "chosen" ? partsOf(v, "chosen.") : []);

/** What is on the page, to take away. */
function exported(data) {
  const link = (text, format, part) => [" ", h("a", { href: address(`${now.asked}${now.asked.includes("?") ? "&" : "?"}${new URLSearchParams({ format, ...(part && { part }) })}`), download: `${now.key.replace(/\W+/g, "-")}${part ? `-${part}` : ""}.${format}` }, text)];
  return h("p", { class: "note exports", key: "exports" }, "This page as", link("JSON", "json"), ", as CSV:", link("lines", "csv"), partsOf(data).map((part) => [",", link(part, "csv", part)]));
}

let states = null;
/** What to paste; its module comes only where there is no data. */
function nothing(make) {
  if (states) return [make()];
  import("./states.js").then((module) => {
    states = module;
    draw();
  });
  return [];
}

function lost() {
  if (now.lostSince === null) now.lostSince = Date.now();
  place.notice.textContent = `Not connected since ${clock(now.lostSince, "s")}, trying again`;
  drawFrame();
}

function connected() {
  if (now.lostSince === null) return;
  now.lostSince = null;
  place.notice.textContent = "";
  drawFrame();
}

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
async function loadFiles(files) {
  if (!(await (await import("./recording.js")).load([...files]))) return;
  now.frameAt = 0; // with the first data the page is another one
  load(true);
}
window.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  place.notice.textContent = "Drop a recording here: lines of OTLP-JSON";
});
window.addEventListener("dragleave", (event) => event.relatedTarget || (place.notice.textContent = ""));
window.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  loadFiles(event.dataTransfer.files);
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stop?.();
    stop = null;
  } else if (now.asked || now.frame) load(true);
});
window.addEventListener("hashchange", navigate);
window.addEventListener("resize", () => now.module && requestAnimationFrame(draw));
window.addEventListener("themechange", () => now.module && draw());

applyTheme();
ribbon = mountRibbon(place.ribbon);
bindKeys(context);
drawFrame();
navigate();
