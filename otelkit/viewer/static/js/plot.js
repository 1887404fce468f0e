// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Lines and stacks over time, by uPlot: one crosshair over all of them, each series' name and last value at its end.

import uPlot from "../vendor/uPlot.esm.js";
import { colour, dataTable, fitted, h, hideTip, onWidth, part, showTip } from "./dom.js";
import { clock, clockTicks, quantity, text, ticks } from "./format.js";
import { asTables } from "./keyboard.js";
import { change, fixed } from "./state.js";

const FONT = "11px Inter, system-ui, sans-serif";
const RIGHT = 128;

/** Greys after the first; a line that is outside of its usual range has its own tone. */
function tokenOf(line, i, lines) {
  if (line.token) return line.token;
  if (line.status && line.status !== "ok") return line.status;
  if (line.total) return "t1";
  const first = lines.findIndex((l) => !l.total);
  return i === first ? "data" : ["t3", "mute", "t2", "line2"][(i - first - 1) % 4];
}

function cumulated(lines) {
  const sums = [];
  const out = [];
  for (const line of lines) {
    out.push(line.values.map((v, i) => (v === null ? null : (sums[i] = (sums[i] ?? 0) + v))));
  }
  return out;
}

function mount(place, first) {
  let props = first;
  let plot = null;
  let shape = "";
  let top = 0;
  let below = 0;
  const own = onWidth(place, build);

  const unit = () => props.unit ?? props.lines[0]?.unit ?? "1";
  const write = (value) => quantity(value, unit());

  function data() {
    const { axis, lines } = props;
    const x = Array.from({ length: axis.count }, (_, i) => axis.start + (i + 0.5) * axis.step);
    return [x, ...(props.stacked ? cumulated(lines).reverse() : lines.map((l) => l.values))];
  }

  /** The upper end of the axis: grows at once, shrinks after 30 s below 60 %. */
  function upper() {
    const values = props.stacked ? cumulated(props.lines).at(-1) ?? [] : props.lines.flatMap((l) => [...l.values, l.usual?.high ?? 0, ...(props.limits === false ? [] : [l.limit ?? 0])]);
    const most = values.reduce((m, v) => (v > m ? v : m), 0) || 1;
    if (most > top) [top, below] = [most, 0];
    else if (most < 0.6 * top) {
      below ||= Date.now();
      if (Date.now() - below > 30e3 || !props.live) [top, below] = [most, 0];
    } else below = 0;
    return top;
  }

  function yTicks(most) {
    const [, scale] = scaleOf(most);
    const values = ticks(0, most / scale, props.height < 140 ? 2 : 3);
    if (values.at(-1) * scale < most * 0.97) values.push(values.at(-1) + (values[1] ?? 1));
    return values.map((v) => v * scale);
  }
  function scaleOf(most) {
    const u = unit();
    if (u === "s") return [0, most < 1e-6 ? 1e-9 : most < 1e-3 ? 1e-6 : most < 1 ? 1e-3 : most < 7200 ? 1 : 3600];
    if (/^By/.test(u)) return [0, 1024 ** Math.floor(Math.log(Math.max(1, most)) / Math.log(1024))];
    if (u === "1") return [0, 0.01];
    return [0, 1];
  }

  function series() {
    const { lines } = props;
    const entries = lines.map((line, i) => {
      const token = tokenOf(line, i, lines);
      return { label: line.name, stroke: colour(props.stacked ? "bg" : token), width: props.stacked ? 1 : line.total ? 2 : 1.5,
        fill: props.stacked ? colour(token) : props.area && i === 0 ? alpha(colour(token), 0.12) : undefined,
        dash: line.dash, points: { show: (u, s_, from, to) => lonely(u.data[s_], from, to) }, paths: line.every ? uPlot.paths.stepped({ align: 1 }) : undefined, spanGaps: false };
    });
    return [{}, ...(props.stacked ? entries.reverse() : entries)];
  }

  const bandPlugin = {
    hooks: {
      drawClear: [(u) => {
        const { ctx, bbox } = u;
        ctx.save();
        const ratio = devicePixelRatio;
        for (const line of props.lines.slice(0, props.stacked ? 0 : 1)) {
          if (!line.usual) continue;
          const [y1, y2] = [u.valToPos(line.usual.high, "y", true), u.valToPos(line.usual.low, "y", true)];
          ctx.fillStyle = colour("band");
          ctx.fillRect(bbox.left, y1, bbox.width, Math.max(2, y2 - y1));
          ctx.fillStyle = colour("t3");
          ctx.font = `${11 * ratio}px Inter, system-ui, sans-serif`;
          ctx.textAlign = "right";
          ctx.fillText("usual", bbox.left + bbox.width - 6 * ratio, y1 - 5 * ratio);
        }
        ctx.restore();
      }],
      draw: [direct, hatch, limits],
    },
  };

  function direct(u) {
    if (u.width < 420 || props.labels === false) return;
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const order = props.stacked ? cumulated(props.lines) : null;
    const entries = props.lines.map((line, i) => {
      const at = line.values.findLastIndex((v) => v !== null);
      if (at < 0) return null;
      const height = props.stacked ? order[i][at] - line.values[at] / 2 : line.values[at];
      return { line, i, value: line.values[at], y: u.valToPos(height, "y", true) };
    }).filter(Boolean).sort((a, b) => a.y - b.y);
    const pitch = 14 * ratio;
    for (let i = 1; i < entries.length; i++) entries[i].y = Math.max(entries[i].y, entries[i - 1].y + pitch);
    const over = (entries.at(-1)?.y ?? 0) - (bbox.top + bbox.height);
    if (over > 0) {
      entries.at(-1).y -= over;
      for (let i = entries.length - 2; i >= 0; i--) entries[i].y = Math.min(entries[i].y, entries[i + 1].y - pitch);
    }
    ctx.save();
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    const x = bbox.left + bbox.width + 8 * ratio;
    for (const { line, i, value, y } of entries) {
      const token = tokenOf(line, i, props.lines);
      ctx.font = `${11 * ratio}px Inter, system-ui, sans-serif`;
      ctx.fillStyle = colour(token === "mute" || token === "line2" ? "t2" : token);
      const written = (props.brief ?? write)(value);
      const shown = typeof written === "string" ? written : text(written);
      const name = fitted(ctx, line.name, (RIGHT - 12) * ratio - ctx.measureText(` ${shown}`).width);
      ctx.fillText(name, x, y);
      const used = ctx.measureText(`${name} `).width;
      ctx.font = `600 ${11 * ratio}px Inter, system-ui, sans-serif`;
      ctx.fillStyle = colour("t1");
      ctx.fillText(shown, x + used + 2 * ratio, y);
    }
    ctx.restore();
  }

  function hatch(u) {
    let said = false;
    for (const [from, to] of props.hatched ?? []) {
      const { ctx, bbox } = u;
      const ratio = devicePixelRatio;
      const [x1, x2] = [Math.max(bbox.left, u.valToPos(from, "x", true)), Math.min(bbox.left + bbox.width, u.valToPos(to, "x", true))];
      if (x2 <= x1) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(x1, bbox.top, x2 - x1, bbox.height);
      ctx.clip();
      ctx.strokeStyle = colour("t3");
      ctx.globalAlpha = 0.5;
      ctx.lineWidth = ratio;
      ctx.beginPath();
      for (let x = x1 - bbox.height; x < x2; x += 7 * ratio) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
      if (said) continue;
      said = true;
      ctx.font = `${11 * ratio}px Inter, system-ui, sans-serif`;
      ctx.textAlign = "left";
      ctx.fillStyle = colour("bg");
      ctx.fillRect(x2 + 2 * ratio, bbox.top, ctx.measureText("warm-up, kept apart").width + 8 * ratio, 16 * ratio);
      ctx.fillStyle = colour("t2");
      ctx.fillText("warm-up, kept apart", x2 + 6 * ratio, bbox.top + 10 * ratio);
    }
  }

  function limits(u) {
    if (props.limits === false) return;
    const { ctx, bbox } = u;
    const ratio = devicePixelRatio;
    const { limit } = props.lines[0] ?? {};
    if (!limit) return;
    const y = u.valToPos(limit, "y", true);
    if (y < bbox.top - 1) return;
    ctx.save();
    ctx.strokeStyle = colour("t3");
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  function build(width) {
    const most = upper();
    const values = yTicks(most);
    const high = Math.max(values.at(-1), most);
    const { axis } = props;
    const [from, to] = [axis.start, axis.start + axis.step * axis.count];
    const now = JSON.stringify([width, props.stacked, props.lines.map((l, i) => [l.name, tokenOf(l, i, props.lines), l.every]), colour("bg"), unit(), props.height]);
    if (plot && now === shape) {
      plot.axes[1].splits = () => values;
      plot.setData(data(), false);
      plot.batch(() => {
        plot.setScale("x", { min: from, max: props.end ?? to });
        plot.setScale("y", { min: 0, max: high });
      });
      return;
    }
    plot?.destroy();
    shape = now;
    const labels = width >= 420 && props.labels !== false;
    const [, scale] = scaleOf(most);
    plot = new uPlot({
      width, height: props.height ?? 220, legend: { show: false }, padding: [10, labels ? RIGHT : 8, 0, 0], plugins: [bandPlugin],
      cursor: { sync: { key: "time", setSeries: false }, points: { show: false }, drag: { x: true, y: false, setScale: false }, y: false },
      scales: { x: { time: false, range: () => [axisOf().start, props.end ?? axisOf().start + axisOf().step * axisOf().count] }, y: { range: () => [0, Math.max(plotTicks().at(-1), upper())] } },
      axes: [
        { font: FONT, stroke: colour("t3"), size: 26, gap: 4, grid: { show: false }, ticks: { show: false }, splits: (u) => clockTicks(u.scales.x.min * 1000, u.scales.x.max * 1000, Math.max(2, Math.floor(width / 130))).map(([ms]) => ms / 1000),
          values: (u, splits) => splits.map((s_) => clockTicks(u.scales.x.min * 1000, u.scales.x.max * 1000, Math.max(2, Math.floor(width / 130))).find(([ms]) => Math.abs(ms / 1000 - s_) < 0.5)?.[1] ?? "") },
        { font: FONT, stroke: colour("t3"), size: /^By/.test(unit()) ? 58 : 48, gap: 8, grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false }, splits: plotTicks,
          values: (_u, splits) => splits.map((v, i) => (i === splits.length - 1 ? text(label(v, scale)) : label(v, scale)[0][0])) },
      ],
      series: series(),
      hooks: { setCursor: [moved], setSelect: [selected] },
    }, data(), place);
    plot.over.addEventListener("mouseleave", hideTip);
    plot.over.addEventListener("mousemove", (event) => (pointer = event));
  }
  let pointer = null;
  const axisOf = () => props.axis;
  const plotTicks = () => yTicks(upper());
  const round = (v) => String(Number(v.toPrecision(4)));
  function label(value, scale) {
    if (value === 0) return [["0", ""]];
    const u = unit();
    if (u === "s") return [[round(value / scale), { 1e-9: "ns", 1e-6: "µs", 1e-3: "ms", 1: "s", 3600: "h" }[scale]]];
    if (/^By/.test(u)) return [[round(value / scale), `${["B", "KiB", "MiB", "GiB", "TiB", "PiB"][Math.round(Math.log(scale) / Math.log(1024))]}${u === "By/s" ? "/s" : ""}`]];
    if (u === "1") return [[round(value * 100), "%"]];
    if (value >= 1000) return [[round(value / 1000), "k"]];
    return [[round(value), u === "/s" ? "/s" : ""]];
  }

  function moved(u) {
    const at = u.cursor.idx;
    if (at === null || at === undefined || !pointer || !u.over.matches(":hover")) return;
    const seconds = u.data[0][at];
    showTip(pointer, [h("b", null, clock(seconds * 1000, "s")), ...props.lines.slice(0, 12).map((line) =>
      h("div", { class: "pair" }, h("span", null, line.name), h("span", null, line.values[at] === null ? "–" : text(write(line.values[at])))))]);
  }
  function selected(u) {
    if (u.select.width < 5) return;
    const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    props.zoom?.(from * 1000, to * 1000);
  }

  return {
    update(next) {
      props = next;
      own.again();
    },
    destroy() {
      own.destroy();
      plot?.destroy();
      hideTip();
    },
  };
}

