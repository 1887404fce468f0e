// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// What surrounds every page: pages with their counts, who sends, what that costs; filter, range, Live.

import { h, morph, s } from "./dom.js";
import { clock, count, figures, localTimes, text, whole } from "./format.js";
import { change, range, route, to, toggleLive } from "./state.js";

const ICONS = {
  overview: "M1.5 3h11M1.5 7h7M1.5 11h10",
  services: "M2 1.8h10v4H2zM2 8.2h10v4H2z",
  traces: "M1 2.5h7M4 7h8M7 11.5h6",
  inference: "M7 1 12.5 4v6L7 13 1.5 10V4zM1.5 4 7 7l5.5-3M7 7v6",
  batch: "M1.5 2.5h3v3h-3zM5.7 2.5h3v3h-3zM9.8 2.5h2.7v3H9.8zM1.5 8.5h3v3h-3zM5.7 8.5h3v3h-3z",
  hosts: "M3.5 3.5h7v7h-7zM5 1v2.5M9 1v2.5M5 10.5V13M9 10.5V13M1 5h2.5M1 9h2.5M10.5 5H13M10.5 9H13",
  metrics: "M1 11.5 4.5 6.5 7.5 8.5 13 2",
  more: "M2.5 7h.01M7 7h.01M11.5 7h.01",
};

/** [page, title, count's name, key after "g", shown on a phone's bar] */
export const PAGES = [
  ["overview", "Overview", null, "o", true],
  ["services", "Services", "services", "s", true],
  ["traces", "Traces", "traces", "t", true],
  ["inference", "Inference", "inference", "i", false],
  ["batch", "Batch & jobs", "batch", "b", true],
  ["hosts", "Hosts & GPUs", "hosts", "h", false],
  ["metrics", "Metrics", "metrics", "m", false],
];

