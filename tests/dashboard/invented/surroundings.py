# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - tables of data, in the typography of the pages
"""Frame, metrics, otelkit itself."""

from __future__ import annotations

from typing import Any

import msgspec
from dashboard.invented.services import _heatmap
from dashboard.invented.shared import NOW, axis, line, quantile, shown, wave

from otelkit.viewer.api.shapes import finding, frame, health, metric


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
