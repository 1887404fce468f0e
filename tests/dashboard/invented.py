# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501, RUF001 - tables of data, in the typography of the pages
"""
Invented answers of the API, built with its own shapes: what no test machine has (two GPUs, a batch of 640).

One afternoon: checkout's payment provider slows down, a worker swaps, a GPU throttles.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from typing import Any

import msgspec

from otelkit.viewer.api.shapes import batch, finding, frame, health, heatmap, host, inference, metric, service, trace
from otelkit.viewer.api.shapes.axis import Axis, Range
from otelkit.viewer.api.shapes.line import Line, Quantile, Usual
from otelkit.viewer.api.shapes.overview import Overview

NOW = float(int(time.time()) // 10 * 10)
STEP, COUNT = 10.0, 90
TRACE = "7f3a00000000000000000000000bc41e"
_random = random.Random(7)


def axis(count: int = COUNT, step: float = STEP) -> Axis:
    """Return an axis that ends now."""
    return Axis(start=NOW - count * step, step=step, count=count)


def shown(count: int = COUNT) -> Range:
    """Return the range of a page."""
    step = 900 / count
    return Range(start=NOW - 900, end=NOW, now=NOW, live=True, retained=NOW - 21_600, axis=axis(count, step))


def wave(mean: float, wobble: float = 0.06, count: int = COUNT) -> list[float | None]:
    """Return values around ``mean``."""
    state, out = 0.0, []
    for _ in range(count):
        state = 0.8 * state + _random.gauss(0, wobble)
        out.append(max(0.0, mean * (1 + state)))
    return out


def rise(low: float, high: float, at: float = 0.5, width: float = 0.12) -> list[float | None]:
    """Return values that rise from ``low`` to ``high``."""
    out = []
    for i in range(COUNT):
        share = min(1.0, max(0.0, (i / COUNT - at) / width))
        out.append((low + (high - low) * share * share * (3 - 2 * share)) * (1 + _random.gauss(0, 0.03)))
    return out


def line(name: str, values: list[float | None], unit: str = "1", **more: Any) -> Line:
    """Return a line with its last value."""
    return Line(name=name, values=values, last=values[-1], unit=unit, **more)


def usual(low: float, high: float) -> Usual:
    """Return what is usual."""
    return Usual(low=low, high=high, middle=(low + high) / 2, windows=290, window_s=60, observations=84_000)


def quantile(value: float) -> Quantile:
    """Return an exact quantile."""
    return Quantile(value=value, count=10_260)


def say(text: str) -> list[finding.Part]:
    """Make parts of a sentence whose strong pieces stand in asterisks."""
    return [finding.Part(text=piece, strong=bool(i % 2)) for i, piece in enumerate(text.split("*")) if piece]


def _finding(
    kind: str, severity: Any, subject: str, about: str, since: float, text: str, values: Any, link: Any
) -> Any:
    return finding.Finding(
        id=f"{kind}:{subject}", kind=kind, severity=severity, subject=subject, about=about, since=NOW - since,
        sentence=say(text), line=line(subject, values, "s", usual=usual(0.26, 0.42) if about != "gpu" else usual(30, 74)),
        link=finding.Link(text=link[0], route=link[1]), factor=4.1, sample=2_400,
    )  # fmt: skip


FINDINGS = [
    _finding("slow", "err", "checkout", "service", 500,
             "p95 is *1.84 s*, 4.1× the usual, and *4.63 %* fail. 93 % of the extra time is in one span: *POST payments-gw*.",
             rise(0.3, 1.84), ("Slowest trace", f"#/traces/{TRACE}")),
    _finding("stragglers", "warn", "score-nightly", "batch", 320,
             "*5 of 640* jobs run 6× the median; all sit on *worker 5*, which swaps. The batch ends 6 min late, at 14:58.",
             rise(0.3, 1.8, 0.68), ("Stragglers", "#/batch/score-nightly")),
    _finding("throttled", "warn", "GPU 1", "embed.py", 800,
             "*86 °C* and thermally throttled: clock 2.52 → 2.19 GHz; MiniLM gives *11 % fewer* items/s than on GPU 0.",
             rise(60, 86, 0.2, 0.4), ("GPU 1", "#/hosts/node-1")),
]  # fmt: skip
USUAL = finding.Headline(text="All as usual", note="25 signals are within their usual range", state="usual", judged=25)


def _service(name: str, actions: int, rate: float, errors: float, p50: float, p95: float, active: float,
             low: float, high: float, bad: bool = False) -> service.ServiceRow:  # fmt: skip
    shares = rise(0.0001, errors, 0.55) if bad else wave(errors, 0.3)
    return service.ServiceRow(
        name=name, source="service", actions=actions, calls=int(rate * 900),
        requests=line("requests", wave(rate), "/s"), errors=line("errors", shares, "1"),
        rate=rate, error_share=errors, p50=quantile(p50), p95=quantile(p95), usual_p95=usual(low, high), active=active,
        status="err" if bad else "ok", abnormal=["error_share", "p95"] if bad else [], last_seen=NOW,
    )  # fmt: skip


SERVICES = [
    _service("checkout", 9, 84.2, 0.0463, 0.148, 1.84, 171, 0.31, 0.52, bad=True),
    _service("recommendations", 4, 212, 0.0004, 0.034, 0.071, 9, 0.055, 0.082),
    _service("api_gateway", 31, 1284, 0.0019, 0.021, 0.244, 88, 0.12, 0.27),
    _service("catalog", 12, 641, 0.0001, 0.0062, 0.0318, 5, 0.022, 0.04),
    _service("auth", 6, 388, 0.0034, 0.0041, 0.0127, 2, 0.009, 0.016),
    _service("inventory", 7, 120, 0.0, 0.0088, 0.0462, 1, 0.03, 0.06),
    _service("notifications", 3, 14.6, 0.0007, 0.052, 0.31, 1, 0.2, 0.38),
]


def _phases(*means: float, lines: bool = False) -> list[inference.Phase]:
    names = [
        ("wait", "wait"),
        ("preprocess", "host"),
        ("transfer", "transfer"),
        ("compute", "device"),
        ("postprocess", "host"),
    ]
    chosen = [(name, where, mean) for (name, where), mean in zip(names, means, strict=True) if mean]
    whole = sum(means)
    return [
        inference.Phase(phase=name, where=where, mean=mean / 1e3, share=mean / whole,  # type: ignore[arg-type]
                        line=line(name, wave(mean / 1e3), "s") if lines else None)
        for name, where, mean in chosen
    ]  # fmt: skip


def _model(model: str, items: float, p95: float, phases: Any, status: Any = "ok") -> inference.ModelRow:
    return inference.ModelRow(
        key=f"torch:{model}", model=model, engine="torch", status=status, requests=68_100, errors=0, phases=phases,
        items=line("items", wave(items), "/s"), items_per_s=items, usual_items_per_s=usual(items, items * 1.06),
        mean=0.0276, p95=quantile(p95),
        verdict=say("*The loader is the limit, not the GPUs.* A batch waits 8.3 of its 27.6 ms for data, and 39 % of the host’s CPU is free."),
    )  # fmt: skip


MODELS = [
    _model("MiniLM-L6", 2318, 0.0341, _phases(8.3, 0, 2.2, 17.1, 0)),
    _model("bge-reranker", 861, 0.0194, _phases(2, 0, 0.6, 12, 0)),
    _model("magika", 204, 0.0712, _phases(30, 0, 0, 36, 0)),
]


def _job(name: str, engine: str, counts: tuple[int, int, int, int, int], waited: float | None, ran: float,
         status: Any = "ok", workers: int = 6) -> batch.JobRow:  # fmt: skip
    done, failed, running, pending, retries = counts
    return batch.JobRow(
        key=name, name=name, engine=engine, kind="job" if engine == "@job" else "batch", status=status, done=done,
        failed=failed, cancelled=0, retries=retries, running=running, pending=pending,
        total=done + failed + running + pending, waited=quantile(waited) if waited else None, ran=quantile(ran),
        workers=workers, last_success=NOW - 720 if engine == "@job" else None,
    )  # fmt: skip


JOBS = [
    _job("score-nightly", "joblib, loky", (417, 0, 6, 217, 2), 3.1, 12.4, "warn"),
    _job("thumbnails", "Celery", (1904, 3, 8, 37, 11), 0.42, 0.31),
    _job("embed-corpus", "ProcessPool", (88, 0, 4, 12, 0), 38.2, 41.0),
    _job("reindex", "Dask", (212, 0, 0, 0, 0), 0.9, 6.2),
    _job("cleanup_job", "@job", (3, 0, 0, 0, 0), None, 1.9),
]


def _gpu(
    number: int, busy: float, used: float, clock: list[Any], heat: list[Any], power: float, hot: bool
) -> host.GpuRow:
    status: Any = "warn" if hot else "ok"
    return host.GpuRow(
        id=f"GPU-{number}", name=f"GPU {number}", model="NVIDIA L40S", host="node-1", status=status,
        busy=line("busy", wave(busy, 0.02), "1"), memory=line("memory", [used * 2**30] * COUNT, "By", limit=48 * 2**30),
        clock=line("clock", clock, "Hz", status=status), temperature=line("temperature", heat, "Cel", status=status, limit=87),
        power=line("power", wave(power, 0.02), "W", limit=350), throttled=["thermal"] if hot else [],
        processes={"embed.py (4183)": used * 2**30},
    )  # fmt: skip


GPUS = [
    _gpu(0, 0.62, 20.2, wave(2.52e9, 0.001), wave(71, 0.005), 288, hot=False),
    _gpu(1, 0.69, 11.2, rise(2.52e9, 2.19e9, 0.1, 0.4), rise(70, 86, 0.1, 0.4), 276, hot=True),
]
MACHINE = host.Machine(
    host="node-1", core_count=8,
    cores=heatmap.Pixels(rows=[heatmap.PixelRow(name=f"core {i}", values=wave((0.95, 0.8, 0.75, 0.7, 0.6, 0.2, 0.15, 0.3)[i], 0.1)) for i in range(8)]),
    cpu=line("CPU", wave(0.61), "1"), memory=line("memory", [v * 2**30 for v in rise(44, 47.2, 0.1, 0.8)], "By", limit=64 * 2**30),
    disk=line("disk", wave(38 * 2**20, 0.25), "By/s"), gpus=GPUS,
)  # fmt: skip


def the_frame() -> frame.Frame:
    """Return sidebar and ribbon."""
    count = 285
    counts = wave(2800, 0.05, count)
    failed: list[float | None] = [8.0 + (400 if 116 <= i <= 121 else 0) + (120 if i > 276 else 0) for i in range(count)]
    step = 21_600 / count
    return frame.Frame(
        now=NOW, empty=False, retained=NOW - 21_600,
        ribbon=frame.Ribbon(axis=axis(count, step), caption="all requests, 6 h", unit="requests", counts=counts, failed=failed,
                            notches=[frame.Notch(time=NOW - 14_700, kind="deployment", label="deploy 2.14.0"),
                                     frame.Notch(time=NOW - 6_200, kind="start", label="celery restarted")]),
        counts=frame.Counts(services=7, traces=1204, inference=3, batch=5, hosts=2, metrics=148),
        senders=[frame.Sender(name=n, detail=d, processes=1, last_seen=NOW, stale=False) for n, d in
                 (("gunicorn", "4 workers"), ("celery", "8 workers"), ("embed.py", "pid 4183"), ("score.py", "6 workers"))],
        own=frame.OwnCost(cpu=0.0004, viewer_cpu=0.01, viewer_memory=11_000_000, dropped=0), limits=[],
    )  # fmt: skip


def overview() -> Overview:
    """Return the first page."""
    head = finding.Headline(
        text="Three things need a look",
        note="the other 22 signals are within their usual range",
        state="findings",
        judged=25,
    )
    return Overview(
        range=shown(),
        headline=head,
        findings=FINDINGS,
        services=SERVICES,
        inference=MODELS,
        batch=JOBS[:3],
        machine=MACHINE,
    )


def _heatmap() -> heatmap.Heatmap:
    edges: list[float | None] = [0.02 * 1.19**i for i in range(28)]
    rows = len(edges) - 1
    columns: list[list[int] | None] = []
    for i in range(COUNT):
        share = min(1.0, max(0.0, (i / COUNT - 0.5) / 0.12))
        column = [0] * rows
        for _ in range(114):
            pick = _random.random()
            mean = 0.031 if pick < 0.1 else (1.75 if pick < 0.1 + 0.14 * share else 0.145)
            spread = 0.2 if mean != 0.145 else 0.42
            value = math.exp(math.log(mean) + _random.gauss(0, spread if mean < 1 else 0.12))
            place = sum(1 for edge in edges[1:-1] if edge is not None and value >= edge)
            column[place] += 1
        columns.append(column)
    whole = sum(sum(c) for c in columns if c)
    return heatmap.Heatmap(edges=edges, counts=columns, largest=max(max(c) for c in columns if c), unit="s",
                           usual=[sum(c[r] for c in columns[:40] if c) / max(1, whole / 2.2) for r in range(rows)])  # fmt: skip


def _action(
    name: str, rate: float, errors: float, p50: float, p95: float, p99: float, active: float, bad: bool = False
) -> service.ActionRow:
    return service.ActionRow(
        action=name, label=name, source="service", calls=int(rate * 900), requests=line("requests", wave(rate), "/s"),
        errors=line("errors", rise(0, errors, 0.55) if bad else [errors] * COUNT, "1"), rate=rate, error_share=errors,
        p50=quantile(p50), p95=quantile(p95), p99=quantile(p99), usual_p95=usual(p95 / 5, p95), active=active,
        status="err" if bad else "ok", abnormal=["error_share", "p95"] if bad else [],
    )  # fmt: skip


def the_service() -> service.Service:
    """Return checkout's page."""
    edges = [0.02 * 1.19**i for i in range(28)]
    exemplars = [
        heatmap.Exemplar(
            time=NOW - 900 + _random.random() * 880,
            value=_random.choice(edges[8:18]),
            trace_id=f"{i:032x}",
            span_id=f"{i + 1:016x}",
        )
        for i in range(26)
    ]
    exemplars += [
        heatmap.Exemplar(time=NOW - d, value=2.03, trace_id=TRACE, span_id="00000000000000cc", failed=True)
        for d in (310, 247, 170, 120, 80, 30)
    ]
    chosen = service.Action(
        action="charge", label="charge", metric="service.response_time", prometheus="service_response_time_seconds", unit="s",
        heatmap=_heatmap(), p50=line("p50", wave(0.148, 0.03), "s"), p95=line("p95", rise(0.28, 1.84), "s", status="err"),
        requests=line("requests", wave(11.4), "/s"), errors=line("errors", rise(0, 0.171, 0.55), "1", status="err"),
        active=line("active", rise(9, 162), "{request}"), exemplars=exemplars,
        error_types=[service.ErrorType(type="PaymentTimeout", count=1754)], labels={"user_tier": 3},
        promql={"p95": "histogram_quantile(0.95, sum by (le) (rate(service_response_time_seconds_bucket[1m])))"},
    )  # fmt: skip
    quiet = [
        msgspec.structs.replace(_action(n, 0, 0, 0.01, 0.02, 0.03, 0), quiet=True) for n in ("void", "replay", "export")
    ]
    actions = [
        _action("charge", 11.4, 0.171, 0.148, 1.84, 2.01, 162, True), _action("place", 11.6, 0.168, 0.171, 1.86, 2.03, 9, True),
        _action("refund", 0.31, 0.004, 0.096, 0.38, 0.61, 0), _action("quote", 34.8, 0.0002, 0.021, 0.058, 0.091, 0),
        _action("get_cart", 22.4, 0, 0.0044, 0.0131, 0.022, 0), _action("on payment.completed", 3.7, 0, 0.0101, 0.0302, 0.052, 0), *quiet,
    ]  # fmt: skip
    head = finding.Headline(
        text="charge and place fail since 14:38, the rest is as usual", note="", state="findings", judged=9
    )
    return service.Service(
        range=shown(),
        name="checkout",
        source="service",
        headline=head,
        findings=FINDINGS[:1],
        actions=actions,
        chosen=chosen,
    )


