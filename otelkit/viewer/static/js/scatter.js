// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Duration (log) over time, one dot a trace, failed ones as diamonds. Dragging selects a stretch of time.

import { canvasOf, colour, diamond, drawn, h, hideTip, onWidth, part, say, showTip } from "./dom.js";
import { brief, clock, clockTicks, duration, text } from "./format.js";
import { decades } from "./marks.js";

const [LEFT, TOP, HEIGHT] = [48, 8, 170];

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  place.append(canvas);
  let dots = [];
  let view = null;
  let at = -1;
  const own = onWidth(place, draw);

  function draw(width) {
    const [low, high] = decades(props.points.map((p) => p.duration));
    const right = width - 8;
    const c = canvasOf(canvas, width, HEIGHT + TOP + 26);
    const x = (s_) => LEFT + ((s_ - props.from) / (props.to - props.from)) * (right - LEFT);
    const y = (v) => TOP + HEIGHT - (Math.log(Math.max(v, low) / low) / Math.log(high / low)) * HEIGHT;
    view = { x, y, right, width };
    c.font = "11px Inter, system-ui, sans-serif";
    c.textBaseline = "middle";
    for (let v = low; v <= high * 1.001; v *= 10) {
      c.fillStyle = colour("grid");
      c.fillRect(LEFT, Math.round(y(v)), right - LEFT, 1);
      c.fillStyle = colour("t3");
      c.textAlign = "right";
      c.fillText(brief(v), LEFT - 8, y(v));
    }
    c.textAlign = "center";
    for (const [ms, label] of clockTicks(props.from * 1000, props.to * 1000, Math.max(2, Math.floor(width / 140)))) c.fillText(label, x(ms / 1000), TOP + HEIGHT + 16);
    dots = props.points.map((point) => ({ point, x: x(point.time), y: y(point.duration) })).sort((a, b) => a.point.time - b.point.time);
    c.globalAlpha = 0.75;
    for (const dot of dots) {
      c.fillStyle = colour(dot.point.failed ? "err" : "t3");
      c.beginPath();
      if (dot.point.failed) diamond(c, dot.x, dot.y, 4.5);
      else c.arc(dot.x, dot.y, 2.5, 0, 7);
      c.fill();
    }
    c.globalAlpha = 1;
    if (at >= 0 && dots[at]) {
      c.strokeStyle = colour("t1");
      c.lineWidth = 2;
      c.beginPath();
      c.arc(dots[at].x, dots[at].y, 8, 0, 7);
      c.stroke();
    }
  }

  const nearest = (event, reach = 14) => {
    const box = place.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    let best = -1;
    let far = reach;
    dots.forEach((dot, i) => {
      const d = Math.hypot(dot.x - px, dot.y - py);
      if (d < far) [best, far] = [i, d];
    });
    return best;
  };
  place.addEventListener("pointermove", (event) => {
    at = nearest(event);
    place.style.cursor = at >= 0 ? "pointer" : "default";
    draw(view.width);
    if (at < 0) return hideTip();
    const { point } = dots[at];
    showTip(event, [h("b", null, text(duration(point.duration))), h("div", null, clock(point.time * 1000, "ms")), point.failed ? h("div", { class: "err" }, "failed") : null]);
  });
  place.addEventListener("pointerleave", () => {
    at = -1;
    hideTip();
    if (view) draw(view.width);
  });
  place.addEventListener("click", (event) => {
    const hit = nearest(event, 22);
    if (hit >= 0) props.open(dots[hit].point);
  });
  place.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && dots.length) {
      at = at < 0 ? (step > 0 ? 0 : dots.length - 1) : Math.max(0, Math.min(dots.length - 1, at + step));
      draw(view.width);
      say(`${clock(dots[at].point.time * 1000, "s")}, ${text(duration(dots[at].point.duration))}${dots[at].point.failed ? ", failed" : ""}`);
    } else if (event.key === "Enter" && at >= 0) props.open(dots[at].point);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return drawn(own, (next) => (props = next));
}

/** props: points, from, to (Unix seconds), open(point). */
export const scatter = (props, label) => part(mount, props, { class: "chart", tabindex: "0", role: "application", "aria-roledescription": "scatter plot", "aria-label": label });
