// Copyright The otelkit Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a page says in place of data: nothing yet, what failed, what is not recorded.

import { h, s } from "./dom.js";

const COLOURS = [["kw", /^(?:import|def|for|with|from|return|in|as)\b/], ["st", /^"[^"]*"/], ["st", /^@[\w.]+/], ["st", /^\$ /]];

function coloured(code) {
  const out = [];
  let plain = "";
  for (let rest = code; rest; ) {
    const hit = /\w$/.test(plain) ? null : COLOURS.map(([kind, rule]) => [kind, rule.exec(rest)?.[0]]).find(([, found]) => found);
    const piece = hit ? hit[1] : rest[0];
    if (hit) {
      out.push(plain, h("span", { class: hit[0] }, piece));
      plain = "";
    } else plain += piece;
    rest = rest.slice(piece.length);
  }
  return [...out, plain];
}

/** Something to paste, with a button that copies it. */
export function code(source) {
  const copy = async (event) => {
    const button = event.currentTarget;
    try {
      await navigator.clipboard.writeText(source.replace(/^\$ /, ""));
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousSibling);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  return h("div", { class: "code" }, h("pre", { tabindex: "0" }, coloured(source)), h("button", { type: "button", on: { click: copy } }, "Copy"));
}

const step = (n, title, note, source) => h("div", { class: "step", "data-n": n }, h("h2", null, title), h("span", { class: "sub" }, note), code(source));

const FUNCTION = `import otelkit

otelkit.configure(service_name="shop")

@otelkit.metered
def price(order):
    ...`;

const PASTE = {
  services: ["Measure a service", "requests, errors, active and duration per action", `@otelkit.service(name="checkout")
class Checkout:
    def charge(self, order):
        ...`],
  traces: ["Trace a function", "each call a span, nested as the calls are", `@otelkit.observed
def charge(order):
    ...`],
  inference: ["Measure a model", "items, batch size, phases and what limits them", `with otelkit.inference("ranker", batch_size=len(rows)) as step:
    with step.phase("preprocess"):
        features = prepare(rows)
    with step.phase("compute"):
        scores = model(features)`],
  batch: ["Measure a job", "runs, failures, duration and the last success", `@otelkit.job
def cleanup():
    ...`],
  hosts: ["Watch the machine", "CPU, memory, disk, network and GPUs: on by default", `otelkit.configure(service_name="shop")`],
  metrics: ["Record a number of your own", "it appears here with its labels", `orders = otelkit.counter("shop.orders", labels=["tier"])
orders.increment(tier="free")`],
};

/** Small: a page that has no data of its kind says what to paste to get some. */
export function nothingOfKind(page, what) {
  const [title, note, source] = PASTE[page];
  return h("div", { class: "paste" }, h("p", null, what), step("1", title, note, source));
}

const tick = () => s("svg", { viewBox: "0 0 12 12", role: "img", "aria-label": "yes" }, s("path", { d: "M2 6.5 5 9.5 10 3" }));
const waiting = () => s("svg", { viewBox: "0 0 12 12", role: "img", "aria-label": "not yet" }, s("circle", { cx: 6, cy: 6, r: 4, "stroke-dasharray": "2 2.2" }));
const cross = () => s("svg", { class: "err", viewBox: "0 0 12 12", role: "img", "aria-label": "no" }, s("path", { d: "M3 3 9 9M9 3 3 9" }));

/** Large: four things to paste, what is listened on, what arrived, the doctor. */
export function nothingYet(status, load) {
  const arrived = Object.values(status?.arrived ?? {}).reduce((a, b) => a + b, 0);
  const refused = (status?.refused ?? []).reduce((sum, each) => sum + each.count, 0);
  const checks = [
    ...(status?.listening ?? []).map((each) => [each.problem ? cross() : tick(), each.what, each.problem || each.where.replace(/^https?:\/\//, "")]),
    [tick(), "Access", status?.access ?? "–"],
    [arrived ? tick() : waiting(), "First export", `${arrived || "none"}, ${refused} refused`],
    [status?.senders?.length ? tick() : waiting(), "A process that sends", status?.senders?.length ? status.senders.map((e) => e.name).join(", ") : "none"],
  ];
  const headers = status?.headers ? `\n$ export OTEL_EXPORTER_OTLP_HEADERS=${status.headers}` : "";
  return h("div", { class: "paste" },
    h("p", null, "Paste any one of these. The first measurement appears here by itself; this page needs no reload."),
    h("div", null,
      step("1", "Measure a function", "and see requests, errors, active and duration", FUNCTION),
      step("2", "Or run a program as it is", "nothing to change in it", "$ otelkit run -- python app.py"),
      step("3", "Or point any OpenTelemetry SDK here", "every language, traces and metrics", `$ export OTEL_EXPORTER_OTLP_ENDPOINT=${status?.endpoint || "http://127.0.0.1:4318"}${headers}`),
      step("4", "Or look round in a system that is there", "a shop, a batch and a model, with one fault to find", "$ otelkit demo")),
    h("div", { class: "aside" }, h("h2", { class: "strong" }, "What the viewer can tell so far"),
      h("ul", { class: "checks" }, checks.map(([mark, what, where]) => h("li", null, mark, h("span", null, what), h("code", null, where)))),
      (status?.refused ?? []).map((each) => h("p", null, h("b", null, `Refused ${each.count}×: ${each.reason}. `), each.remedy)),
      h("p", null, "Sent something, but nothing arrives? ", h("code", { class: "strong" }, "otelkit doctor"), " checks port, protocol, token and fork model, and names the remedy."),
      h("p", null, h("label", { class: "open" }, "Open a recording…", h("input", { type: "file", class: "unseen", accept: ".jsonl,.json,.ndjson,.log", on: { change: (event) => load(event.currentTarget.files) } })), " OTLP-JSON lines; or drop the file here")));
}