_ids = itertools.count(1)
_SPANS = [  # name, detail, service, depth, start ms, length ms, cpu ms, failed, path
    ("POST /checkout", "", "api_gateway", 0, 0, 2030, 3.1, False, [(0, 4), (2026, 2030)]),
    ("checkout.place", "", "checkout", 1, 4, 2022, 11.2, False, [(4, 16), (113, 117), (2018, 2026)]),
    ("auth.verify", "", "auth", 2, 6, 7, 2.1, False, []),
    ("inventory.reserve", "", "inventory", 2, 15, 62, 3.8, False, []),
    ("UPDATE stock", "", "postgres", 3, 26, 45, None, False, []),
    ("pricing.quote", "", "catalog", 2, 16, 98, 18.4, False, [(16, 22), (59, 62), (87, 113)]),
    ("SELECT price_rules", "", "postgres", 3, 22, 37, None, False, [(22, 59)]),
    ("SELECT discounts", "", "postgres", 3, 62, 25, None, False, [(62, 87)]),
    ("checkout.charge", "", "checkout", 2, 117, 1893, 4.9, True, [(117, 122), (176, 179), (1179, 1279)]),
    ("fraud.score", "", "recommendations", 3, 122, 54, 22.4, False, [(122, 176)]),
    ("POST payments-gw", "attempt 1", "checkout", 3, 179, 1000, 0.9, True, [(179, 1179)]),
    ("POST payments-gw", "attempt 2", "checkout", 3, 1279, 727, 0.8, True, [(1279, 2006)]),
    ("publish payment.failed", "", "checkout", 2, 2012, 6, 0.6, False, [(2012, 2018)]),
]


