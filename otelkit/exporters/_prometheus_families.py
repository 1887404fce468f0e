# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Snapshots of any number of scopes, gathered into Prometheus' metric families.

A family's samples must be contiguous and its names its own, or the whole page
is refused; so this is where what cannot share the page is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from otelkit._core._guard import guard
from otelkit._core._snapshot import ExponentialPoint, Kind, Metric, MetricSnapshot, Point
from otelkit.exporters._classic_histogram import classic_histogram
from otelkit.exporters._prometheus_names import metric_name, unit_name
from otelkit.exporters._prometheus_text import Scope, labels_text, map_text, scope_labels

ScopedSnapshots = tuple[Scope | None, Iterable[MetricSnapshot]]

COUNTER, GAUGE, HISTOGRAM, SUMMARY = "counter", "gauge", "histogram", "summary"

_TYPES = {
    Kind.COUNTER: COUNTER,
    Kind.UP_DOWN_COUNTER: GAUGE,
    Kind.GAUGE: GAUGE,
    Kind.HISTOGRAM: HISTOGRAM,
    Kind.EXPONENTIAL_HISTOGRAM: HISTOGRAM,
    Kind.SUMMARY: SUMMARY,
}
_SUFFIXES = {
    COUNTER: ("", "_total", "_created"),
    GAUGE: ("",),
    HISTOGRAM: ("", "_bucket", "_sum", "_count", "_created"),
    SUMMARY: ("", "_sum", "_count", "_created"),
}
RESERVED_LABELS = {COUNTER: "", GAUGE: "", HISTOGRAM: "le", SUMMARY: "quantile"}

TARGET_NAMES = frozenset({"target", "target_info"})


class Family:
    """
    One Prometheus metric and its series.

    Attributes:
        name: As OpenMetrics wants it, without a counter's ``_total``.
        series: Label text (a comma after each label) to point; a point here
            is never an ExponentialPoint.
    """

    __slots__ = ("help", "name", "series", "type", "unit")

    def __init__(self, name: str, metric_type: str, metric: Metric) -> None:
        unit = unit_name(metric)
        self.name = name
        self.type = metric_type
        self.help = metric.description
        self.unit = unit if unit and name.endswith(f"_{unit}") else ""
        self.series: dict[str, Point] = {}


def families(groups: Iterable[ScopedSnapshots]) -> list[Family]:
    """
    Return the families of a page, in order of first appearance.

    The first to use a name keeps it: a later metric of another type, or whose
    sample names would clash, is left out, counted and logged once. The clash is
    judged by OpenMetrics' names, so that both formats show the same metrics.
    """
    found: dict[str, Family] = {}
    taken: dict[str, str] = dict.fromkeys(TARGET_NAMES, "target")
    for scope, snapshots in groups:
        labels = map_text(scope_labels(scope))
        for metric, points in snapshots:
            if not points:
                continue
            try:
                family = _family_of(metric, found, taken)
                if family is not None:
                    _add(family, metric, labels, points)
            except Exception as error:
                leave_out(metric.name, "not encodable", f"{type(error).__name__}: {error}")
    return [family for family in found.values() if family.series]


def family_name(metric: Metric) -> tuple[str, str]:
    """
    Return name, without a counter's ``_total``, and type of the family that ``metric`` belongs to.

    Errors: ValueError if the name cannot be translated.
    """
    metric_type = _TYPES[metric.kind]
    name = metric_name(metric)
    return (name.removesuffix("_total") if metric_type == COUNTER else name), metric_type


def _family_of(metric: Metric, found: dict[str, Family], taken: dict[str, str]) -> Family | None:
    name, metric_type = family_name(metric)
    family = found.get(name)
    if family is not None and family.type == metric_type:
        return family
    names = [name + suffix for suffix in _SUFFIXES[metric_type]]
    clash = next((taken[each] for each in names if each in taken), None)
    if clash is not None:
        leave_out(metric.name, "name clash", f"Its Prometheus name {name!r} is that of the metric {clash!r}.")
        return None
    taken.update(dict.fromkeys(names, metric.name))
    family = found[name] = Family(name, metric_type, metric)
    return family


def _add(family: Family, metric: Metric, prefix: str, points: Iterable[Point]) -> None:
    series, reserved = family.series, RESERVED_LABELS[family.type]
    expected = len(series)
    if metric.kind is Kind.EXPONENTIAL_HISTOGRAM:
        points = [classic_histogram(point) for point in points if isinstance(point, ExponentialPoint)]
    for point in points:
        try:
            labels = prefix + labels_text(point.attributes, reserved)
        except ValueError as error:
            leave_out(metric.name, "not encodable", str(error))
            continue
        expected += 1
        series.setdefault(labels, point)
    if len(series) != expected:
        leave_out(metric.name, "duplicate series", "Several of its series have the same Prometheus labels.")


@lru_cache(maxsize=1_024)
def leave_out(metric: str, reason: str, detail: str) -> None:
    """Count and log what is not on the page; once for a metric and reason, not once a scrape."""
    guard.dropped(metric, reason, detail=detail)
