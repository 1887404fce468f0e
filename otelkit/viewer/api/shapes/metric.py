# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Any metric at all."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.heatmap import Exemplar, Heatmap
from otelkit.viewer.api.shapes.line import Line, Quantile

MetricKind = Literal["counter", "up_down_counter", "gauge", "histogram", "exponential_histogram", "summary"]


class MetricRow(msgspec.Struct, kw_only=True):
    """
    One metric in the catalogue.

    Attributes:
        name: OpenTelemetry's.
        prometheus: The name that a Collector gives it.
        series: How many label sets over all senders are kept.
        last: Sum of a counter's rates, mean of a gauge, p50 of a histogram, over the last step with data.
        spark: The same on the axis; null beyond the first 200 rows asked for.
    """

    name: str
    prometheus: str
    kind: MetricKind
    unit: str
    description: str
    series: int
    last: float | None
    spark: Line | None


class Metrics(msgspec.Struct, kw_only=True):
    """The catalogue, sorted by name; ``total`` before ``limit`` was applied."""

    range: Range
    total: int
    metrics: list[MetricRow]


class LabelValue(msgspec.Struct, kw_only=True):
    """One value of a label, in how many series it is, and its part of the whole in the range."""

    value: str
    series: int
    weight: float | None


class Label(msgspec.Struct, kw_only=True):
    """A label or resource attribute; ``top`` are its twenty heaviest values."""

    name: str
    resource: bool
    cardinality: int
    top: list[LabelValue]


class Metric(msgspec.Struct, kw_only=True):
    """
    One metric, opened.

    Attributes:
        view: How it is shown: rate (a second), increase (per step), value, quantile, heatmap.
        by: The label that it is split by; null: all of it.
        lines: The eight heaviest values of that label, then "others"; the total first where the view adds up.
        heatmap: With view heatmap.
        quantiles: p50, p95 and p99 over the range, for histograms.
        promql: The expression that draws the same.
        note: What the drawing leaves out, in one sentence; may be empty.
    """

    range: Range
    name: str
    prometheus: str
    kind: MetricKind
    unit: str
    description: str
    temporality: Literal["cumulative", "delta", "mixed", "none"]
    series: int
    view: str
    by: str | None
    lines: list[Line]
    heatmap: Heatmap | None
    quantiles: dict[str, Quantile]
    exemplars: list[Exemplar]
    labels: list[Label]
    promql: str
    note: str