def the_trace() -> trace.Trace:
    """Return one slow checkout."""
    spans, parents = [], {}
    for name, detail, of, depth, start, length, cpu, failed, path in _SPANS:
        span_id = f"{next(_ids):016x}" if detail != "attempt 2" else "00000000000000cc"
        parents[depth] = span_id
        last = detail == "attempt 2"
        spans.append(trace.Span(
            span_id=span_id, parent_id=parents.get(depth - 1), name=name, detail=detail, service=of, instance="a", scope="shop",
            kind="client" if detail else "internal", depth=depth, offset=start / 1e3, duration=length / 1e3,
            cpu=cpu / 1e3 if cpu else None, own=0.001, failed=failed, error_type="PaymentTimeout" if failed else None, message="",
            sentence=say("Waited *726 of 727 ms* off the CPU; it ran into the deadline of *charge*.") if last else say(f"Took *{length} ms*."),
            attributes={"error.type": "PaymentTimeout", "http.request.method": "POST", "server.address": "gw-eu-2.payments", "http.resend_count": 1, "authorization": "****"} if last else {"user_tier": "free"},
            masked=["authorization"] if last else [],
            events=[trace.SpanEvent(offset=1.281, name="connection reused", attributes={}), trace.SpanEvent(offset=1.283, name="request sent", attributes={"size": "1.2 KiB"}),
                    trace.SpanEvent(offset=2.006, name="deadline exceeded", attributes={}, failed=True)] if last else [],
            links=[], path=[(a / 1e3, b / 1e3) for a, b in path],
        ))  # fmt: skip
    by = {s.name + s.detail: s.span_id for s in spans}
    pieces = [("payments-gw, attempt 1", "POST payments-gwattempt 1", 179, 1000, True), ("backoff", "checkout.charge", 1179, 100, False),
              ("payments-gw, attempt 2", "POST payments-gwattempt 2", 1279, 727, True), ("pricing.quote", "pricing.quote", 16, 98, False),
              ("fraud.score", "fraud.score", 122, 54, True), ("own code", "checkout.place", 4, 51, False)]  # fmt: skip
    rows = [
        trace.Difference(name=n, service="checkout", here=h, calls=c, usual=u, usual_calls=1, difference=h - (u or 0), on_path=p, note=note)
        for n, h, c, u, p, note in (
            ("POST payments-gw", 1.73, 2, 0.1, True, "2 calls, usually 1"), ("backoff", 0.1, 1, None, True, "not in the usual trace"),
            ("fraud.score", 0.054, 1, 0.049, False, ""), ("pricing.quote", 0.098, 1, 0.097, False, ""), ("inventory.reserve", 0.062, 1, 0.066, False, "off the critical path"))
    ]  # fmt: skip
    return trace.Trace(
        trace_id=TRACE, name="POST /checkout", service="api_gateway", start=NOW - 260, duration=2.03, spans=spans,
        services=["api_gateway", "checkout", "auth", "inventory", "postgres", "catalog", "recommendations"], errors=3,
        error_types={"PaymentTimeout": 3}, failed=True, cpu=0.068, rootless=False, complete=True, truncated=0,
        path=[trace.PathPiece(span_id=by[k], label=lab, service="checkout", offset=o / 1e3, duration=d / 1e3, share=d / 2030, leaf=leaf) for lab, k, o, d, leaf in pieces],
        usual=trace.UsualTrace(traces=1118, duration=0.271, factor=7.5, rows=rows), usual_note="", absent=[],
    )  # fmt: skip


