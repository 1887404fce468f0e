# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - tables of data, in the typography of the pages
"""Services: a payment provider that slows down."""

from __future__ import annotations

import math

import msgspec
from dashboard.invented.shared import COUNT, FINDINGS, NOW, TRACE, chance, line, quantile, rise, shown, usual, wave

from otelkit.viewer.analysis import wording
from otelkit.viewer.api.shapes import finding, heatmap, service


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


def _heatmap() -> heatmap.Heatmap:
    edges: list[float | None] = [0.02 * 1.19**i for i in range(28)]
    rows = len(edges) - 1
    columns: list[list[int] | None] = []
    for i in range(COUNT):
        share = min(1.0, max(0.0, (i / COUNT - 0.5) / 0.12))
        column = [0] * rows
        for _ in range(114):
            pick = chance.random()
            mean = 0.031 if pick < 0.1 else (1.75 if pick < 0.1 + 0.14 * share else 0.145)
            spread = 0.2 if mean != 0.145 else 0.42
            value = math.exp(math.log(mean) + chance.gauss(0, spread if mean < 1 else 0.12))
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
            time=NOW - 900 + chance.random() * 880,
            value=chance.choice(edges[8:18]),
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
        text=f"charge and place fail since {wording.moment(NOW - 500)}, the rest is as usual",
        note="",
        state="findings",
        judged=9,
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
