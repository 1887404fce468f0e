# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - tables of data, in the typography of the pages
"""Traces: one slow checkout."""

from __future__ import annotations

import itertools
import math

from dashboard.invented.shared import NOW, TRACE, chance, line, rise, say, shown, usual, wave

from otelkit.viewer.api.shapes import finding, trace

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
        usual=trace.UsualTrace(traces=1118, duration=0.271, factor=7.5, rows=rows), usual_note="median of 1118 checkouts that succeeded", absent=[],
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
        duration = math.exp(chance.gauss(math.log(1.7 if slow else 0.2), 0.15 if slow else 0.6))
        points.append(
            trace.TracePoint(time=NOW - chance.random() * 890, duration=duration, failed=slow, trace_id=f"{i:032x}")
        )
        if i < 40:
            rows.append(trace.TraceRow(trace_id=f"{i:032x}", name=chance.choice(("POST /checkout", "GET /cart", "GET /search")), service="api_gateway",
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