def moment() -> trace.Moment:
    """Return the metrics at that moment."""
    entries = [("payments-gw p95", rise(0.12, 1.71), "s", 0.12, "err"), ("charge, active", rise(9, 162), "{request}", 9, "err"), ("gateway pool in use", rise(7, 20), "{connection}", 7, "warn"),
               ("process CPU", wave(0.34), "{cpu}", 0.36, "ok"), ("GC pause", wave(0.0004), "s", 0.0004, "ok")]  # fmt: skip
    return trace.Moment(range=shown(), span_id="00000000000000cc", start=NOW - 259, end=NOW - 258, lines=[
        trace.MomentLine(metric=n, why="its own series", line=line(n, v, u, usual=usual(m * 0.9, m * 1.1), status=s), here=v[60]) for n, v, u, m, s in entries])  # fmt: skip


def traces() -> trace.Traces:
    """Return a search's answer."""
    points, rows = [], []
    for i in range(400):
        slow = i % 9 == 0
        duration = math.exp(_random.gauss(math.log(1.7 if slow else 0.2), 0.15 if slow else 0.6))
        points.append(
            trace.TracePoint(time=NOW - _random.random() * 890, duration=duration, failed=slow, trace_id=f"{i:032x}")
        )
        if i < 40:
            rows.append(trace.TraceRow(trace_id=f"{i:032x}", name=_random.choice(("POST /checkout", "GET /cart", "GET /search")), service="api_gateway",
                                       start=points[-1].time, duration=duration, spans=13, services=7, errors=3 if slow else 0, failed=slow, cpu=None if i % 3 else 0.03))  # fmt: skip
    groups = [
        trace.TraceGroup(name=n, service="api_gateway", count=c, errors=e, p50=0.2, p95=p, slowest=TRACE)
        for n, c, e, p in (("POST /checkout", 210, 44, 1.9), ("GET /cart", 120, 0, 0.4), ("GET /search", 70, 0, 0.3))
    ]
    head = finding.Headline(text="44 of 400 failed, all POST /checkout", note="", state="usual")
    return trace.Traces(
        range=shown(),
        headline=head,
        total=1204,
        total_at_least=False,
        points=points,
        rows=rows,
        groups=groups,
        cursor=None,
    )


