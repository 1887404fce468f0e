# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Services and their actions."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.finding import Finding, Headline, Status
from otelkit.viewer.api.shapes.heatmap import Exemplar, Heatmap
from otelkit.viewer.api.shapes.line import Line, Quantile, Usual

Source = Literal["service", "function", "named", "event", "publisher", "http", "rpc", "spans"]
"""Which metrics a row was made of; ``spans``: of kept traces alone, for want of metrics."""


class ServiceRow(msgspec.Struct, kw_only=True):
    """
    One service over the range.

    Attributes:
        name: Of the service; of the module where functions belong to none.
        source: What it was made of.
        actions: How many actions were called in the range.
        calls: Requests that started in the range.
        requests: Requests a second, on the axis.
        errors: Share that failed, 0 to 1, on the axis.
        rate: Requests a second over the whole range.
        error_share: 0 to 1 over the whole range; null without a request.
        p50: Of response time, in seconds.
        p95: The same.
        usual_p95: Usual range of p95.
        active: In flight at the end of the range; null if not reported.
        status: Worst finding about it.
        abnormal: Which of p50, p95, error_share are outside of what is usual.
        last_seen: Unix seconds.
        stale: Whether it is silent for longer than three of its own intervals.
    """

    name: str
    source: Source
    actions: int
    calls: int
    requests: Line
    errors: Line
    rate: float | None
    error_share: float | None
    p50: Quantile | None
    p95: Quantile | None
    usual_p95: Usual | None
    active: float | None
    status: Status = "ok"
    abnormal: list[str] = []
    last_seen: float | None = None
    stale: bool = False


class Services(msgspec.Struct, kw_only=True):
    """All services, those with findings first, then by requests."""

    range: Range
    headline: Headline
    services: list[ServiceRow]


class ActionRow(msgspec.Struct, kw_only=True):
    """
    One action of a service; attributes as in ServiceRow.

    Attributes:
        action: Its key, to be given back as ``action``.
        label: What to show: "charge", "on payment.completed", "publish payment.failed".
        quiet: No call in the range.
    """

    action: str
    label: str
    source: Source
    calls: int
    requests: Line
    errors: Line
    rate: float | None
    error_share: float | None
    p50: Quantile | None
    p95: Quantile | None
    p99: Quantile | None
    usual_p95: Usual | None
    active: float | None
    status: Status = "ok"
    abnormal: list[str] = []
    quiet: bool = False


class ErrorType(msgspec.Struct, kw_only=True):
    """How often one type of error came, in the range."""

    type: str
    count: int


class Action(msgspec.Struct, kw_only=True):
    """
    The chosen action's distribution over time.

    Attributes:
        metric: OpenTelemetry's name of the histogram.
        prometheus: The same on Prometheus.
        heatmap: Null if no histogram was reported.
        p50, p95: Quantiles per step, in seconds.
        exemplars: At most 400, newest first.
        active: In flight, on the axis.
        labels: Labels of the metric other than service, action and error.type, with how many values each has.
        promql: Expression per chart: p95, requests, errors.
    """

    action: str
    label: str
    metric: str
    prometheus: str
    unit: str
    heatmap: Heatmap | None
    p50: Line
    p95: Line
    requests: Line
    errors: Line
    active: Line | None
    exemplars: list[Exemplar]
    error_types: list[ErrorType]
    labels: dict[str, int]
    promql: dict[str, str]


class Service(msgspec.Struct, kw_only=True):
    """
    One service's page.

    Attributes:
        headline: "charge and place fail since 2026-11-22T14:38Z, the rest is as usual".
        actions: Findings first, then by requests; quiet ones last.
        chosen: The action asked for, else the first one.
    """

    range: Range
    name: str
    source: Source
    headline: Headline
    findings: list[Finding]
    actions: list[ActionRow]
    chosen: Action | None
