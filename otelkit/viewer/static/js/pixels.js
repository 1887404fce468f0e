// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// Rows of shares as pixels, one an hour's cell or a core's: an ImageData scaled up, which costs the same at any size.

import { canvasOf, h, heat, onWidth, part } from "./dom.js";

const cache = new Map();

function rgb(share) {
  const text = heat(share);
  if (!cache.has(text)) cache.set(text, text.match(/\d+/g).map(Number));
  return cache.get(text);
}

function mount(place, first) {
  let props = first;
  const canvas = h("canvas", { "aria-hidden": "true" });
  place.append(canvas);
  const own = onWidth(place, draw);
  function draw(width) {
    const { rows } = props.data;
    const columns = rows[0]?.values.length ?? 0;
    if (!columns) return;
    const height = Math.max(24, Math.min(props.height ?? 39, rows.length * 20));
    const context = canvasOf(canvas, width, height);
    const image = new ImageData(columns, rows.length);
    rows.forEach((row, y) => row.values.forEach((value, x) => {
      if (value === null) return;
      image.data.set([...rgb(0.05 + 0.75 * Math.max(0, Math.min(1, value))), 255], (y * columns + x) * 4);
    }));
    const small = new OffscreenCanvas(columns, rows.length);
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, width, height);
    const each = height / rows.length;
    if (each >= 4) for (let y = 1; y < rows.length; y++) context.clearRect(0, Math.round(y * each), width, 1);
  }
  return {
    update(next) {
      props = next;
      own.again();
    },
    destroy: own.destroy,
  };
}

/** Rows of shares 0 to 1. */
export const pixels = (data, label, height) => part(mount, { data, height }, { class: "chart", role: "img", "aria-label": `${label}: ${data.rows.length} rows` });
