# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What the store hands to its readers: plain data, in OTLP's terms.

Times are nanoseconds since the Unix epoch, ids are lower-case hex. Records
are msgspec structs, so ``msgspec.json.encode`` takes them as they are; the
columns of points are arrays, because a query touches a few of many.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

__all__ = (
    "Attributes",
    "Change",
    "Event",
    "Exemplar",
    "ExponentialPoint",
    "Histograms",
    "Kind",
    "Link",
    "Metric",
    "Numbers",
    "Sender",
    "Series",
    "Span",
    "Statistics",
    "SummaryPoint",
    "TraceQuery",
    "TraceSummary",
)

Attributes = dict[str, Any]
"""Values are text, bool, int, float, None, bytes as base64 text, or lists and dictionaries of them."""

Kind = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]


class Metric(msgspec.Struct, frozen=True):
    """
    One metric as one scope sends it; several may share a name, and differ in anything else.

    Attributes:
        id: Stable for as long as the metric is retained.
        temporality: Empty for gauges and summaries.
        monotonic: A counter; False for gauges and up-down counters.
    """

    id: int
    name: str
    kind: Kind
    unit: str = ""
    description: str = ""
    temporality: Literal["", "cumulative", "delta"] = ""
    monotonic: bool = False
    scope: str = ""


class Series(msgspec.Struct, frozen=True):
    """
    One label set of one metric, from one resource.

    Attributes:
        id: Stable for as long as the series is retained.
        service: The resource's service.name, or empty.
        instance: The resource's service.instance.id, or empty.
        first_ns: Time of its first point.
        last_ns: Time of its latest point.
    """

    id: int
    metric: Metric
    resource: Attributes
    attributes: Attributes
    first_ns: int = 0
    last_ns: int = 0

    @property
    def service(self) -> str:
        """service.name of the resource, or empty."""
        return str(self.resource.get("service.name", ""))

    @property
    def instance(self) -> str:
        """service.instance.id of the resource, or empty."""
        return str(self.resource.get("service.instance.id", ""))


@dataclass(slots=True)
class Numbers:
    """
    Points of a gauge or sum: columns of equal length, ascending in time, no two of the same time.

    Attributes:
        starts_ns: Start of what a sum covers (0 for gauges). In cumulative sums a new start is a restart of its
            process; but compare values as well, not every sender sets it.
        values: For delta sums the difference.
        lows: Least value within what was merged into the point by downsampling; equal to the value otherwise.
        highs: Greatest value, likewise.
        merged: How many points as received stand behind each; 1 unless downsampled.
    """

    times_ns: array[int]
    starts_ns: array[int]
    values: array[float]
    lows: array[float]
    highs: array[float]
    merged: array[int]


@dataclass(slots=True)
class Histograms:
    """
    Points of a histogram that have the same bounds: columns of equal length, ascending in time.

    Attributes:
        bounds: Upper bounds, inclusive, without the last bucket's, which is infinite.
        counts: Observations of each point.
        sums: NaN where it was not sent; likewise ``minima`` and ``maxima``.
        buckets: Flat: point i has ``buckets[i * stride : (i + 1) * stride]`` with stride ``len(bounds) + 1``.
        merged: How many points as received stand behind each; 1 unless downsampled.
    """

    bounds: tuple[float, ...]
    times_ns: array[int]
    starts_ns: array[int]
    counts: array[int]
    sums: array[float]
    minima: array[float]
    maxima: array[float]
    buckets: array[int]
    merged: array[int]

    @property
    def stride(self) -> int:
        """Buckets of one point."""
        return len(self.bounds) + 1


class ExponentialPoint(msgspec.Struct, frozen=True, array_like=True):
    """
    One point of an exponential histogram.

    Attributes:
        sum: None where it was not sent; likewise ``min`` and ``max``.
        positive: Counts; bucket i is (base ** (positive_offset + i), base ** (positive_offset + i + 1)] with
            base = 2 ** (2 ** -scale).
        negative: The same for the values' magnitudes below zero.
    """

    time_ns: int
    start_ns: int
    count: int
    sum: float | None
    min: float | None
    max: float | None
    scale: int
    zero_count: int
    zero_threshold: float
    positive_offset: int
    positive: tuple[int, ...]
    negative_offset: int
    negative: tuple[int, ...]


