// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// All machines; with a name: one of them.

import { h } from "../dom.js";
import { clock, plural } from "../format.js";
import { machineTiles } from "../machine.js";
import { severity } from "../marks.js";
import { segment, to } from "../state.js";

export const title = () => "Hosts & GPUs";
export const path = (_at, context) => ({ path: "hosts", parameters: { columns: context.narrow() ? 45 : 90 } });

export function draw(data) {
  return {
    title: "Hosts & GPUs",
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", "),
    children: data.hosts.length ? data.hosts.map((row) => h("section", { class: "section", key: row.machine.host, "data-row": "1" },
      h("div", { class: "title" }, row.status !== "ok" ? severity(row.status) : null, h("h2", null, h("a", { class: "name", href: to(`hosts/${segment(row.machine.host)}`) }, row.machine.host)),
        h("span", { class: "sub" }, row.stale ? `last seen ${clock(row.last_seen * 1000, "s")}` : `${plural(row.processes, "process", "processes")}${row.machine.gpus.length ? `, ${plural(row.machine.gpus.length, "GPU")}` : ""}`)),
      machineTiles(row.machine))) : [{ nothing: "hosts", text: "No machine reports its own state yet." }],
  };
}
