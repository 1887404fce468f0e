# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
PromQL for metrics of the vocabulary: names, labels and suffixes by the exporter's rules.

``job`` and ``instance`` are Prometheus' own labels: the resource's service.name and service.instance.id over OTLP, the
scrape's over /metrics.
"""

from __future__ import annotations

from otelkit._core._snapshot import Kind, Metric
from otelkit.exporters._prometheus_names import label_name, metric_name

__all__ = (
    "PROCESS",
    "PROGRAM",
    "RATE_WINDOW",
    "chosen",
    "label",
    "mean",
    "part_of",
    "quantile",
    "rate",
    "series",
    "total",
)

PROGRAM = "job"
PROCESS = "instance"
RATE_WINDOW = "$__rate_interval"
"""Grafana's variable: at least four times the interval at which values come."""

_HISTOGRAMS = (Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM)


def label(attribute: str) -> str:
    """Return the label for an attribute key; `PROGRAM` and `PROCESS` are labels already."""
    return label_name(attribute)


def chosen(attribute: str, variable: str) -> str:
    """Return the matcher that goes with a dashboard's variable, of which several values may be chosen."""
    return f'{label(attribute)}=~"${variable}"'


def series(metric: Metric, *matchers: str, part: str = "", prefixed: bool = False) -> str:
    """
    Return the selector of a metric.

    Args:
        matchers: As PromQL has them: ``a="b"``.
        part: Of a histogram: bucket, sum or count.
        prefixed: Whether metrics of this name behind a prefix (``@service(prefix=...)``) are meant as well.
    """
    name = metric_name(metric) + (f"_{part}" if part else "")
    if prefixed:
        return "{" + ", ".join((f'__name__=~"(.+_)?{name}"', *matchers)) + "}"
    return name + ("{" + ", ".join(matchers) + "}" if matchers else "")


def rate(metric: Metric, *matchers: str, part: str = "", prefixed: bool = False, window: str = RATE_WINDOW) -> str:
    """Return the increase per second of a counter, or of a part of a histogram."""
    return f"rate({series(metric, *matchers, part=part, prefixed=prefixed)}[{window}])"


def total(expression: str, *attributes: str, how: str = "sum") -> str:
    """Return ``sum by (...)`` of an expression, or another aggregation."""
    by = f" by ({', '.join(map(label, attributes))})" if attributes else ""
    return f"{how}{by} ({expression})"


def quantile(
    share: float, metric: Metric, *matchers: str, by: tuple[str, ...] = (), prefixed: bool = False,
    window: str = RATE_WINDOW,
) -> str:  # fmt: skip
    """
    Return a quantile of a histogram.

    Args:
        share: 0 to 1.
        by: Attributes to keep apart.
    """
    buckets = rate(metric, *matchers, part="bucket", prefixed=prefixed, window=window)
    return f"histogram_quantile({share:g}, {total(buckets, *by, 'le')})"


def mean(
    metric: Metric, *matchers: str, by: tuple[str, ...] = (), prefixed: bool = False, window: str = RATE_WINDOW
) -> str:
    """Return the mean of what a histogram took up."""
    sums, counts = (
        total(rate(metric, *matchers, part=part, prefixed=prefixed, window=window), *by) for part in ("sum", "count")
    )
    return f"{sums} / {counts}"


def part_of(part: str, whole: str) -> str:
    """
    Return the share of ``part`` in ``whole``, aggregated alike.

    A failure that never happened has no series: then the share is 0, and not nothing.
    """
    return f"({part} or 0 * {whole}) / {whole}"
