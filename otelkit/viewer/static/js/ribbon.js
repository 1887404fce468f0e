// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ribbon: everything over the retained time, and the window of the page as a box. Drag selects, the box moves, its
// edges resize, a double click shows all; with Shift, a drag selects the range to compare with.

import { canvasOf, colour, h, morph, onWidth } from "./dom.js";
import { clock, clockTicks } from "./format.js";
import { change, fixed, range, versus } from "./state.js";

const HEIGHT = 32;

export function mountRibbon(place) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const box = h("div", {
    class: "box", role: "slider", tabindex: "0", "aria-label": "Shown time: arrow keys move it",
    "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "100" });
  const captions = h("div");
  place.append(canvas, captions, box);
  let ribbon = null;
  let drag = null;
  let width = 0;

  const bounds = () => {
    const { start, step, count } = ribbon.axis;
    return [start * 1000, (start + step * count) * 1000];
  };
  const xOf = (ms) => {
    const [from, to] = bounds();
    return ((ms - from) / (to - from)) * width;
  };
  const timeOf = (x) => {
    const [from, to] = bounds();
    return from + (Math.max(0, Math.min(width, x)) / width) * (to - from);
  };
  const shown = () => drag?.range ?? range();

  function draw(now = width) {
    width = now;
    if (!ribbon || !width) return;
    const context = canvasOf(canvas, width, HEIGHT + 4);
    const { counts, failed, axis } = ribbon;
    const most = Math.max(1e-9, ...counts.map((c) => c ?? 0));
    const pitch = width / axis.count;
    const { from, to } = shown();
    counts.forEach((count, i) => {
      const at = (axis.start + (i + 0.5) * axis.step) * 1000;
      const x = i * pitch;
      const w = Math.max(1, pitch - 1);
      if (count === null || count === undefined || count === 0) {
        context.fillStyle = colour("line2");
        context.fillRect(x, HEIGHT - 1, w, 1);
        return;
      }
      const size = Math.max(1, (count / most) * (HEIGHT - 6));
      const inside = at >= from && at <= to;
      context.fillStyle = inside ? colour("data") : colour("mute");
      context.globalAlpha = inside ? 1 : 0.7;
      context.fillRect(x, HEIGHT - size, w, size);
      context.globalAlpha = 1;
      const bad = failed[i] ?? 0;
      if (bad > 0 && bad / count > 0.005) {
        context.fillStyle = colour("err");
        const part = Math.max(2, (bad / count) * size);
        context.fillRect(x, HEIGHT - part, w, part);
      }
    });
    place.classList.toggle("bare", !counts.some((c) => c));
    for (const notch of ribbon.notches) {
      const x = xOf(notch.time * 1000);
      context.fillStyle = colour("t2");
      context.fillRect(x - 0.5, 3, 1, HEIGHT + 1);
      context.beginPath();
      context.moveTo(x - 3, 0);
      context.lineTo(x + 3, 0);
      context.lineTo(x, 4);
      context.fill();
    }
    const other = versus();
    if (other) {
      context.strokeStyle = colour("t2");
      context.setLineDash([3, 3]);
      context.strokeRect(xOf(other[0]), 0.5, xOf(other[1]) - xOf(other[0]), HEIGHT);
      context.setLineDash([]);
    }
    drawBox(from, to);
    drawCaptions();
  }

  function drawBox(from, to) {
    const left = Math.max(-2, xOf(from) - 2);
    const right = Math.min(width + 2, xOf(to) + 2);
    box.style.left = `${Math.min(left, width - 8)}px`;
    box.style.width = `${Math.max(8, right - left)}px`;
    box.setAttribute("aria-valuenow", String(Math.round((xOf(to) / width) * 100)));
    box.setAttribute("aria-valuetext", `${clock(from)} to ${clock(to)}`);
  }

  function drawCaptions() {
    const [from, to] = bounds();
    const taken = [];
    const out = [];
    const put = (x, text, kind, size) => {
      if (x + size > width || taken.some(([a, b]) => x < b + 12 && x + size + 12 > a)) return;
      taken.push([x, x + size]);
      out.push(h("span", { class: `cap ${kind}`, style: { left: `${kind ? x : x + size / 2}px` } }, text));
    };
    if (ribbon.caption && width > 500) put(0, ribbon.caption, "start", ribbon.caption.length * 6);
    for (const notch of [...ribbon.notches].sort((a, b) => (b.kind === "deployment") - (a.kind === "deployment"))) {
      if (width > 500) put(xOf(notch.time * 1000) + 1, notch.label, "notch", notch.label.length * 6.2 + 8);
    }
    for (const [at, label] of clockTicks(from, to, width > 500 ? 7 : 4)) put(xOf(at) - 16, label, "", 32);
    morph(captions, out);
  }

  const position = (event) => event.clientX - place.getBoundingClientRect().left;
  const begin = (kind) => (event) => {
    if (!ribbon || event.button > 0) return;
    event.preventDefault();
    event.stopPropagation();
    const { from, to } = range();
    drag = { kind: kind === "select" && event.shiftKey ? "second" : kind, x: position(event), from, to, moved: false };
    place.setPointerCapture(event.pointerId);
  };
  canvas.addEventListener("pointerdown", begin("select"));
  box.addEventListener("pointerdown", (event) => {
    const inside = event.clientX - box.getBoundingClientRect().left;
    begin(inside < 6 ? "left" : inside > box.offsetWidth - 6 ? "right" : "move")(event);
  });
  place.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const x = position(event);
    drag.moved ||= Math.abs(x - drag.x) > 3;
    if (!drag.moved) return;
    const delta = timeOf(x) - timeOf(drag.x);
    const pairs = {
      select: [timeOf(Math.min(x, drag.x)), timeOf(Math.max(x, drag.x))],
      move: [drag.from + delta, drag.to + delta],
      left: [Math.min(drag.from + delta, drag.to - 1000), drag.to],
      right: [drag.from, Math.max(drag.to + delta, drag.from + 1000)],
    };
    const [from, to] = pairs[drag.kind] ?? pairs.select;
    drag.range = { from, to };
    draw();
  });
  const finish = () => {
    const done = drag;
    drag = null;
    if (!done?.moved) return;
    const chosen = fixed(done.range.from, Math.max(done.range.to, done.range.from + 1000));
    change(done.kind === "second" ? { vs: `${chosen.from}/${chosen.to}` } : chosen);
  };
  place.addEventListener("pointerup", finish);
  place.addEventListener("pointercancel", () => (drag = null));
  place.addEventListener("dblclick", () => change({ from: "all", to: null }));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    event.stopPropagation();
    const { from, to } = range();
    const delta = ((to - from) / 4) * (event.key === "ArrowLeft" ? -1 : 1);
    change(fixed(from + delta, to + delta));
  });
  onWidth(place, draw);
  return {
    update(next) {
      ribbon = next;
      draw();
    },
    draw: () => draw(),
  };
}
