// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// A recording, dropped on the page or chosen: sent to the viewer, and its time shown.

import { send } from "./api.js";
import { say } from "./dom.js";
import { bytes, plural, text } from "./format.js";
import { change, fixed } from "./state.js";

const MOST = 256 * 2 ** 20; // as the server's limit

const place = document.getElementById("notice");
function told(words) {
  place.textContent = words;
  say(words);
}

/** Load files one after the other; the last result stays to be read. Returns whether anything came of it. */
export async function load(files) {
  let some = false;
  for (const file of files) {
    told(`Loading ${file.name}, ${text(bytes(file.size))} …`);
    if (file.size > MOST) {
      told(`${file.name} was not loaded: it has ${text(bytes(file.size))}, and ${text(bytes(MOST))} is the most. Load it at the start: otelkit dashboard --replay ${file.name}`);
      break;
    }
    let loaded;
    try {
      loaded = await send("recordings", file);
    } catch (error) {
      told(`${file.name} was not loaded. ${error.message} ${error.remedy}`);
      break;
    }
    some = true;
    told(`Loaded ${plural(loaded.lines, "line")} of ${file.name}${loaded.notes.length ? `: ${loaded.notes.join(", ")}` : ""}`);
    if (loaded.start) change(fixed(loaded.start * 1000 - 1000, loaded.end * 1000 + 1000));
  }
  return some;
}
