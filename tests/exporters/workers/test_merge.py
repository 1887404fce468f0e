# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The laws of merging: workers together say what one process would have said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import workers

from otelkit._core._buckets import ExplicitBuckets
from otelkit._core._exponential import ExponentialBuckets
from otelkit._core._guard import guard
from otelkit._core._snapshot import Attributes, Exemplar, Kind, Metric, MetricSnapshot, SummaryPoint
from otelkit.exporters.workers import merge

VALUES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20)
SHARES = st.lists(VALUES, min_size=1, max_size=5)
SHAPES = {Kind.HISTOGRAM: ExplicitBuckets((0.1, 1.0, 10.0)), Kind.EXPONENTIAL_HISTOGRAM: ExponentialBuckets()}


@pytest.fixture(autouse=True)
def _clean_guard():
    guard.reset()
    merge._left_out.cache_clear()
    yield
    guard.reset()


def histogram(kind, values, exemplars=(), shape=None):
    """Return a histogram of ``values``."""
    shape = shape or SHAPES[kind]
    state = shape.fold(shape.empty, list(values), sum(values, 0.0))
    point = shape.point(state, (state[2], state[3]), Attributes(a="x"), 5, 9, tuple(exemplars))
    return MetricSnapshot(Metric("took", kind, "s"), [point])


def dropped():
    """Return what was counted as dropped, by reason."""
    return {dict(labels)["otelkit.reason"]: items for what, labels, items in guard.tallies() if what == "dropped"}


@settings(deadline=None)
@given(SHARES)
def test_explicit_histograms_add_up(shares):
    """Buckets, count, sum and extremes are those of all observations in one process."""
    parts = [workers.snapshot(histogram(Kind.HISTOGRAM, values)) for values in shares]
    [found] = workers.points(parts, "took")
    [alone] = histogram(Kind.HISTOGRAM, [value for values in shares for value in values]).points
    assert found._replace(sum=0) == alone._replace(sum=0)
    assert found.sum == pytest.approx(alone.sum)


@settings(deadline=None)
@given(SHARES)
def test_exponential_histograms_add_up(shares):
    """At the scale that 160 buckets allow, each holds what a process of that scale would have put there."""
    parts = [workers.snapshot(histogram(Kind.EXPONENTIAL_HISTOGRAM, values)) for values in shares]
    [found] = workers.points(parts, "took")
    everything = [value for values in shares for value in values]
    assert found.count == len(everything) == sum(found.positive)
    assert (found.min, found.max) == (min(everything), max(everything))
    assert found.scale <= min(part.groups[0].items[0].points[0].scale for part in parts)
    assert len(found.positive) <= 160
    base = 2.0 ** (2.0**-found.scale)
    for value in everything:
        held = [
            index
            for index, count in enumerate(found.positive, found.positive_offset)
            if count and base**index * (1 - 1e-9) < value <= base ** (index + 1) * (1 + 1e-9)
        ]
        assert held


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.data())
def test_it_does_not_matter_who_is_dead(values, data):
    """Counters say the same whether their workers live, are dead, or were folded in any groups."""
    parts = [workers.snapshot(workers.counter("hits", value)) for value in values]
    live = data.draw(st.integers(0, len(parts)))
    cut = data.draw(st.integers(live, len(parts)))
    record = merge.fold(None, parts[live:cut]) if cut > live else None
    record = merge.fold(record, parts[cut:]) if len(parts) > cut else record
    assert workers.total([*parts[:live], *([record] if record else [])], "hits") == sum(values)


def test_created_is_the_earliest_and_the_exemplar_the_newest():
    """The series began with its first worker; of exemplars the newest stands, per bucket in histograms."""
    old, new = Exemplar.of(0.5, 1, 1, 100), Exemplar.of(0.6, 2, 2, 200)
    slow = Exemplar.of(5.0, 3, 3, 50)
    parts = [
        workers.snapshot(
            workers.number(Kind.COUNTER, "hits", 1, start_ns=7), histogram(Kind.HISTOGRAM, [1], [old, slow])
        ),
        workers.snapshot(workers.number(Kind.COUNTER, "hits", 1, start_ns=3), histogram(Kind.HISTOGRAM, [1], [new])),
    ]
    parts[0].groups[0].items[0].points[0] = parts[0].groups[0].items[0].points[0]._replace(exemplar=new)
    parts[1].groups[0].items[0].points[0] = parts[1].groups[0].items[0].points[0]._replace(exemplar=old)
    [hits] = workers.points(parts, "hits")
    assert (hits.start_ns, hits.exemplar.trace_id) == (3, 2)
    [took] = workers.points(parts, "took")
    assert sorted(exemplar.trace_id for exemplar in took.exemplars) == [2, 3]


