// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is known of one span: attributes, and the metrics around it.

import { h } from "./dom.js";
import { quantity, shown, text } from "./format.js";
import { spark } from "./marks.js";
import { change, partOf, route, to, segment, withPart } from "./state.js";

const TRACED = /^(error\.|exception\.)/;

/** Attributes as text, each with "only" and "without" for the filter. */
export function attributeList(span, most = 400, extra = []) {
  const entries = Object.entries(span.attributes);
  if (span.error_type && !("error.type" in span.attributes)) entries.unshift(["error.type", span.error_type]);
  entries.sort((a, b) => TRACED.test(b[0]) - TRACED.test(a[0]));
  const pick = (name, value, without) => h("button", { type: "button", on: { click: () => change({ q: withPart(route().query.get("q"), partOf(name, value, without)) }) } }, without ? "without" : "only");
  return h("dl", { class: "attributes" }, entries.slice(0, most).map(([name, value]) => {
    const hidden = span.masked?.includes(name);
    return [h("dt", null, name), h("dd", { class: hidden ? "masked" : name === "error.type" ? "err" : "" }, h("span", null, hidden ? "masked" : String(value)),
      hidden || extra.length ? null : h("span", { class: "pick" }, pick(name, value, false), " ", pick(name, value, true)))];
  }), extra.map(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

/** Metrics around the span: those outside of their usual range keep their colour. */
export function momentRows(moment, most = 5) {
  const { axis } = moment.range;
  const at = ((moment.start + moment.end) / 2 - axis.start) / (axis.step * axis.count);
  return moment.lines.slice(0, most).map(({ metric, why, line, here }) => {
    const odd = line.status !== "ok";
    return h("div", { class: "moment", title: `${metric}: ${why}` },
      h("div", null, h("div", { class: "label" }, h("a", { href: to(`metrics/${segment(metric)}`) }, line.name)),
        shown(quantity(here, line.unit)), line.limit ? h("small", null, `of ${text(quantity(line.limit, line.unit))}`) : null,
        line.usual ? h("small", null, `usual ${text(quantity(line.usual.middle, line.unit))}`) : null),
      h("div", { class: "momentline" }, h("i", { style: { left: `${Math.max(0, Math.min(1, at)) * 100}%` } }), spark(line.values, { width: 122, height: 26, tone: odd ? "data" : "" })));
  });
}
