// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// What is left of a batch, and where that leads: the fitted end dashed, the usual end dotted.

import { canvasOf, colour, drawn, h, onWidth, part } from "./dom.js";
import { clock, clockTicks, duration, text, ticks, whole } from "./format.js";

const [LEFT, HEIGHT] = [48, 150];

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  place.append(canvas);
  const own = onWidth(place, draw);
  function draw(width) {
    const { pending, range } = props;
    const { axis } = range;
    const { values } = pending.line;
    const from = axis.start;
    const last = axis.start + axis.step * axis.count;
    const span = last - from;
    const to = Math.min(from + 3 * span, Math.max(last, ...[pending.ends, pending.usual_ends].filter((t) => t !== null).map((t) => t + 0.15 * span)));
    const right = width - 8;
    const most = Math.max(1, ...values.map((v) => v ?? 0));
    const x = (t) => LEFT + ((t - from) / (to - from)) * (right - LEFT);
    const y = (v) => 8 + HEIGHT - (v / most) * (HEIGHT - 8);
    const c = canvasOf(canvas, width, HEIGHT + 34);
    c.font = "11px Inter, system-ui, sans-serif";
    c.textBaseline = "middle";
    for (const v of ticks(0, most, 3)) {
      c.fillStyle = colour(v ? "grid" : "line2");
      c.fillRect(LEFT, Math.round(y(v)), right - LEFT, 1);
      c.fillStyle = colour("t3");
      c.textAlign = "right";
      c.fillText(whole(v), LEFT - 8, y(v));
    }
    c.textAlign = "center";
    for (const [ms, label] of clockTicks(from * 1000, to * 1000, Math.max(2, Math.floor(width / 90)))) {
      c.fillStyle = colour("t3");
      c.fillText(label, x(ms / 1000), HEIGHT + 22);
    }
    const points = values.map((v, i) => (v === null ? null : [x(from + (i + 0.5) * axis.step), y(v)]));
    const known = points.filter(Boolean);
    if (!known.length) return;
    c.fillStyle = colour("data");
    c.globalAlpha = 0.12;
    c.beginPath();
    c.moveTo(known[0][0], y(0));
    for (const [px, py] of known) c.lineTo(px, py);
    c.lineTo(known.at(-1)[0], y(0));
    c.fill();
    c.globalAlpha = 1;
    c.strokeStyle = colour("data");
    c.lineWidth = 2;
    c.beginPath();
    let open = false;
    for (const p of points) {
      if (p) c[open ? "lineTo" : "moveTo"](...p);
      open = Boolean(p);
    }
    c.stroke();
    const [ex, ey] = known.at(-1);
    const late = pending.ends !== null && pending.usual_ends !== null && pending.ends - pending.usual_ends > 60;
    const lead = (end, dash, token) => {
      c.strokeStyle = colour(token);
      c.lineWidth = 1.5;
      c.setLineDash(dash);
      c.beginPath();
      c.moveTo(ex, ey);
      c.lineTo(Math.min(right, x(end)), y(0));
      c.stroke();
      c.setLineDash([]);
    };
    if (pending.usual_ends !== null) lead(pending.usual_ends, [2, 3], "t3");
    if (pending.ends !== null) lead(pending.ends, [5, 4], late ? "warn" : "data");
    c.fillStyle = colour("data");
    c.strokeStyle = colour("bg");
    c.lineWidth = 2;
    c.beginPath();
    c.arc(ex, ey, 4.5, 0, 7);
    c.fill();
    c.stroke();
    const flip = ex > width - 120;
    c.textAlign = flip ? "right" : "left";
    c.font = "600 11px Inter, system-ui, sans-serif";
    c.fillStyle = colour("t1");
    c.fillText(`${whole(pending.left)} to go`, ex + (flip ? -10 : 10), ey - 8);
    if (pending.ends !== null) {
      c.fillStyle = colour("bg");
      c.fillRect(right - 124, y(0) - 38, 124, 36);
      c.textAlign = "right";
      c.fillStyle = colour(late ? "warn" : "t1");
      const by = late ? `, ${text(duration(Math.round((pending.ends - pending.usual_ends) / 60) * 60)).replace(/ 00.*/, "")} late` : "";
      c.fillText(`${clock(pending.ends * 1000)}${by}`, right, y(0) - 28);
      c.font = "11px Inter, system-ui, sans-serif";
      c.fillStyle = colour("t2");
      if (pending.usual_ends !== null) c.fillText(`usual ${clock(pending.usual_ends * 1000)}, dotted`, right, y(0) - 12);
    }
  }
  return drawn(own, (next) => (props = next));
}

export function pendingChart(pending, range) {
  const end = pending.ends === null ? "no end in sight" : `ends at ${clock(pending.ends * 1000)}`;
  return h("figure", null, h("div", { class: "title" }, h("h2", null, "Pending"), h("span", { class: "sub" }, "jobs left, and where it leads")), h("figcaption", { class: "unseen" }, `${whole(pending.left)} to go, ${end}`), part(mount, { pending, range }, { class: "chart", role: "img", "aria-label": `${whole(pending.left)} to go, ${end}` }));
}
