# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Exemplars: few look-ups, the slowest sampled call, and two scrapers that both see it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit._core._buckets import ExplicitBuckets
from otelkit._core._cell import MISS_BUDGET
from otelkit._core._family import Definition, Options
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._number_cells import CounterCell
from otelkit._core._snapshot import Kind, Metric
from otelkit._core._span_source import span_source
from otelkit._core._store import Store


class Spans:
    """A look-up that the test controls."""

    def __init__(self) -> None:
        self.looked_up = 0
        self.current: tuple[int, int] | None = None

    def __call__(self) -> tuple[int, int] | None:
        self.looked_up += 1
        return self.current


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Stand in for the tracing library."""
    before = span_source.current, span_source.enabled
    source = Spans()
    span_source.current, span_source.enabled = source, True
    yield source
    span_source.current, span_source.enabled = before


def _cell(kind: str = "histogram", bounds: tuple[float, ...] = (1.0, 10.0, 100.0)) -> Any:
    store = Store(lambda definition: None)
    store.options_for = lambda _: Options(ExplicitBuckets(bounds))
    metric = Metric("exemplars", Kind.HISTOGRAM if kind == "histogram" else Kind.COUNTER)
    return store.family(Definition(kind, (metric,))).hold(())


def test_without_spans_only_a_budget_of_look_ups_is_spent(spans: Spans) -> None:
    """Values that never exceed the greatest cost three look-ups in a chunk of 100."""
    cell: HistogramCell = _cell()
    for _ in range(1_000):
        cell.observe(1.0)
    assert spans.looked_up <= 11 * MISS_BUDGET
    assert cell.point(0, None) is not None


def test_a_new_maximum_is_looked_up_even_without_budget(spans: Spans) -> None:
    """The slowest call is the one worth an exemplar."""
    cell: HistogramCell = _cell()
    for _ in range(20):
        cell.observe(1.0)
    before = spans.looked_up
    cell.observe(0.5)
    assert spans.looked_up == before
    spans.current = (1, 2)
    cell.observe(50.0)
    (exemplar,) = cell.point(0, None).exemplars  # type: ignore[union-attr]
    assert (float(exemplar), exemplar.trace_id, exemplar.span_id) == (50.0, 1, 2)


def test_switched_off_nothing_is_looked_up(spans: Spans) -> None:
    """The floor is infinite then."""
    span_source.enabled = False
    cell: HistogramCell = _cell()
    cell.observe(1e300)
    assert (spans.looked_up, cell.floor) == (0, math.inf)


def _slowest_is_carried(spans: Spans, share: float, calls: int) -> int:
    """Return in how many intervals the slowest sampled observation was an exemplar."""
    generator = random.Random(7)
    cell: HistogramCell = _cell(bounds=(0.01, 0.1, 1.0, 10.0))
    carried = 0
    trace = 0
    for _ in range(60):
        slowest = (0.0, 0)
        for _ in range(calls):
            trace += 1
            value = generator.lognormvariate(-3, 1)
            spans.current = (trace, trace) if generator.random() < share else None
            if spans.current:
                slowest = max(slowest, (value, trace))
            cell.observe(value)
        point: Any = cell.point(0, None)
        carried += slowest[1] in [exemplar.trace_id for exemplar in point.exemplars]
    return carried


def test_the_slowest_call_of_each_interval_is_carried_when_all_are_sampled(spans: Spans) -> None:
    """Always, at 100 %."""
    assert _slowest_is_carried(spans, 1.0, 1_000) == 60


def test_the_slowest_sampled_call_is_nearly_always_carried_at_ten_percent(spans: Spans) -> None:
    """Of 60 intervals, in at least 48: the look-ups' budget is the price of cheap calls."""
    assert _slowest_is_carried(spans, 0.1, 5_000) >= 48


def test_each_bucket_keeps_its_last_exemplar_for_two_scrapers(spans: Spans) -> None:
    """A collection takes nothing away; a newer one of the same bucket replaces it."""
    cell: HistogramCell = _cell()
    spans.current = (1, 1)
    cell.observe(0.5)
    spans.current = (2, 2)
    cell.observe(50.0)
    for _ in range(2):
        point: Any = cell.point(0, None)
        assert {exemplar.trace_id for exemplar in point.exemplars} == {1, 2}
    spans.current = (3, 3)
    cell.observe(0.6)
    point = cell.point(0, None)
    assert {exemplar.trace_id for exemplar in point.exemplars} == {2, 3}


def test_a_counter_takes_one_exemplar_an_interval_and_never_of_a_bad_step(spans: Spans) -> None:
    """It stays until the next one, and a step that was dropped gives none."""
    cell: CounterCell = _cell("counter")
    spans.current = (1, 1)
    cell.increment(5)
    spans.current = (2, 2)
    cell.increment(5)
    for _ in range(2):
        exemplar: Any = cell.point(0).exemplar
        assert (exemplar.trace_id, cell.point(0).value) == (1, 10)
    spans.current = (3, 3)
    cell.increment(-5)
    cell.increment(10**400)
    exemplar = cell.point(0).exemplar
    assert (exemplar.trace_id, cell.point(0).value) == (1, 10)


def test_extremes_are_each_reader_s_own(spans: Spans) -> None:
    """Counts stay cumulative; min and max are those since that reader looked last."""
    cell: HistogramCell = _cell()
    cell.observe(5.0)
    assert _extremes(cell, 1) == (5.0, 5.0, 1)
    cell.observe(2.0)
    assert _extremes(cell, 2) == (2.0, 5.0, 2)
    cell.observe(3.0)
    assert _extremes(cell, 1) == (2.0, 3.0, 3)
    assert _extremes(cell, 2) == (3.0, 3.0, 3)
    assert _extremes(cell, None) == (2.0, 5.0, 3)


def _extremes(cell: HistogramCell, reader: int | None) -> tuple[float, float, int]:
    point: Any = cell.point(0, reader)
    return point.min, point.max, point.count