@pytest.mark.parametrize(
    ("policy", "live", "dead_too"),
    [("sum", 5, 5), ("total", 5, 12), ("max", 3, 3), ("min", 2, 2), ("latest", 2, 7)],
)
def test_policies(policy, live, dead_too):
    """Each policy, without a dead worker and with one whose value was set last."""

    def gauge(value, at):
        return workers.snapshot(workers.number(Kind.GAUGE, "level", value, time_ns=at), policy=lambda _: policy)

    parts = [gauge(2, 20), gauge(3, 10)]
    assert workers.total(parts, "level") == live
    assert workers.total([*parts, merge.fold(None, [gauge(7, 30)])], "level") == dead_too


def test_one_series_per_worker():
    """``each`` names the process of every live worker; the dead one is gone."""
    parts = [
        workers.snapshot(workers.number(Kind.GAUGE, "level", value), policy=lambda _: "each") for value in (1, 2, 3)
    ]
    found = workers.points([*parts[:2], merge.fold(None, parts[2:])], "level")
    assert {point.attributes["process.pid"]: point.value for point in found} == {
        str(parts[0].pid): 1,
        str(parts[1].pid): 2,
    }


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("system.cpu.time", Kind.COUNTER, 3),
        ("system.memory.usage", Kind.UP_DOWN_COUNTER, 2),
        ("hw.gpu.utilization", Kind.GAUGE, 2),
        ("hw.gpu.process.memory.usage", Kind.UP_DOWN_COUNTER, 5),
        ("process.memory.usage", Kind.UP_DOWN_COUNTER, 5),
        ("process.cpu.time", Kind.COUNTER, 12),
        ("process.uptime", Kind.GAUGE, 3),
        ("shop.queue", Kind.UP_DOWN_COUNTER, 5),
    ],
)
def test_what_nobody_spoke_of(name, kind, expected):
    """The host is shown once, processes are added up, and of the dead only what they had counted is left."""
    parts = [
        workers.snapshot(workers.number(kind, name, value, time_ns=at)) for value, at in ((2, 20), (3, 10), (7, 30))
    ]
    assert workers.total([*parts[:2], merge.fold(None, parts[2:])], name) == expected


def test_summaries_add_counts_and_show_the_highest_quantile():
    """Quantiles cannot be added; those of the dead are forgotten, their counts are not."""

    def summary(count, median):
        point = SummaryPoint(Attributes(), 5, 9, count, count * 1.0, ((0.5, median),))
        return workers.snapshot(MetricSnapshot(Metric("size", Kind.SUMMARY), [point]))

    parts = [summary(1, 3.0), summary(2, 4.0), merge.fold(None, [summary(4, 9.0)])]
    [found] = workers.points(parts, "size")
    assert (found.count, found.sum, found.quantiles) == (7, 7.0, ((0.5, 4.0),))


def test_other_bounds_do_not_merge():
    """The youngest worker's bounds stand; what the others had is counted as dropped, once."""
    other = ExplicitBuckets((0.2, 2.0))
    parts = [
        workers.snapshot(histogram(Kind.HISTOGRAM, [1, 2])),
        workers.snapshot(histogram(Kind.HISTOGRAM, [1], shape=other)),
    ]
    for _ in range(3):
        [found] = workers.points(parts, "took")
        assert (found.count, found.bounds) == (1, (0.2, 2.0))
    assert dropped() == {"other bounds in an older worker": 1}


def test_another_kind_does_not_merge():
    """Of a metric that changed its kind, the youngest worker's is shown."""
    parts = [workers.snapshot(workers.counter("x", 5)), workers.snapshot(workers.number(Kind.GAUGE, "x", 1))]
    assert workers.total(parts, "x") == 1
    assert dropped() == {"defined otherwise by an older worker": 1}


def test_ever_new_labels_do_not_grow_without_bound(monkeypatch):
    """Workers that each bring label values of their own end up in one overflow series; no count is lost."""
    monkeypatch.setattr(merge, "MAX_DEAD_SERIES", 10)
    record = None
    for user in range(40):
        record = merge.fold(record, [workers.snapshot(workers.counter("hits", 2, user=str(user)))])
    assert len(workers.points([record], "hits")) == 10
    assert workers.total([record], "hits") == 80


def test_the_target_is_what_all_agree_on():
    """The instance id of one worker does not stand for all."""
    parts = [workers.snapshot(name="shop", instance="a"), workers.snapshot(name="shop", instance="b")]
    assert merge.common_target(parts) == {"name": "shop"}
    assert merge.common_target(parts[:1]) == {"name": "shop", "instance": "a"}