def model() -> inference.Model:
    """Return MiniLM's page."""
    lanes = []
    for name, kinds in (
        ("loader", [("wait", 11.5, "wait", 0.3)]),
        ("host", [("preprocess", 2, "host", 6), ("postprocess", 1, "host", 6)]),
        ("GPU 0", [("transfer", 2, "transfer", 0.5), ("compute", 13, "device", 12)]),
        ("GPU 1", [("transfer", 2, "transfer", 0.5), ("compute", 15, "device", 11)]),
    ):
        at, blocks = _random.random() * 3, []
        while at < 235:
            for kind, length, where, gap in kinds:
                blocks.append(inference.Block(start=at / 1e3, end=(at + length) / 1e3, kind=kind, where=where))  # type: ignore[arg-type]
                at += length + gap
        lanes.append(
            inference.WorkLane(
                name=name, busy={"loader": 1, "host": 0.25, "GPU 0": 0.62, "GPU 1": 0.69}[name], blocks=blocks
            )
        )
    sizes = heatmap.Histogram(
        edges=[2, 6, 10, 14, 18, 22, 26, 30, 34],
        counts=[480, 120, 90, 200, 400, 1600, 3950, 59_250],
        unit="{item}",
        total=66_090,
    )
    row = MODELS[0]
    return inference.Model(
        range=shown(), row=row, headline=finding.Headline(text="torch on 2 GPUs · embed.py", note="", state="usual"), findings=FINDINGS[2:], programs=["embed.py"],
        throughput=[line("all", rise(600, 2318, -0.02, 0.08), "/s", total=True, usual=usual(2360, 2560)), line("GPU 0", rise(300, 1226, -0.02, 0.08), "/s"), line("GPU 1", rise(300, 1092, -0.02, 0.08), "/s", status="warn")],
        phases=_phases(8.3, 2.1, 2.2, 13.4, 1.6, lines=True), latency=None, p50=None, warmup=[(NOW - 900, NOW - 850)],
        lanes=inference.WorkLanes(start=NOW - 20, duration=0.24, lanes=lanes, sentence=say("*loader* is always busy; a gap on a GPU is waiting")),
        batch_size=inference.BatchSize(histogram=sizes, mean=31, largest=32, full_share=0.87, padding=0.11), gpus=GPUS, generation=None, energy=4.1, cache_hits=None, absent=[],
    )  # fmt: skip