class SummaryPoint(msgspec.Struct, frozen=True, array_like=True):
    """One point of a summary; ``quantiles`` are pairs of quantile (0 to 1) and value."""

    time_ns: int
    start_ns: int
    count: int
    sum: float
    quantiles: tuple[tuple[float, float], ...]


class Exemplar(msgspec.Struct, frozen=True):
    """One exemplar; the ids are empty where it has none, ``attributes`` are those that the series leaves out."""

    series_id: int
    time_ns: int
    value: float
    trace_id: str
    span_id: str
    attributes: Attributes


class Event(msgspec.Struct, frozen=True):
    """Something that happened within a span; an exception is one named ``exception``."""

    time_ns: int
    name: str
    attributes: Attributes


class Link(msgspec.Struct, frozen=True):
    """From a span to another one, mostly of another trace."""

    trace_id: str
    span_id: str
    attributes: Attributes


class Span(msgspec.Struct, frozen=True):
    """
    One span, in full.

    Attributes:
        parent_span_id: Empty for the root. It may name a span that has not arrived, or never will.
        kind: ``internal``, ``server``, ``client``, ``producer``, ``consumer``, or empty.
        status: ``unset``, ``ok``, ``error``.
        dropped: Attributes, events and links that the sender left out, added up.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    status_message: str
    resource: Attributes
    scope: str
    attributes: Attributes
    events: tuple[Event, ...]
    links: tuple[Link, ...]
    dropped: int = 0

    @property
    def service(self) -> str:
        """service.name of the resource, or empty."""
        return str(self.resource.get("service.name", ""))


class TraceSummary(msgspec.Struct, frozen=True):
    """
    A trace in a list.

    Attributes:
        root_name: Name of the root span; while that has not arrived, of the earliest span.
        rooted: Whether the root span (the one without parent) has arrived.
        duration_ns: From the earliest start to the latest end.
        services: service.name of all its spans, sorted.
    """

    trace_id: str
    root_service: str
    root_name: str
    rooted: bool
    start_ns: int
    duration_ns: int
    spans: int
    errors: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceQuery:
    """
    Which traces; what is left out does not matter.

    Attributes:
        from_ns: Earliest start of the trace, inclusive.
        to_ns: Latest start, exclusive.
        service: At least one span is of this service.
        root_service: The root span is.
        span_name: At least one span has this name.
        failed: True: at least one span has status error; False: none has.
        attributes: At least one span, or its resource, has this attribute with this value; for each pair. A value
            given as text also finds numbers and booleans that are written so.
        order: ``newest`` or ``slowest`` first.
        limit: At most so many.
    """

    from_ns: int = 0
    to_ns: int = 2**63 - 1
    service: str | None = None
    root_service: str | None = None
    root_name: str | None = None
    span_name: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    failed: bool | None = None
    attributes: Mapping[str, str | bool | int | float] | None = None
    order: Literal["newest", "slowest"] = "newest"
    limit: int = 100


class Sender(msgspec.Struct, frozen=True):
    """
    A process, or whatever else has a resource of its own, that has sent something since this viewer started.

    Attributes:
        latest_ns: When something of it arrived last, by the viewer's clock.
        interval_s: Time between its last two arrivals of metrics; 0 until there were two.
        points: Metric points that arrived; likewise ``spans``.
    """

    resource: Attributes
    latest_ns: int
    interval_s: float
    points: int
    spans: int


class Change(msgspec.Struct, frozen=True):
    """
    What one commit brought.

    Attributes:
        sequence: Grows by one with each commit; 0 before the first.
        metrics: Names of the metrics with new points.
        traces: Ids of the traces with new spans, the last hundred at most.
    """

    sequence: int
    metrics: frozenset[str]
    traces: tuple[str, ...]
    points: int
    spans: int


class Statistics(msgspec.Struct, frozen=True):
    """
    What the store holds, and what became of all that came.

    Attributes:
        counts: otelkit.viewer.* self counts since this process started, such as
            ``{"received.spans": 10, "refused.points.series_limit": 3}``: what, of what, why.
        held_bytes: Size of the files.
        limit_bytes: Beyond it the oldest goes.
        oldest_ns: Earliest that is retained, 0 where there is nothing; likewise ``latest_ns``.
    """

    counts: dict[str, int]
    metrics: int
    series: int
    traces: int
    spans: int
    held_bytes: int
    limit_bytes: int
    retention_s: float
    oldest_ns: int
    latest_ns: int
