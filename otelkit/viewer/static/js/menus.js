// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// What opens on demand: further pages, the range, completion of the filter, what to compare with, the keys.

import { ask, question } from "./api.js";
import { h, remembered } from "./dom.js";
import { isUtc, setUtc, zone } from "./format.js";
import { closeMenu, openedMenu, openMenu, PAGES, PRESETS } from "./frame.js";
import { OFF, told } from "./keyboard.js";
import { change, fixed, moment, route, to, UNITS } from "./state.js";

export function openMore(anchor) {
  if (openedMenu()) return closeMenu();
  openMenu(anchor, [...PAGES.filter((p) => !p[4]), ["otelkit", "otelkit’s own cost"]].map(([name, title]) =>
    h("a", { href: to(name), on: { click: closeMenu } }, title)), true).querySelector("a").focus();
}

export function openRange() {
  const anchor = document.getElementById("range");
  if (openedMenu()) return closeMenu();
  const choose = (changes) => () => {
    closeMenu();
    change(changes);
    anchor.focus();
  };
  const input = h("input", { type: "text", placeholder: "14:30 to 14:45, -2h", "aria-label": "Type a range", on: { keydown: (event) => {
    if (event.key !== "Enter") return;
    const changes = typed(event.currentTarget.value, isUtc());
    if (changes) choose(changes)();
    else event.currentTarget.setAttribute("aria-invalid", "true");
  } } });
  const box = openMenu(anchor, [
    PRESETS.map(([value, name]) => h("button", { type: "button", on: { click: choose({ from: `-${value}`, to: null }) } }, `Last ${name}`)),
    h("button", { type: "button", on: { click: choose({ from: "all", to: null }) } }, "All that is kept"),
    h("p", null, input),
    h("label", null, h("input", { type: "checkbox", checked: isUtc(), on: { change: (event) => { setUtc(event.currentTarget.checked); closeMenu(); window.dispatchEvent(new HashChangeEvent("hashchange")); } } }), "Times in UTC"),
    h("p", null, `Times are in ${zone()}.`),
    h("button", { type: "button", on: { click: () => { closeMenu(); openCompare(); } } }, "Compare with …", h("kbd", null, "c")),
  ]);
  box.querySelector("button").focus();
}

let completing = null;
export async function complete(input) {
  completing?.abort();
  completing = new AbortController();
  let found;
  try {
    found = await ask(question("complete", { q: input.value }), completing.signal);
  } catch {
    return;
  }
  if (document.activeElement !== input) return;
  if (!found.suggestions.length) return closeMenu();
  const choose = (entry) => {
    closeMenu();
    if (entry.route) {
      input.value = route().query.get("q") ?? "";
      input.blur();
      location.hash = entry.route.replace(/^#?/, "#");
    } else {
      input.value = entry.text;
      input.focus();
    }
  };
  const box = openMenu(input.parentElement, found.suggestions.map((entry) =>
    h("button", { type: "button", tabindex: "-1", on: { click: () => choose(entry) } }, h("span", null, entry.text), h("small", null, entry.detail))));
  box.dataset.kind = "complete";
}

export function filterKey(key, input) {
  const menu = openedMenu();
  const options = menu?.dataset.kind === "complete" ? [...menu.querySelectorAll("button")] : [];
  const at = options.findIndex((o) => o.getAttribute("aria-selected") === "true");
  if (key === "ArrowDown" || key === "ArrowUp") {
    options[at]?.removeAttribute("aria-selected");
    options.at((at + (key === "ArrowDown" ? 1 : at < 0 ? 0 : -1)) % (options.length || 1))?.setAttribute("aria-selected", "true");
  } else if (key === "Enter" && at >= 0) options[at].click();
  else {
    closeMenu();
    if (key === "Enter") change({ q: input.value.trim() || null });
    else input.value = route().query.get("q") ?? "";
    input.blur();
  }
}

/** With what the page is compared: the time before, a second range, another value of a label. */
export function openCompare() {
  const anchor = document.getElementById("range");
  if (openedMenu()) return closeMenu();
  const choose = (vs) => () => {
    closeMenu();
    change({ vs });
    anchor.focus();
  };
  const given = route().query.get("vs");
  const input = h("input", { type: "text", placeholder: "tier=free", "aria-label": "Another value of a label", on: { keydown: (event) => {
    if (event.key !== "Enter") return;
    const value = event.currentTarget.value.trim();
    if (/^[^=\s]+=\S/.test(value)) choose(value)();
    else event.currentTarget.setAttribute("aria-invalid", "true");
  } } });
  const button = (vs, text) => h("button", { type: "button", "aria-pressed": given === vs ? "true" : "false", on: { click: choose(vs) } }, text);
  openMenu(anchor, [
    h("p", null, "Compare with"), button("previous", "The time before"), button("-1d", "A day before"), button("-7d", "A week before"),
    h("p", null, "another value of a label", input), h("p", null, "or a second range: drag on the ribbon with Shift"),
    given ? button(null, "Compare no more") : null,
  ].filter(Boolean)).querySelector("button").focus();
}

/** Read what somebody typed: "14:30 to 14:45", "-2h", "90 min", ISO; changes of the address, or null. */
function typed(text, utc = false) {
  const one = /^-?\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)\w*$/.exec(text.trim());
  if (one) return { from: `-${one[1]}${one[2][0]}`, to: null };
  const two = text.split(/\s+(?:to|-|–)\s+|\s*–\s*/);
  if (two.length !== 2) return null;
  const [from, end] = two.map((part) => clockOf(part.trim(), utc));
  if (from === null || end === null) return null;
  return fixed(from > end ? from - UNITS.d : from, end);
}