export const icon = (d, size = 14) => s("svg", { viewBox: "0 0 14 14", width: size, height: size, fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-linejoin": "round", "stroke-linecap": "round", "aria-hidden": "true" }, s("path", { d }));
const brand = (kind) => h("a", { class: `brand ${kind}`, href: to(""), "aria-label": "otelkit: Overview" }, h("img", { src: "static/icon.svg", alt: "" }), h("span", { class: "word" }, "otelkit"));

export function drawSide(place, frame) {
  const { page } = route();
  const counts = frame?.counts ?? {};
  const item = ([name, title, counted, , onPhone]) =>
    h("li", { class: onPhone ? "" : "later" }, h("a", { href: to(name === "overview" ? "" : name), title, "aria-current": page === name ? "page" : null },
      icon(ICONS[name]), h("span", { class: "word" }, name === "batch" ? ["Batch", h("span", { class: "wide-only" }, " & jobs")] : title),
      counted && counts[counted] ? h("span", { class: "n" }, whole(counts[counted])) : null));
  const more = h("li", { class: "more" }, h("a", { href: "#more", on: { click: (event) => { event.preventDefault(); menus("openMore", event.currentTarget); } } }, icon(ICONS.more), h("span", { class: "word" }, "More")));
  morph(place, [brand("wide"), h("ul", { class: "nav" }, PAGES.map(item), more), senders(frame), cost(frame)]);
}

function senders(frame) {
  const list = frame?.senders ?? [];
  return h("div", { class: "senders" }, h("h2", null, "Sending now"),
    h("ul", null, list.length
      ? list.slice(0, 12).map((sender) => h("li", { class: sender.stale ? "gone" : "", title: sender.every ? `reports every ${figures(sender.every)} s` : null },
        h("span", null, sender.name), h("span", null, sender.stale ? `last seen ${clock(sender.last_seen * 1000, "s")}` : sender.detail)))
      : h("li", { class: "gone" }, "no process yet")));
}

function cost(frame) {
  const own = frame?.own;
  const value = (v, write) => (v === null || v === undefined ? "–" : write(v));
  return h("a", { class: "own", href: to("otelkit"), title: "otelkit's own cost", "aria-current": route().page === "otelkit" ? "page" : null },
    h("span", null, "otelkit’s own cost"),
    h("div", null,
      h("span", null, h("b", null, value(own?.cpu ?? own?.viewer_cpu, (v) => figures(v * 100, 2))), " % ", h("span", { class: "word" }, "CPU")),
      h("span", { title: own && own.viewer_memory === null ? "the viewer runs inside the program, which has its own" : null }, h("b", null, value(own?.viewer_memory, (v) => whole(v / 1e6))), " MB"),
      h("span", { class: own?.dropped ? "lost" : "" }, h("b", null, value(own?.dropped, (v) => text(count(v)))), " ", h("span", { class: "word" }, "dropped"))));
}

/** What opens below or above something: its module comes with the first of them. */
export const menus = async (name, ...given) => (await import("./menus.js"))[name](...given);
const KEYS = ["ArrowDown", "ArrowUp", "Enter", "Escape"];
function filterKeys(event) {
  if (!KEYS.includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  menus("filterKey", event.key, event.currentTarget);
}

let menu = null;
export function closeMenu() {
  menu?.remove();
  menu = null;
  document.querySelectorAll('[aria-expanded="true"]').forEach((b) => b.setAttribute("aria-expanded", "false"));
}
export const openedMenu = () => menu;

export function openMenu(anchor, children, above = false) {
  closeMenu();
  menu = h("div", { class: "menu" }, children);
  document.body.append(menu);
  const at = anchor.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - menu.offsetWidth - 8))}px`;
  if (above) {
    menu.style.position = "fixed";
    menu.style.bottom = `${innerHeight - at.top + 4}px`;
  } else menu.style.top = `${at.bottom + scrollY + 4}px`;
  anchor.setAttribute("aria-expanded", "true");
  return menu;
}
document.addEventListener("pointerdown", (event) => menu && !menu.contains(event.target) && !event.target.closest("[aria-expanded]") && closeMenu());

export const PRESETS = [["5m", "5 min"], ["15m", "15 min"], ["1h", "1 h"], ["6h", "6 h"]];

function label(now, short) {
  if (!now.live) return `${clock(now.from)} – ${clock(now.to)}`;
  if (now.written.from === "all") return "All";
  const preset = PRESETS.find(([value]) => `-${value}` === now.written.from);
  return `${short ? "" : "Last "}${preset ? preset[1] : now.written.from.slice(1)}`;
}

export function drawTools(place, connected = true) {
  const now = range();
  const q = route().query.get("q") ?? "";
  const filter = h("input", { type: "search", id: "filter", placeholder: "Filter or jump to", "aria-label": "Filter or jump to", autocomplete: "off", spellcheck: "false", value: q, on: {
    input: (event) => menus("complete", event.currentTarget), keydown: filterKeys,
    change: (event) => { if (event.currentTarget.value.trim() === "" && q) change({ q: null }); },
    blur: () => setTimeout(() => menu?.dataset.kind === "complete" && closeMenu(), 150) } });
  const input = place.querySelector("#filter");
  morph(place, [brand("phone"),
    h("label", { class: `control filter ${q ? "on" : ""}` }, s("svg", { class: "only-phone", viewBox: "0 0 14 14", "aria-hidden": "true" }, s("path", { d: "M6 1.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M9.4 9.4 13 13" })), filter, h("kbd", null, "/")),
    h("button", { type: "button", id: "range", class: "control", "aria-haspopup": "true", "aria-expanded": "false", on: { click: () => menus("openRange") } },
      h("span", { class: "wide-only" }, label(now)), h("span", { class: "only-phone" }, label(now, true)), s("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, s("path", { d: "M1.5 3 5 6.5 8.5 3" }))),
    h("button", { type: "button", id: "live", class: "control", "aria-pressed": now.live ? "true" : "false", on: { click: toggleLive } },
      now.live ? h("span", { class: `dot ${connected ? "" : "hollow"}` }) : s("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, s("path", { d: "M2 1 9 5 2 9Z" })), now.live ? "Live" : "Fixed")]);
  if (input && document.activeElement !== input) input.value = q;
}

/** Title and verdict; both are text, `extra` are elements after it. */
export function drawTitle(title, verdict = "", extra = []) {
  const place = document.getElementById("title");
  verdict = localTimes(verdict);
  morph(place, [h("h1", null, title), h("p", { class: "verdict", title: verdict }, verdict, extra)]);
  document.title = `${title} · otelkit`;
}

/** What failed, what it means, the remedy: in the place of the part that failed. */
export function failure(error, again) {
  return h("div", { class: "error", role: "alert" }, h("p", null, h("b", null, error.message)), error.remedy ? h("p", null, error.remedy) : null,
    again ? h("p", null, h("button", { type: "button", class: "control", on: { click: again } }, "Try again")) : null);
}