/** A value alone between gaps would be invisible as a line. */
function lonely(values, from, to) {
  let known = 0;
  for (let i = from; i <= to && known < 2; i++) if (values[i] !== null) known++;
  return known === 1;
}

const alpha = (rgb, share) => rgb.replace(/^rgb\(/, "rgba(").replace(/\)$/, `, ${share})`);

/** props: axis, lines, unit, stacked, area, height, hatched, end, zoom(from, to), labels, limits. */
export const linePlot = (props, label_) => part(mount, { height: 220, ...props }, { class: "chart", role: "img", "aria-label": label_ });

/** The same lines as a table. */
const lineTable = ({ axis, lines, unit }) => dataTable("Values by time", ["Time", ...lines.map((l) => l.name)],
  Array.from({ length: axis.count }, (_, i) => [clock((axis.start + i * axis.step) * 1000, "s"), ...lines.map((l) => text(quantity(l.values[i], unit ?? l.unit)))]));

// -- a chart with its title, its caption and, with "v", its data as a table

const zoom = (from, to) => change(fixed(from, Math.max(to, from + 1000)));

/** Lines below a title. `more`: what linePlot takes. */
export function lineFigure(title, sub, axis, lines, more = {}) {
  const props = { axis, lines, zoom, ...more };
  return h("figure", { "data-promql": more.promql ?? null }, title ? h("div", { class: "title" }, h("h2", null, title), h("span", { class: "sub" }, sub), more.tools ?? null) : null,
    h("figcaption", { class: "unseen" }, `${title || more.label}, ${sub}`), linePlot(props, `${title || more.label}: ${lines.map((l) => l.name).join(", ")}`), asTables() ? lineTable(props) : null);
}
