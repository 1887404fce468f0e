# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What the store hands to whoever reads it: metrics and their points.

This is the one seam between recording and publishing. Everything here is
plain data, cumulative since ``start_ns``, and may be read without a lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a metric's points are, in OpenTelemetry's terms."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    EXPONENTIAL_HISTOGRAM = "exponential_histogram"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One metric's identity. Equal definitions are the same metric.

    Args:
        name: OpenTelemetry name: dots, no unit, no ``_total``.
        kind: What its points are.
        unit: UCUM, case-sensitive (``s``, ``By``, ``{request}``, ``1``).
        description: One sentence; becomes Prometheus' HELP.
    """

    name: str
    kind: Kind
    unit: str = ""
    description: str = ""


class Attributes(dict[str, str]):
    """
    The labels of one series; read-only once built, shared by all its points.

    The same object comes back in every snapshot for as long as the series
    lives, so a reader may key what it remembers by ``id()`` while it holds a
    reference. ``exposition`` is a slot in which the Prometheus renderer keeps
    the escaped text, which it would otherwise build again for each scrape.
    """

    __slots__ = ("exposition",)

    exposition: str


class Exemplar(float):
    """
    An observed value that remembers the span it was taken in.

    It is a float so that value and span travel through a cell's buffer as one
    item: no reader can see one without the other.
    """

    __slots__ = ("span_id", "time_ns", "trace_id")

    trace_id: int
    span_id: int
    time_ns: int

    @staticmethod
    def of(value: float, trace_id: int, span_id: int, time_ns: int) -> Exemplar:
        """Bind ``value`` to a span; ``time_ns`` is Unix time."""
        exemplar = Exemplar(value)
        exemplar.trace_id = trace_id
        exemplar.span_id = span_id
        exemplar.time_ns = time_ns
        return exemplar


class NumberPoint(NamedTuple):
    """A counter's total, an up-down counter's or a gauge's value."""

    attributes: Attributes
    start_ns: int
    time_ns: int
    value: float
    exemplar: Exemplar | None = None


class HistogramPoint(NamedTuple):
    """
    An explicit-bucket histogram; never empty.

    ``buckets`` has one entry more than ``bounds`` and is not cumulative;
    bucket *i* holds values ``bounds[i-1] < v <= bounds[i]``. ``exemplars``
    holds at most one per bucket, in no particular order; each carries the
    time it was taken.
    """

    attributes: Attributes
    start_ns: int
    time_ns: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    sum: float
    min: float
    max: float
    bounds: tuple[float, ...]
    buckets: Sequence[int]
    exemplars: tuple[Exemplar, ...] = ()


class ExponentialPoint(NamedTuple):
    """
    A base-2 exponential histogram, as OTLP defines it; never empty.

    Bucket ``offset + i`` holds ``base**(offset+i) < |v| <= base**(offset+i+1)``
    with ``base = 2**(2**-scale)``.
    """

    attributes: Attributes
    start_ns: int
    time_ns: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    sum: float
    min: float
    max: float
    scale: int
    zero_count: int
    positive_offset: int
    positive: Sequence[int]
    negative_offset: int
    negative: Sequence[int]
    exemplars: tuple[Exemplar, ...] = ()


class SummaryPoint(NamedTuple):
    """Count and sum since ``start_ns``; quantiles over the sliding window only."""

    attributes: Attributes
    start_ns: int
    time_ns: int
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]
    sum: float
    quantiles: tuple[tuple[float, float], ...]


Point = NumberPoint | HistogramPoint | ExponentialPoint | SummaryPoint


class MetricSnapshot(NamedTuple):
    """One metric and all its series; the list belongs to the reader."""

    metric: Metric
    points: list[Point]
