# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Buckets: laws of folding, edges, and what no bucket takes."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.metrics import fresh, point, total

import otelkit
from otelkit._core._buckets import NUMBERS, SECONDS, ExplicitBuckets, finite_only
from otelkit._core._exponential import ExponentialBuckets

_finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)
_batches = st.lists(st.lists(_finite, min_size=1, max_size=80), min_size=1, max_size=6)
_SHAPES = [ExplicitBuckets(SECONDS), ExplicitBuckets(NUMBERS), ExponentialBuckets()]


def _same(one: Any, other: Any) -> None:
    assert one[0] == other[0]
    assert one[2:] == other[2:]
    assert math.isclose(one[1], other[1], rel_tol=1e-9, abs_tol=1e-3)


def _fold(shape: Any, state: Any, values: list[float]) -> Any:
    return shape.fold(state, list(values), sum(values, 0.0))


@pytest.mark.parametrize("shape", _SHAPES)
@given(batches=_batches)
def test_folding_in_any_split_equals_folding_at_once(shape: Any, batches: list[list[float]]) -> None:
    """How a buffer happens to be cut into batches changes nothing."""
    state = shape.empty
    for batch in batches:
        state = _fold(shape, state, batch)
    _same(state, _fold(shape, shape.empty, [value for batch in batches for value in batch]))
    assert shape.empty[0] == 0, "folding must not touch the empty state"


@given(values=st.lists(_finite, min_size=1, max_size=100))
def test_each_value_is_in_the_bucket_whose_bounds_hold_it(values: list[float]) -> None:
    """Bucket i counts what lies in (bounds[i-1], bounds[i]], by bisecting and by sorting alike."""
    shape = ExplicitBuckets(NUMBERS)
    buckets = _fold(shape, shape.empty, values)[4]
    edges = [-math.inf, *NUMBERS, math.inf]
    assert buckets == [sum(low < value <= high for value in values) for low, high in itertools.pairwise(edges)]


@pytest.mark.parametrize("repeat", [1, 40])
def test_a_value_on_a_bound_belongs_below_it(repeat: int) -> None:
    """Bounds are upper and inclusive (``le``), for few values and for many."""
    shape = ExplicitBuckets((1.0, 2.0))
    values = [1.0, math.nextafter(1.0, 2.0), 2.0, math.nextafter(2.0, 3.0)] * repeat
    assert _fold(shape, shape.empty, values)[4] == [repeat, 2 * repeat, repeat]


class Scalar:
    """A number of somebody else's, as numpy's are: converts to float, infects what it is added to."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __ge__(self, other: object) -> bool:
        return True

    def __add__(self, other: object) -> Scalar:
        return self

    __radd__ = __sub__ = __rsub__ = __add__

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Raising:
    """A number whose every operation raises."""

    def __float__(self) -> float:
        raise RuntimeError

    def __ge__(self, other: object) -> bool:
        raise RuntimeError

    def __neg__(self) -> float:
        raise RuntimeError

    __add__ = __radd__ = __ge__


_GOOD = [1, 2.5, True, Decimal("0.5"), Fraction(1, 4), Scalar(3.0)]
_SUM = 1 + 2.5 + 1 + 0.5 + 0.25 + 3.0
_BAD = [math.nan, math.inf, -math.inf, "5", b"5", None, 10**400, Raising(), [1], object()]


def _dropped(name: str) -> float:
    return total("otelkit.dropped", {"otelkit.metric": name})


def test_odd_numbers_are_taken_and_non_numbers_are_dropped_by_histograms() -> None:
    """What has a finite value counts as a float; all else is dropped, counted, and raises nothing."""
    for repeat in (1, 60):
        name = fresh("odd")
        cell = otelkit.histogram(name, buckets=[1, 10]).labels()
        for value in (_GOOD + _BAD) * repeat:
            cell.observe(value)  # type: ignore[arg-type]
        found = point(name)
        assert found.count == len(_GOOD) * repeat
        assert math.isclose(found.sum, _SUM * repeat)
        assert (type(found.sum), type(found.min), type(found.max)) == (float, float, float)
        assert _dropped(name) == len(_BAD) * repeat


def test_odd_numbers_are_taken_and_non_numbers_are_dropped_by_counters_gauges_and_summaries() -> None:
    """The same for all other instruments."""
    for repeat in (1, 60):
        counter, moved, gauge, summary = fresh("c"), fresh("u"), fresh("g"), fresh("s")
        counter_cell = otelkit.counter(counter).labels()
        moved_cell = otelkit.up_down_counter(moved).labels()
        gauge_cell = otelkit.gauge(gauge).labels()
        summary_cell = otelkit.summary(summary).labels()
        for value in (_GOOD + _BAD) * repeat:
            counter_cell.increment(value)  # type: ignore[arg-type]
            moved_cell.increment(value)  # type: ignore[arg-type]
            moved_cell.decrement(value)  # type: ignore[arg-type]
            gauge_cell.set(value)  # type: ignore[arg-type]
            summary_cell.observe(value)  # type: ignore[arg-type]
        assert math.isclose(point(counter).value, _SUM * repeat)
        assert abs(point(moved).value) < 1e-9 or point(moved).value == pytest.approx(6.0 * repeat)
        assert type(point(gauge).value) is float
        assert point(summary).sum == pytest.approx(_SUM * repeat)
        assert type(point(counter).value) in (int, float)
        assert _dropped(counter) == _dropped(gauge) == _dropped(summary) == len(_BAD) * repeat


def test_negative_steps_of_counters_are_dropped_and_counted() -> None:
    """A counter only rises; the good steps of the same batch stay."""
    name = fresh("counter")
    counter = otelkit.counter(name)
    for step in (1, -1, 2, -0.5, 0):
        counter.increment(step)
    assert point(name).value == 3
    assert _dropped(name) == 2


def test_counters_keep_whole_numbers_whole() -> None:
    """Beyond 2**53 a float could not count by one."""
    name = fresh("counter")
    counter = otelkit.counter(name)
    counter.increment(2**60)
    counter.increment()
    assert point(name).value == 2**60 + 1


def test_a_sum_beyond_all_floats_blocks_nothing() -> None:
    """Values that are finite one by one, whose sum is not, do not stop the cell."""
    name = fresh("huge")
    cell = otelkit.histogram(name, buckets=[1]).labels()
    for _ in range(300):
        cell.observe(1.7e308)
        cell.observe(10**308)
    assert point(name).count == 600


def test_finite_only_keeps_types_of_integers_and_floats() -> None:
    """Nothing that is a number already is converted."""
    kept = finite_only([1, 2.0, True, "3", math.nan, Decimal(4)])
    assert kept == [1, 2.0, 1.0, 4.0]
    assert [type(value) for value in kept] == [int, float, float, float]


@pytest.mark.parametrize("unit", ["s", ""])
def test_default_bounds_are_the_conventions(unit: str) -> None:
    """Seconds get the semantic conventions' bounds, everything else the specification's."""
    name = fresh("bounds")
    otelkit.histogram(name, unit=unit).observe(0.2)
    assert point(name).bounds == (SECONDS if unit == "s" else NUMBERS)
