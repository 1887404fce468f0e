// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// One distribution as bars, on a linear or a log axis, with marks on top of it.

import { canvasOf, colour, dataTable, drawn, h, hideTip, onWidth, part, showTip } from "./dom.js";
import { brief, percent, roundSteps, text, whole } from "./format.js";
import { closedEdges } from "./marks.js";

const HEIGHT = 208;

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  place.append(canvas);
  let view = null;
  const own = onWidth(place, draw);

  function draw(width) {
    const { histogram, log } = props;
    const edges = closedEdges(histogram.edges);
    const used = histogram.counts.map((c, i) => (c ? i : -1)).filter((i) => i >= 0);
    const [low, high] = [used[0] ?? 0, (used.at(-1) ?? 0) + 1];
    const b = Math.max(edges[high], ...(props.dots ?? []).map((d) => d.value * 1.3), props.threshold ? props.threshold * 1.2 : 0);
    const a = log ? Math.max(edges[low], b / 1e6) : edges[low];
    const map = log ? Math.log : (v) => v;
    const x = (v) => 6 + ((map(Math.max(v, a)) - map(a)) / (map(b) - map(a) || 1)) * (width - 12);
    const bottom = HEIGHT - 24;
    const most = Math.max(...histogram.counts, 1);
    const top = props.mark ? 48 : 22;
    const y = (count) => bottom - (count / most) * (bottom - top);
    const c = canvasOf(canvas, width, HEIGHT);
    view = { x, edges, bottom };
    c.font = "11px Inter, system-ui, sans-serif";
    c.textAlign = "center";
    c.textBaseline = "middle";
    let lastLabel = -1e9;
    histogram.counts.forEach((count, i) => {
      const [x1, x2] = [x(edges[i]), x(edges[i + 1])];
      if (i < low || i >= high) return;
      const largest = count === most;
      c.fillStyle = colour(props.token ?? (largest && !log ? "data" : log ? "data-dim" : "mute"));
      if (count) c.fillRect(x1, y(count), Math.max(1, x2 - x1 - 1), bottom - y(count));
      if (props.shares && count / histogram.total > 0.005 && x2 - x1 > 26) {
        c.fillStyle = colour(largest ? "t1" : "t2");
        c.font = `${largest ? "600 " : ""}11px Inter, system-ui, sans-serif`;
        c.fillText(text(percent(count / histogram.total, true)), (x1 + x2) / 2, y(count) - 9);
        c.font = "11px Inter, system-ui, sans-serif";
      }
      if (props.labels === "bars") {
        const label = props.write(edges[i + 1]);
        const at = (x1 + x2) / 2;
        if (at - lastLabel > 34) {
          c.fillStyle = colour("t3");
          c.fillText(label, at, bottom + 13);
          lastLabel = at;
        }
      }
    });
    c.fillStyle = colour("line2");
    c.fillRect(0, bottom, width, 1);
    if (log) for (const v of roundSteps(a, b)) {
      if (x(v) - lastLabel < 44) continue;
      lastLabel = x(v);
      c.fillStyle = colour("t3");
      c.fillText(brief(v), Math.max(16, Math.min(width - 18, x(v))), bottom + 13);
    }
    if (props.mark) vertical(c, x(props.mark.value), colour("t1"), [], [props.mark.name, props.mark.text], bottom, 20, width);
    if (props.threshold) vertical(c, x(props.threshold), colour("t3"), [2, 3], [props.thresholdName], bottom, bottom / 2 - 10, width);
    const dots = props.dots ?? [];
    if (dots.length) {
      view.dots = dots.map((d, i) => ({ d, x: x(d.value), y: bottom - 8 - 10 * (dots.slice(0, i).filter((o) => Math.abs(x(o.value) - x(d.value)) < 8).length % 6) }));
      c.fillStyle = colour("warn");
      for (const dot of view.dots) {
        c.beginPath();
        c.arc(dot.x, dot.y, 4, 0, 7);
        c.fill();
      }
      const mid = Math.min(width - 60, Math.max(60, view.dots.reduce((sum, d) => sum + d.x, 0) / dots.length));
      const highest = Math.min(...view.dots.map((d) => d.y));
      c.font = "600 11px Inter, system-ui, sans-serif";
      c.fillText(props.dotsText[0], mid, highest - 32);
      c.font = "11px Inter, system-ui, sans-serif";
      c.fillStyle = colour("t2");
      c.fillText(props.dotsText[1], mid, highest - 17);
    }
  }

  place.addEventListener("pointermove", (event) => {
    const px = event.clientX - place.getBoundingClientRect().left;
    const dot = view?.dots?.find((d) => Math.hypot(d.x - px, d.y - (event.clientY - place.getBoundingClientRect().top)) < 9);
    place.style.cursor = dot ? "pointer" : "default";
    const i = view ? view.edges.findIndex((e, k) => px >= view.x(e) && px < view.x(view.edges[k + 1] ?? Infinity)) : -1;
    if (dot) showTip(event, [h("b", null, brief(dot.d.value)), h("div", null, dot.d.text), h("div", null, "click: its trace")]);
    else if (i >= 0 && i < props.histogram.counts.length) showTip(event, [h("b", null, `${props.write(view.edges[i])} – ${props.write(view.edges[i + 1])}`), h("div", null, `${whole(props.histogram.counts[i])} of ${whole(props.histogram.total)}`)]);
    else hideTip();
  });
  place.addEventListener("pointerleave", hideTip);
  place.addEventListener("click", (event) => {
    const box = place.getBoundingClientRect();
    view?.dots?.find((d) => Math.hypot(d.x - (event.clientX - box.left), d.y - (event.clientY - box.top)) < 14)?.d.open();
  });
  return drawn(own, (next) => (props = next));
}

function vertical(c, x, stroke, dash, lines, bottom, top, width) {
  c.strokeStyle = stroke;
  c.lineWidth = 1.5;
  c.setLineDash(dash);
  c.beginPath();
  c.moveTo(x, top + lines.length * 14 - 4);
  c.lineTo(x, bottom);
  c.stroke();
  c.setLineDash([]);
  const at = Math.min(width - 40, Math.max(30, x));
  lines.forEach((line, i) => {
    c.fillStyle = colour(i ? "t1" : "t2");
    c.font = `${i ? "600 " : ""}11px Inter, system-ui, sans-serif`;
    c.fillText(line, at, top - 6 + i * 14);
  });
  c.font = "11px Inter, system-ui, sans-serif";
}

/** props: histogram, log, write(value), labels, shares, mark { value, name, text }, threshold, dots [{ value, text, open }]. */
export const histogram = (props, label) => part(mount, props, { class: "chart", role: "img", "aria-label": label });

/** The same as a table. */
export const histogramTable = ({ histogram: data, write }) => dataTable("Distribution", ["From", "To", "Count"],
  data.counts.map((count, i) => [...[data.edges[i], data.edges[i + 1]].map((e) => (e === null ? "–" : write(e))), whole(count)]), 2);
