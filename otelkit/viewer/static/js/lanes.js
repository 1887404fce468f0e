// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// One lane a worker or device, one block a piece of work; what is narrower than two pixels merges into a density.

import { canvasOf, colour, diamond, drawn, fitted, h, hideTip, onWidth, part, say, showTip } from "./dom.js";

const TOP = 22;

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  place.append(canvas);
  let view = null;
  let at = null; // [lane, block]
  const own = onWidth(place, draw);

  function draw(width) {
    const { lanes, from, to } = props;
    const pitch = props.pitch ?? 36;
    const [left, right] = [width > 480 ? 84 : 64, width - (width > 480 ? 84 : 52)];
    const x = (t) => left + ((t - from) / (to - from)) * (right - left);
    view = { width, left, right, x, pitch };
    const c = canvasOf(canvas, width, TOP + lanes.length * pitch + 4);
    c.textBaseline = "middle";
    for (const [t, label] of props.ticks(width)) {
      c.fillStyle = colour("grid");
      c.fillRect(Math.round(x(t)), TOP - 4, 1, lanes.length * pitch + 4);
      c.fillStyle = colour("t3");
      c.font = "11px Inter, system-ui, sans-serif";
      c.textAlign = "center";
      c.fillText(label, Math.max(x(t), left + 4), 8);
    }
    lanes.forEach((lane, i) => drawLane(c, lane, TOP + i * pitch, i));
  }

  function drawLane(c, lane, y, i) {
    const { left, right, x, pitch, width } = view;
    const tall = Math.min(24, pitch - 10);
    const top = y + (pitch - tall) / 2;
    c.font = `${lane.tone ? "600 " : ""}12px Inter, system-ui, sans-serif`;
    c.textAlign = "left";
    c.fillStyle = colour(lane.tone || "t2");
    c.fillText(fitted(c, lane.name, left - 8), 0, top + tall / 2);
    if (lane.busy !== null && lane.busy !== undefined) {
      c.font = "600 12px Inter, system-ui, sans-serif";
      c.fillStyle = colour("t1");
      const share = String(Math.round(lane.busy * 100));
      c.fillText(share, right + 12, top + tall / 2);
      const used = c.measureText(share).width;
      c.font = "12px Inter, system-ui, sans-serif";
      c.fillStyle = colour("t3");
      c.fillText(width > 480 ? " % busy" : " %", right + 12 + used, top + tall / 2);
    }
    if (props.lines) {
      c.fillStyle = colour("line");
      c.fillRect(left, Math.round(y + pitch) - 0.5, right - left, 1);
    }
    let strip = [];
    const flush = () => {
      if (!strip.length) return;
      const [x1, x2] = [x(strip[0].start), x(strip.at(-1).end)];
      const filled = strip.reduce((sum, b) => sum + Math.max(0.3, x(b.end) - x(b.start)), 0);
      c.globalAlpha = Math.max(0.3, Math.min(1, filled / Math.max(1, x2 - x1)));
      c.fillStyle = colour(strip[0].token);
      c.fillRect(x1, top, Math.max(1, x2 - x1), tall);
      c.globalAlpha = 1;
      strip = [];
    };
    lane.blocks.forEach((block, k) => {
      const [x1, x2] = [Math.max(left, x(block.start)), Math.min(right, x(block.end))];
      if (x2 <= left || x1 >= right) return;
      if (x2 - x1 < 2 && !block.mark) {
        if (strip.length && (strip[0].token !== block.token || x1 - x(strip.at(-1).end) > 3)) flush();
        strip.push(block);
        return;
      }
      flush();
      const chosen = at && at[0] === i && at[1] === k;
      c.fillStyle = colour(block.token);
      c.beginPath();
      c.roundRect(x1, top, Math.max(1.5, x2 - x1 - 1.5), tall, 2);
      c.fill();
      if (chosen) {
        c.strokeStyle = colour("t1");
        c.lineWidth = 2;
        c.stroke();
      }
      const mid = (x1 + x2) / 2;
      c.textAlign = "center";
      if (block.text && x2 - x1 > 30) {
        c.font = "600 11px Inter, system-ui, sans-serif";
        c.fillStyle = colour("on-warn");
        c.fillText(block.text, mid, top + tall / 2);
      } else if (block.mark === "retry") {
        c.font = "600 12px Inter, system-ui, sans-serif";
        c.fillStyle = colour("t1");
        c.fillText("×", mid, top + tall / 2);
      } else if (block.mark === "failed") {
        c.fillStyle = colour("err");
        c.strokeStyle = colour("bg");
        c.lineWidth = 1.5;
        diamond(c, x2, top + tall / 2, 6);
        c.fill();
        c.stroke();
      }
    });
    flush();
    for (const gap of lane.gaps ?? []) {
      c.strokeStyle = colour("t3");
      c.setLineDash([2, 3]);
      c.beginPath();
      c.moveTo(x(gap.start) + 2, top + tall / 2);
      c.lineTo(x(gap.end) - 2, top + tall / 2);
      c.stroke();
      c.setLineDash([]);
      c.font = "11px Inter, system-ui, sans-serif";
      c.fillStyle = colour("t2");
      c.textAlign = "center";
      c.fillText(gap.label, Math.min(right - 40, Math.max(left + 40, (x(gap.start) + x(gap.end)) / 2)), y - 1);
    }
  }

  function hit(event) {
    const box = place.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const lane = Math.floor((py - TOP) / view.pitch);
    const blocks = props.lanes[lane]?.blocks;
    if (!blocks || px < view.left) return null;
    const k = blocks.findIndex((b) => px >= view.x(b.start) - 1 && px <= view.x(b.end) + 1);
    return k < 0 ? null : [lane, k];
  }
  const of = ([lane, k]) => props.lanes[lane].blocks[k];

  place.addEventListener("pointermove", (event) => {
    at = hit(event);
    place.style.cursor = at && of(at).open ? "pointer" : "default";
    draw(view.width);
    if (at) showTip(event, of(at).tip().map((t, i) => h(i ? "div" : "b", null, t)));
    else hideTip();
  });
  place.addEventListener("pointerleave", () => {
    at = null;
    hideTip();
    if (view) draw(view.width);
  });
  place.addEventListener("click", (event) => {
    const found = hit(event);
    if (found) of(found).open?.();
  });
  place.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === "Enter" && at) of(at).open?.();
    else if (moves[event.key] && props.lanes.length) {
      const [dl, db] = moves[event.key];
      const lane = Math.max(0, Math.min(props.lanes.length - 1, (at?.[0] ?? 0) + dl));
      const count = props.lanes[lane].blocks.length;
      if (!count) return;
      at = [lane, Math.max(0, Math.min(count - 1, (at?.[1] ?? count - 1) + db))];
      draw(view.width);
      say(`${props.lanes[lane].name}: ${of(at).tip().join(", ")}`);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return drawn(own, (next) => {
    props = next;
    at = null;
  });
}

/** props: lanes [{ name, busy, tone, blocks: [{ start, end, token, text, mark, tip(), open() }], gaps }], from, to, ticks(width), pitch, lines. */
export const lanes = (props, label) => part(mount, props, { class: "chart", tabindex: "0", role: "application", "aria-roledescription": "lanes", "aria-label": label });