function clockOf(text, utc) {
  const match = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (!match) return moment(text, Date.now());
  const date = new Date();
  if (utc) date.setUTCHours(match[1], match[2], match[3] ?? 0, 0);
  else date.setHours(match[1], match[2], match[3] ?? 0, 0);
  return date.getTime();
}

// -- what keys ask for

const MAP = [
  ["g then o s t i b h m", "go to a page"], ["/", "filter or jump"],
  ["j  k", "next, previous row or exemplar"], ["Enter", "open"],
  ["Esc", "close, then up"], ["[  ]", "half a window back, forward"],
  ["+  -", "zoom time"], ["l", "Live or Fixed"],
  ["c", "compare"], ["x", "failures only"],
  ["arrows", "move the crosshair or cell"], ["e", "nearest exemplar"],
  ["v", "charts as tables"], ["t", "time range"],
  ["y  p", "copy link, PromQL"], ["s", "save the chart as PNG"],
  ["d", "dark, light, system"], ["?", "these keys"],
];

/** List the keys. */
export function help() {
  if (document.querySelector("dialog[open]")) return;
  const off = remembered(OFF) === "off";
  const dialog = h("dialog", { "aria-label": "Keyboard", on: { close: (event) => event.currentTarget.remove() } },
    h("button", { type: "button", class: "close", on: { click: () => dialog.close() } }, "Close ", h("kbd", null, "Esc")),
    h("h2", null, "Keyboard"),
    h("div", { class: "keys" }, MAP.map(([keys, does]) => h("div", null, h("span", null, does), h("span", null, keys.split("  ").map((k) => [h("kbd", null, k), " "]))))),
    h("p", { class: "note" }, h("label", null, h("input", { type: "checkbox", checked: !off, on: { change: (event) => remembered(OFF, event.currentTarget.checked ? "on" : "off") } }), " single keys act")));
  document.body.append(dialog);
  dialog.showModal();
}

/** Save the chart in focus, or the first, as PNG. */
export function save() {
  const canvas = document.activeElement?.closest?.("figure")?.querySelector("canvas") ?? document.querySelector("#content figure canvas");
  if (!canvas) return told("no chart to save");
  const flat = document.createElement("canvas");
  [flat.width, flat.height] = [canvas.width, canvas.height];
  const context = flat.getContext("2d");
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, flat.width, flat.height);
  context.drawImage(canvas, 0, 0);
  flat.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "otelkit.png";
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