def job() -> batch.Job:
    """Return score-nightly's page."""
    lanes = []
    for worker in range(1, 7):
        at, blocks, gaps = NOW - 900, [], []
        while at < NOW:
            slow = worker == 5 and at > NOW - 330
            if worker == 4 and not gaps and at > NOW - 570:
                gaps.append(batch.Gap(start=at, end=at + 46, label="recycled, 46 s lost"))
                at += 46
            length = _random.uniform(70, 81) if slow else _random.uniform(10, 15)
            blocks.append(
                batch.JobBlock(
                    start=at,
                    end=min(NOW, at + length),
                    failed=False,
                    retry=worker in (2, 6) and len(blocks) == 12 * worker % 31,
                    straggler=slow,
                    count=1,
                    trace_id=TRACE,
                    span_id=None,
                )
            )
            at += length + 1
        lanes.append(
            batch.WorkerLane(
                name=f"worker {worker}", status="warn" if worker == 5 else "ok", busy=0.9, blocks=blocks, gaps=gaps
            )
        )
    edges: list[float | None] = [6 * 1.08**i for i in range(38)]
    counts = [int(90 * math.exp(-((math.log((e or 1) / 12.4) / 0.17) ** 2))) for e in edges[:-1]]
    histogram = heatmap.Histogram(edges=edges, counts=counts, unit="s", total=417)
    left = [640 - 423 * i / COUNT for i in range(COUNT)]
    return batch.Job(
        range=shown(), row=JOBS[0], headline=finding.Headline(text="score-nightly will end 6 min late; worker 5 is slow since 14:41", note="", state="findings"), findings=FINDINGS[1:2],
        lanes=lanes, lanes_note="one block is one job; × was retried; the gap is idle time",
        run_time=batch.RunTime(histogram=histogram, p50=quantile(12.4), threshold=37.2, straggler_count=4, stragglers=[batch.Straggler(time=NOW - 100 * i, duration=70 + 3 * i, worker="worker 5", trace_id=TRACE, span_id="00000000000000cc") for i in range(1, 5)]),
        pending=batch.Pending(line=line("pending", left, "{job}"), left=223, fitted=[(NOW - 300, 360), (NOW, 223)], ends=NOW + 700, usual_ends=NOW + 340),
        wait_run=[line("slowest run", rise(17, 81, 0.66), "s", status="warn"), line("run p50", wave(12.4, 0.02), "s"), line("wait p50", wave(3.1, 0.03), "s")], error_types={},
    )  # fmt: skip


