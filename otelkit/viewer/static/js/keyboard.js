// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The keyboard map. A part that knows keys of its own (heatmap, waterfall, peek) handles them first and stops them.

import { remembered, say } from "./dom.js";
import { closeMenu, menus, openedMenu, PAGES } from "./frame.js";
import { change, fixed, go, range, route, to, toggleLive } from "./state.js";

export const OFF = "otelkit.keys";

/** Tell in passing what a key did. */
export function told(text) {
  say(text);
  const tip = document.getElementById("notice");
  tip.textContent = text;
  setTimeout(() => tip.textContent === text && (tip.textContent = ""), 1800);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    told(`${what} copied`);
  } catch {
    told(text);
  }
}

function rows(delta) {
  const all = [...document.querySelectorAll("#content [data-row] a, #content a[data-row], #content button[data-row]")].filter((a) => a.offsetParent);
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = all[at < 0 ? (delta > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + delta))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function shift(share) {
  const { from, to: end } = range();
  const delta = (end - from) * share;
  change(fixed(from + delta, end + delta));
}

function zoom(factor) {
  const { from, to: end, live } = range();
  const size = Math.max(10e3, (end - from) * factor);
  if (live) change({ from: `-${Math.round(size / 1000)}s`, to: null });
  else change(fixed((from + end) / 2 - size / 2, (from + end) / 2 + size / 2));
}

const up = () => {
  const { page, name } = route();
  go(to(name ? page : ""));
};

/** Charts as tables, everywhere on the page: kept until it is turned off. */
export const asTables = () => document.documentElement.dataset.tables === "1";
function tables(context) {
  if (asTables()) delete document.documentElement.dataset.tables;
  else document.documentElement.dataset.tables = "1";
  context.draw();
}

export function bindKeys(context) {
  let leader = 0;
  const keys = {
    "/": () => document.getElementById("filter").focus(),
    "?": () => menus("help"),
    j: () => rows(1), k: () => rows(-1),
    "[": () => shift(-0.5), "]": () => shift(0.5),
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
    l: toggleLive, t: () => menus("openRange"), c: () => (context.comparable ? menus("openCompare") : told("nothing here is compared")),
    d: () => told(`theme: ${nextTheme()}`),
    v: () => tables(context),
    x: () => change({ failures: route().query.get("failures") ? null : "1" }),
    y: () => {
      const { from, to: end } = range();
      const link = new URL(location.href);
      const query = route().query;
      for (const [k, v] of Object.entries(fixed(from, end))) query.set(k, v);
      link.hash = `${link.hash.split("?")[0]}?${query}`;
      copy(link.href, "Link");
    },
    p: () => {
      const source = document.activeElement?.closest?.("[data-promql]") ?? document.querySelector("[data-promql]");
      if (source) copy(source.dataset.promql, "PromQL");
      else told("nothing here has PromQL");
    },
    s: () => menus("save"),
    e: () => {
      const map = document.querySelector(".heatmap");
      map?.focus();
      map?.dispatchEvent(new KeyboardEvent("keydown", { key: "e" }));
    },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape") {
      if (openedMenu()) return closeMenu();
      if (document.querySelector("dialog[open]")) return;
      if (event.target.matches?.("input, select, textarea")) return event.target.blur();
      const asked = new CustomEvent("escape", { cancelable: true });
      if (window.dispatchEvent(asked)) up();
      return;
    }
    if (event.target.matches?.("input, select, textarea") || document.querySelector("dialog[open]")) return;
    if (remembered(OFF) === "off" && event.key !== "?") return;
    if (Date.now() - leader < 1500) {
      leader = 0;
      const page = PAGES.find(([, , , key]) => key === event.key);
      if (page) {
        event.preventDefault();
        return go(to(page[0] === "overview" ? "" : page[0]));
      }
    }
    if (event.key === "g") leader = Date.now();
    else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
}

// -- dark, light, or what the system says

const ORDER = ["system", "dark", "light"];
const THEME = "otelkit.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

const chosen = () => (ORDER.includes(remembered(THEME)) ? remembered(THEME) : "system");

/** Put the chosen theme on the page and tell the canvases. */
export function applyTheme() {
  const theme = chosen();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  window.dispatchEvent(new Event("themechange"));
}

/** The next of system, dark, light; returns its name. */
export function nextTheme() {
  const theme = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
  remembered(THEME, theme);
  applyTheme();
  return theme;
}

dark.addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
