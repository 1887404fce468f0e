# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics from OTLP into a batch."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, Literal

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from otelkit.viewer.ingest.lazy import LazyExemplar, LazyMetrics
from otelkit.viewer.ingest.points import exponential_point, histogram_problem, summary_point
from otelkit.viewer.ingest.refusals import MAX_LABELS_BYTES, MAX_NAME_LENGTH, MAX_RESOURCE_BYTES, Refusals
from otelkit.viewer.store.batch import Batch
from otelkit.viewer.store.catalogue import Catalogue, LiveSeries, canonical
from otelkit.viewer.store.columns import not_a_number
from otelkit.viewer.store.decoding import attributes_of, resource_of, scope_of
from otelkit.viewer.store.model import Attributes, Kind, Metric

__all__ = ("MetricDecoder",)

_KINDS: tuple[Kind, ...] = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_TEMPORALITY: tuple[Literal["", "cumulative", "delta"], ...] = ("", "delta", "cumulative")
_NO_VALUE = 1
"""The flag of a point that says that there is none."""
_MAX_INTEGER = 2**63 - 1
_REMEMBERED_BYTES = 32 << 20
_ENTRY_BYTES = 200
_MAX_EXEMPLARS = 100
"""Of one point."""


class _Family:
    """
    One metric of one resource: its series by the bytes of their attributes.

    Attributes:
        template: The metric, without its id: it is made with its first series only.
    """

    __slots__ = ("layouts", "resource", "series", "template")

    def __init__(self, template: Metric, resource: bytes) -> None:
        self.template = template
        self.resource = resource
        self.series: dict[tuple[bytes, ...], LiveSeries] = {}
        self.layouts: dict[tuple[float, ...], int | None] = {}