def the_host() -> host.Host:
    """Return one machine's page."""
    rows = [
        host.ProcessRow(instance=f"i{i}", name=f"gunicorn worker {i}", pid=4100 + i, cpu=line("cpu", wave(0.4), "{cpu}"), memory=line("memory", wave(180e6, 0.01), "By"), threads=12, descriptors=44, collections=line("gc", wave(0.8), "/s"), started=NOW - 9000, last_seen=NOW, stale=False)
        for i in range(1, 5)
    ]  # fmt: skip
    return host.Host(range=shown(), headline=finding.Headline(text="GPU 1 is throttled, the rest is as usual", note="", state="findings"), findings=FINDINGS[2:], machine=MACHINE,
                     swap=line("swap", wave(2e8, 0.01), "By"), disk=[line("nvme0 read", wave(20e6, 0.2), "By/s"), line("nvme0 write", wave(12e6, 0.2), "By/s")], network=[line("eth0 received", wave(4e6, 0.2), "By/s"), line("eth0 sent", wave(9e6, 0.2), "By/s")],
                     filesystems=[host.Filesystem(mountpoint="/", device="nvme0n1p2", used=212e9, size=480e9, full_in_s=None)], processes=rows)  # fmt: skip


def _metric_row(name: str, kind: Any, unit: str, value: float, series: int) -> metric.MetricRow:
    return metric.MetricRow(
        name=name,
        prometheus=name.replace(".", "_"),
        kind=kind,
        unit=unit,
        description=f"About {name}.",
        series=series,
        last=value,
        spark=line(name, wave(value), unit),
    )


def metrics() -> metric.Metrics:
    """Return the catalogue."""
    rows = [_metric_row("service.requests", "counter", "{request}", 2744, 72), _metric_row("service.response_time", "histogram", "s", 0.021, 72), _metric_row("process.memory.usage", "up_down_counter", "By", 180e6, 19),
            _metric_row("hw.temperature", "gauge", "Cel", 71, 2), _metric_row("gateway.pool.in_use", "gauge", "{connection}", 20, 4)]  # fmt: skip
    return metric.Metrics(range=shown(), total=148, metrics=rows)


