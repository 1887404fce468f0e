# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Deltas: whatever fails, what was committed adds up to what was recorded."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otelkit._core._exponential import ExponentialBuckets
from otelkit._core._snapshot import Attributes, Exemplar, HistogramPoint, Kind, Metric, MetricSnapshot, NumberPoint
from otelkit.instruments.counter import counter
from otelkit.instruments.histogram import histogram
from otelkit.instruments.registry import Registry
from otelkit.pipeline.delta import Deltas

KINDS = (Kind.COUNTER, Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM)

values = st.floats(-1e6, 1e6, allow_subnormal=False)
intervals = st.lists(st.tuples(st.lists(values, max_size=20), st.booleans()), min_size=1, max_size=8)


def _committed(registry: Registry, rounds: list[tuple[list[float], bool]], observe) -> list:
    """Play ``rounds`` of observations and success, then a last success; return the points of each committed delta."""
    deltas, key, arrived = Deltas(KINDS), registry.add_reader(), []
    for batch, delivered in [*rounds, ([], True)]:
        for value in batch:
            observe(value)
        snapshots = deltas.take(registry.snapshot(key))
        taken = [point for metric, points in snapshots if metric.name.startswith("t.") for point in points]
        if delivered:
            deltas.commit()
            arrived.append(taken)
    return [point for points in arrived for point in points]


@given(intervals)
@settings(max_examples=100, deadline=None)
def test_histogram_deltas_add_up(rounds: list) -> None:
    """Counts, sums and buckets of what arrived are those of all observations; extremes are the outermost."""
    registry = Registry()
    metric = histogram("t.histogram", buckets=[-10.0, 0.0, 10.0], registry=registry)
    points = _committed(registry, rounds, metric.observe)
    observed = [value for batch, _ in rounds for value in batch]
    assert sum(point.count for point in points) == len(observed)
    if observed:
        assert math.isclose(sum(point.sum for point in points), math.fsum(observed), abs_tol=1e-6)
        assert min(point.min for point in points) == min(observed)
        assert max(point.max for point in points) == max(observed)
        inside = [-10.0 < value <= 0.0 for value in observed].count(True)
        assert sum(point.buckets[1] for point in points) == inside
    assert all(one.time_ns <= other.start_ns for one, other in itertools.pairwise(points))


@given(intervals)
@settings(max_examples=100, deadline=None)
def test_exponential_deltas_add_up(rounds: list) -> None:
    """Each delta's buckets hold as many values as its count, whatever scales lie between, and none is negative."""
    registry = Registry()
    metric = histogram("t.exponential", registry=registry)
    (family,) = [family for family in registry.families() if family.name == "t.exponential"]
    family.shape = ExponentialBuckets(max_size=8)
    for cell in family:
        cell.reset()
    points = _committed(registry, rounds, metric.observe)
    observed = [value for batch, _ in rounds for value in batch]
    assert sum(point.count for point in points) == len(observed)
    for point in points:
        counts = [point.zero_count, *point.positive, *point.negative]
        assert sum(counts) == point.count
        assert min(counts) >= 0


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=10))
def test_counter_deltas_add_up(rounds: list) -> None:
    """What arrived of a counter is all of it, and an idle series is left out."""
    registry = Registry()
    metric = counter("t.counter", registry=registry)
    points = _committed(registry, [([step] if step else [], ok) for step, ok in rounds], metric.increment)
    assert sum(point.value for point in points) == sum(step for step, _ in rounds)
    assert all(point.value for point in points[1:])


def _snapshot(point: NumberPoint | HistogramPoint, kind: Kind = Kind.HISTOGRAM) -> list[MetricSnapshot]:
    return [MetricSnapshot(Metric("m", kind), [point])]


def test_series_that_starts_anew_is_taken_whole() -> None:
    """After a reset (a fork, say) a delta is never negative."""
    deltas, attributes = Deltas(KINDS), Attributes()
    deltas.take(_snapshot(NumberPoint(attributes, 1, 10, 100), Kind.COUNTER))
    deltas.commit()
    ((_, (point,)),) = deltas.take(_snapshot(NumberPoint(attributes, 11, 20, 3), Kind.COUNTER))
    assert (point.value, point.start_ns) == (3, 11)


def test_exemplar_belongs_to_the_delta_it_was_taken_in() -> None:
    """A cumulative series keeps its exemplar; a delta has it once."""
    deltas, attributes = Deltas(KINDS), Attributes()
    old, new = Exemplar.of(0.1, 1, 1, 5), Exemplar.of(5.0, 2, 2, 15)
    deltas.take(_snapshot(HistogramPoint(attributes, 1, 10, 1, 0.1, 0.1, 0.1, (1.0,), [1, 0], (old,))))
    deltas.commit()
    second = HistogramPoint(attributes, 1, 20, 2, 5.1, 5.0, 5.0, (1.0,), [1, 1], (old, new))
    ((_, (point,)),) = deltas.take(_snapshot(second))
    assert point.exemplars == (new,)
    assert (point.start_ns, point.count, tuple(point.buckets)) == (10, 1, (0, 1))


@pytest.mark.parametrize("kind", [Kind.GAUGE, Kind.UP_DOWN_COUNTER])
def test_other_kinds_pass(kind: Kind) -> None:
    """Gauges and up-down counters are never differences."""
    deltas, attributes = Deltas(KINDS), Attributes()
    for _ in range(2):
        ((_, (point,)),) = deltas.take(_snapshot(NumberPoint(attributes, 1, 10, 7), kind))
        deltas.commit()
        assert point.value == 7
