// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// A chart with its title, its caption and, with "v", its data as a table.

import { h } from "./dom.js";
import { asTables } from "./keyboard.js";
import { linePlot, lineTable } from "./plot.js";
import { change, fixed } from "./state.js";

const zoom = (from, to) => change(fixed(from, Math.max(to, from + 1000)));

/** Lines below a title. `more`: what linePlot takes. */
export function lineFigure(title, sub, axis, lines, more = {}) {
  const props = { axis, lines, zoom, ...more };
  return h("figure", { "data-promql": more.promql ?? null }, title ? h("div", { class: "title" }, h("h2", null, title), h("span", { class: "sub" }, sub), more.tools ?? null) : null,
    h("figcaption", { class: "unseen" }, `${title || more.label}, ${sub}`), linePlot(props, `${title || more.label}: ${lines.map((l) => l.name).join(", ")}`), asTables() ? lineTable(props) : null);
}