class MetricDecoder:
    """
    Turns requests into points; for the writer's thread only.

    It remembers series by what their senders call them, which is cheap to look up: 3 us a point, all in all.
    """

    def __init__(self) -> None:
        self._families: dict[tuple[object, ...], _Family] = {}
        self._resources: dict[bytes, tuple[bytes, Attributes]] = {}
        self._remembered_bytes = 0
        self._valid_for: tuple[Catalogue, int] | None = None

    def decode(self, body: bytes, batch: Batch, refused: Refusals) -> list[tuple[Attributes, int]]:
        """
        Add the points of a checked request to ``batch``.

        Returns:
            Each resource, with the points it sent.
        """
        self._forget_what_changed(batch.catalogue)
        now_ns = time.time_ns()
        window = now_ns - int(batch.limits.retention_s * 1e9), now_ns + int(batch.limits.skew_s * 1e9)
        came: list[tuple[Attributes, int]] = []
        for resource_metrics in LazyMetrics.FromString(body).resource_metrics:
            if len(resource_metrics.resource) > MAX_RESOURCE_BYTES:
                refused.add("invalid", _count_points(resource_metrics))
                continue
            resource, attributes = self._resource(resource_metrics.resource)
            before = len(batch.entry)
            for scope_metrics in resource_metrics.scope_metrics:
                scope = scope_metrics.scope
                for metric in scope_metrics.metrics:
                    self._decode_metric(metric, resource, scope, batch, refused, window)
            came.append((attributes, len(batch.entry) - before))
        return came

    def _forget_what_changed(self, catalogue: Catalogue) -> None:
        valid_for = catalogue, catalogue.removals
        if self._valid_for != valid_for or self._remembered_bytes > _REMEMBERED_BYTES:
            self._families.clear()
            self._resources.clear()
            self._remembered_bytes = 0
            self._valid_for = valid_for

    def _resource(self, body: bytes) -> tuple[bytes, Attributes]:
        known = self._resources.get(body)
        if known is None:
            attributes = resource_of(body)
            known = self._resources[body] = canonical(attributes), attributes
            self._remembered_bytes += _ENTRY_BYTES + 10 * len(body)
        return known

    def _decode_metric(
        self, metric: Any, resource: bytes, scope: bytes, batch: Batch, refused: Refusals, window: tuple[int, int]
    ) -> None:
        kind: Kind | None = next((kind for kind in _KINDS if metric.HasField(kind)), None)
        if kind is None:
            return
        data = getattr(metric, kind)
        points = data.data_points
        if len(metric.name) > MAX_NAME_LENGTH:
            refused.add("invalid", len(points))
            return
        temporality = "" if kind in ("gauge", "summary") else _TEMPORALITY[data.aggregation_temporality]
        if kind not in ("gauge", "summary") and not temporality:
            refused.add("temporality", len(points))
            return
        monotonic = kind == "sum" and data.is_monotonic
        key = resource, scope, metric.name, metric.unit, kind, temporality, monotonic
        family = self._families.get(key)
        if family is None:
            template = Metric(
                id=0,
                name=metric.name,
                kind=kind,
                unit=metric.unit,
                description=metric.description[:MAX_NAME_LENGTH],
                temporality=temporality,
                monotonic=monotonic,
                scope=scope_of(scope),
            )
            family = self._families[key] = _Family(template, resource)
            self._remembered_bytes += _ENTRY_BYTES + len(metric.name) + len(template.description)
        batch.metric_names.add(metric.name)
        if kind in ("gauge", "sum"):
            self._add_numbers(points, family, batch, refused, window)
        elif kind == "histogram":
            self._add_histograms(points, family, batch, refused, window)
        else:
            self._add_others(points, family, batch, refused, window)

    def _add_numbers(
        self, points: Any, family: _Family, batch: Batch, refused: Refusals, window: tuple[int, int]
    ) -> None:
        known, add = family.series, batch.entry.number
        earliest, latest = window
        for point in points:
            time_ns = point.time_unix_nano
            if not earliest <= time_ns <= latest:
                _refuse_time(time_ns, earliest, refused)
                continue
            if point.flags & _NO_VALUE:
                continue
            attributes = tuple(point.attributes)
            live = known.get(attributes) or self._find(attributes, family, batch)
            if live is None:
                refused.add("series_limit")
                continue
            start_ns = point.start_time_unix_nano
            value = point.as_double or float(point.as_int)
            add(live.id, time_ns, start_ns if start_ns <= time_ns else 0, value)
            if point.exemplars:
                _add_exemplars(point.exemplars, live, batch, window)

    def _add_histograms(
        self, points: Any, family: _Family, batch: Batch, refused: Refusals, window: tuple[int, int]
    ) -> None:
        earliest, latest = window
        for point in points:
            time_ns = point.time_unix_nano
            if not earliest <= time_ns <= latest:
                _refuse_time(time_ns, earliest, refused)
                continue
            if point.flags & _NO_VALUE:
                continue
            bounds, buckets = tuple(point.explicit_bounds), tuple(point.bucket_counts)
            count = point.count
            if not buckets and not bounds:
                buckets = (count,)
            if bounds not in family.layouts:
                family.layouts[bounds] = self._layout(bounds, batch)
            layout = family.layouts[bounds]
            problem = "layout_limit" if layout is None else histogram_problem(count, bounds, buckets)
            if problem or layout is None:
                refused.add(problem or "invalid")
                continue
            attributes = tuple(point.attributes)
            live = family.series.get(attributes) or self._find(attributes, family, batch)
            if live is None:
                refused.add("series_limit")
                continue
            start_ns = point.start_time_unix_nano
            batch.entry.histogram(
                live.id,
                layout,
                time_ns,
                start_ns if start_ns <= time_ns else 0,
                count,
                not_a_number(point.sum if point.HasField("sum") else None),
                (
                    not_a_number(point.min if point.HasField("min") else None),
                    not_a_number(point.max if point.HasField("max") else None),
                ),
                buckets,
            )
            if point.exemplars:
                _add_exemplars(point.exemplars, live, batch, window)

    def _layout(self, bounds: tuple[float, ...], batch: Batch) -> int | None:
        if len(bounds) >= batch.limits.buckets or any(a >= b for a, b in pairwise(bounds)):
            return None
        return batch.layout(bounds)

    def _add_others(
        self, points: Any, family: _Family, batch: Batch, refused: Refusals, window: tuple[int, int]
    ) -> None:
        earliest, latest = window
        exponential = family.template.kind == "exponential_histogram"
        for point in points:
            if not earliest <= point.time_unix_nano <= latest:
                _refuse_time(point.time_unix_nano, earliest, refused)
                continue
            if point.flags & _NO_VALUE:
                continue
            made = exponential_point(point, batch.limits.buckets) if exponential else summary_point(point)
            if made is None:
                refused.add("invalid")
                continue
            attributes = tuple(point.attributes)
            live = family.series.get(attributes) or self._find(attributes, family, batch)
            if live is None:
                refused.add("series_limit")
            elif exponential:
                batch.entry.exponential_histogram(live.id, made)  # type: ignore[arg-type]
                _add_exemplars(point.exemplars, live, batch, window)
            else:
                batch.entry.summary(live.id, made)  # type: ignore[arg-type]

    def _find(self, attributes: tuple[bytes, ...], family: _Family, batch: Batch) -> LiveSeries | None:
        if sum(map(len, attributes)) > MAX_LABELS_BYTES:
            return None
        decoded = attributes_of(KeyValue.FromString(pair) for pair in attributes)
        live = batch.series(family.template, family.resource, decoded)
        if live is not None:
            family.series[attributes] = live
            self._remembered_bytes += _ENTRY_BYTES + sum(map(len, attributes))
        return live


def _count_points(resource_metrics: Any) -> int:
    """Return how many points a part of a request holds."""
    all_metrics = (metric for scope in resource_metrics.scope_metrics for metric in scope.metrics)
    return sum(len(getattr(metric, kind).data_points) for metric in all_metrics for kind in _KINDS)


def _refuse_time(time_ns: int, earliest: int, refused: Refusals) -> None:
    refused.add("too_old" if 0 < time_ns < earliest else "time")


def _add_exemplars(raw: Any, live: LiveSeries, batch: Batch, window: tuple[int, int]) -> None:
    latest = frozenset(raw[:_MAX_EXEMPLARS])
    if latest == live.exemplars:
        return
    for body in latest - live.exemplars:
        try:
            exemplar = LazyExemplar.FromString(body)
        except DecodeError:  # cannot be: the request was checked
            continue
        if window[0] <= exemplar.time_unix_nano <= window[1]:
            value = exemplar.as_double if exemplar.WhichOneof("value") == "as_double" else float(exemplar.as_int)
            attributes = attributes_of(exemplar.filtered_attributes)
            batch.exemplar(live, exemplar.time_unix_nano, exemplar.trace_id, exemplar.span_id, value, attributes)
    live.exemplars = latest
