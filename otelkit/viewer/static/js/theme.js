// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Dark, light, or what the system says.

const ORDER = ["system", "dark", "light"];
const KEY = "otelkit.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

const chosen = () => (ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system");

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
  localStorage.setItem(KEY, theme);
  applyTheme();
  return theme;
}

system.addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
