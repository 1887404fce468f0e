// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// One machine: which resource is short, whose it is.

import { h } from "../dom.js";
import { bytes, clock, count, duration, percent, plural, quantity, shown, text } from "../format.js";
import { gpuTable, pixels } from "../machine.js";
import { bar, spark } from "../marks.js";
import { lineFigure } from "../plot.js";
import { cols, findingRow, note } from "../rows.js";
import { segment } from "../state.js";

export const title = (at) => at.name;
export const compared = true;
export const path = (at, context) => ({ path: `hosts/${segment(at.name)}`, parameters: { columns: context.narrow() ? 60 : 180 } });

const whole_ = (value) => shown(count(value === null ? null : Math.round(value)));
const last = (line) => line?.last ?? line?.values.findLast((v) => v !== null) ?? null;

function cores(machine) {
  if (!machine.cores) return null;
  const { rows, grouped } = machine.cores;
  return h("figure", null, h("div", { class: "title" }, h("h2", null, "CPU"), h("span", { class: "sub" }, grouped > 1 ? `one row: ${grouped} cores` : "one row a core"), h("span", { class: "key num" }, shown(percent(last(machine.cpu), true)))),
    h("figcaption", { class: "unseen" }, `CPU ${text(percent(last(machine.cpu)))}`), pixels(machine.cores, "CPU per core", Math.max(96, rows.length * 14)));
}

function processes(rows, narrow, small) {
  if (!rows.length) return null;
  const right = (t) => h("th", { class: "right", scope: "col" }, t);
  const line = (l, unit) => (l ? [small ? null : h("td", null, h("div", { class: "pushright" }, spark(l.values, { width: 80, height: 18 }))), h("td", { class: "right" }, shown(quantity(last(l), unit)))] : [small ? null : h("td"), h("td", { class: "right quiet" }, "–")]);
  return h("section", { class: "section", key: "processes" }, h("table", null, h("caption", { class: "unseen" }, "Processes"),
    narrow ? cols(null, 80, 90) : small ? cols("26%", "11%", "14%", "11%", "13%", "10%", null) : cols("24%", 84, "7%", 108, "9%", "9%", "10%", "9%", null),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, h("h2", null, "Processes")), narrow ? [right("Cores"), right("Memory")] : [...["CPU, cores", "Memory"].map((t) => h("th", { class: "right", colspan: small ? 1 : 2, scope: "col" }, t)), right("Threads"), right("Descriptors"), right("GC /s"), right("Running since")])),
    h("tbody", null, rows.slice(0, 64).map((p) => h("tr", { key: p.instance },
      h("td", null, h("span", { class: "name" }, p.name), h("span", { class: "sub" }, p.stale ? `last seen ${clock(p.last_seen * 1000, "s")}` : p.pid ? `pid ${p.pid}` : "")),
      narrow ? [h("td", { class: "right" }, shown(quantity(last(p.cpu), "{cpu}"))), h("td", { class: "right" }, shown(bytes(last(p.memory))))] : [
        line(p.cpu, "{cpu}"), line(p.memory, "By"), h("td", { class: "right" }, whole_(p.threads)), h("td", { class: "right" }, whole_(p.descriptors)),
        h("td", { class: "right" }, shown(quantity(last(p.collections), "{collection}"))), h("td", { class: "right quiet" }, p.started ? clock(p.started * 1000) : "–")])))));
}

function filesystems(list) {
  if (!list.length) return null;
  return h("section", { class: "section", key: "fs" }, h("div", { class: "title" }, h("h2", null, "Filesystems")), h("div", { class: "cards" }, list.map((f) => h("div", null,
    h("div", { class: "pairline" }, h("code", { class: "strong cut" }, f.mountpoint), h("span", { class: "num" }, `${text(bytes(f.used))} of ${text(bytes(f.size))}`)),
    bar([[f.used, "mute", "used"], [Math.max(0, f.size - f.used), "line2", "free"]], 1, `${f.mountpoint}: ${text(percent(f.used / f.size))} used`),
    f.full_in_s !== null && f.full_in_s < 86400 ? h("p", { class: "note" }, `full in about ${text(duration(f.full_in_s))} at this slope`) : null))));
}

export function draw(data, context) {
  const { machine, range } = data;
  const { axis } = range;
  const narrow = context.narrow();
  const more = { live: range.live, height: 150, labels: !narrow };
  const charts = [
    cores(machine) ?? (machine.cpu ? lineFigure("CPU", "share of all cores", axis, context.over([machine.cpu], (then) => [then.machine.cpu]), { unit: "1", ...more }) : null),
    machine.memory ? lineFigure("Memory", machine.memory.limit ? `of ${text(bytes(machine.memory.limit)).replace(/\.0+(?=\D)/, "")}, dotted` : "used", axis, context.over([machine.memory, ...(data.swap && last(data.swap) > 0 ? [data.swap] : [])], (then) => [then.machine.memory]), { unit: "By", area: true, ...more }) : null,
    data.disk.length ? lineFigure("Disk", "read and written", axis, context.over(data.disk.slice(0, 8), (then) => then.disk), { unit: "By/s", ...more }) : null,
    data.network.length ? lineFigure("Network", "received and sent", axis, context.over(data.network.slice(0, 8), (then) => then.network), { unit: "By/s", ...more }) : null,
  ].filter(Boolean);
  return {
    title: machine.host,
    verdict: [data.headline.text, data.headline.note].filter(Boolean).join(", "),
    children: [
      data.findings.length ? h("section", { class: "findings", "aria-label": "What needs a look", key: "findings" }, data.findings.slice(0, 5).map((f) => findingRow(f))) : null,
      charts.length ? h("div", { class: "columns rowgap", key: "charts" }, charts) : note("This machine does not report itself: processes on it do. The configuration key “machine” says what is observed."),
      filesystems(data.filesystems),
      processes(data.processes, narrow, context.small()),
      machine.gpus.length ? h("section", { class: "section", key: "gpus" }, gpuTable(machine.gpus, narrow), machine.gpus.some((g) => Object.keys(g.processes).length) ? note(`GPU memory by process: ${machine.gpus.flatMap((g) => Object.entries(g.processes).map(([n, v]) => `${g.name} ${n} ${text(bytes(v))}`)).join(", ")}`) : null) : null,
      data.processes.length ? note(data.processes.length === 1 ? "1 process sends from here" : `${plural(data.processes.length, "process", "processes")} send from here`) : null,
    ],
  };
}