def the_metric(view: str = "rate") -> metric.Metric:
    """Return one metric."""
    names = ["gw-eu-1", "gw-eu-2", "gw-us-1", "others"]
    return metric.Metric(range=shown(), name="service.requests", prometheus="service_requests_total", kind="counter", unit="{request}", description="Requests started, per action.", temporality="cumulative", series=72, view=view, by="payment.provider",
                         lines=[line(n, wave(40 / (i + 1)), "/s") for i, n in enumerate(names)], heatmap=_heatmap() if view == "heatmap" else None, quantiles={}, exemplars=[], labels=[metric.Label(name="payment.provider", resource=False, cardinality=4, top=[metric.LabelValue(value=n, series=18, weight=0.4) for n in names[:3]]), metric.Label(name="action", resource=False, cardinality=72, top=[])],
                         promql="sum by (payment_provider) (rate(service_requests_total[1m]))", note="")  # fmt: skip


KEPT = health.Kept(
    folder="/var/lib/otelkit",
    spans=412_000,
    traces=1204,
    series=9800,
    points=4_100_000,
    bytes=212_000_000,
    oldest=NOW - 21_600,
    limit_bytes=2**30,
    limit_age_s=30 * 86_400,
)


def the_health() -> health.Health:
    """Return otelkit's own page."""
    return health.Health(range=shown(), headline=finding.Headline(text="Nothing was lost", note="0.04 % of one core in 4 programs", state="usual"), findings=[], own=the_frame().own, cpu=[line("collection", wave(0.0002), "1"), line("export", wave(0.0002), "1")], memory=line("memory", wave(11e6, 0.01), "By"),
                         losses=[health.Loss(what="dropped", item="spans", reason="queue full", count=1204, sender="shop")], exports=[health.Export(sender="shop", exporter="otlp", outcomes={"success": 180, "failure": 1}, p95=quantile(0.012), queue=14, queue_limit=2048, buffer_bytes=0)],
                         explosions=[health.Explosion(metric="service.requests", series=12_418, label="user_id", values=12_418, examples=["u-1", "u-2", "u-3"])], kept=KEPT)  # fmt: skip


def status(empty: bool = False) -> health.Status:
    """Return what is listened on."""
    return health.Status(version="0.1.0", now=NOW, started=NOW - 42, listening=[health.Listening(what="OTLP over HTTP", where="http://127.0.0.1:4318"), health.Listening(what="OTLP over gRPC", where="127.0.0.1:4317")], access="loopback, with token", empty=empty, first=None, last=None,
                         arrived={"requests": 0, "spans": 0, "points": 0}, refused=[], senders=[], endpoint="http://127.0.0.1:4318", headers="", kept=KEPT, replayed=None)  # fmt: skip


def empty_frame() -> frame.Frame:
    """Return sidebar and ribbon before the first data."""
    full = the_frame()
    nothing: list[float | None] = [None] * full.ribbon.axis.count
    ribbon = msgspec.structs.replace(full.ribbon, counts=nothing, failed=nothing, notches=[], caption="")
    own = frame.OwnCost(cpu=None, viewer_cpu=0.0, viewer_memory=9_000_000, dropped=0)
    counts = frame.Counts(services=0, traces=0, inference=0, batch=0, hosts=0, metrics=0)
    return msgspec.structs.replace(full, empty=True, retained=None, ribbon=ribbon, senders=[], own=own, counts=counts)


def answer(path: str) -> Any:
    """Return what the API would say to ``path`` (below /api/v1), or None."""
    head, _, rest = path.partition("/")
    one = {
        "services": the_service,
        "traces": the_trace,
        "moments": moment,
        "inference": model,
        "batch": job,
        "hosts": the_host,
        "metrics": the_metric,
    }
    everything = {
        "frame": the_frame, "overview": overview, "traces": traces, "metrics": metrics, "otelkit": the_health, "status": status,
        "services": lambda: service.Services(range=shown(), headline=USUAL, services=SERVICES),
        "inference": lambda: inference.Models(range=shown(), headline=USUAL, models=MODELS),
        "batch": lambda: batch.Jobs(range=shown(), headline=job().headline, jobs=JOBS),
        "hosts": lambda: host.Hosts(range=shown(), headline=USUAL, hosts=[host.HostRow(machine=MACHINE, processes=19, status="warn", last_seen=NOW, stale=False)]),
        "complete": lambda: health.Suggestions(suggestions=[]),
        "cells": lambda: trace.Cell(count=2, of=114, traces=traces().rows[:3], excess=[trace.Excess(key="payment.provider", value="gw-eu-2", inside=0.96, outside=0.31)], note=""),
    }  # fmt: skip
    make = (one if rest else everything).get(head)
    return make() if make else None
