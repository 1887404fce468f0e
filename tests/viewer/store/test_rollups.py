# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Merged points tell what the points themselves told: random series, random ranges, both read and compared."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.viewer import SECOND_NS, histogram, metrics, number

from otelkit.viewer.api import groups
from otelkit.viewer.api.groups import Births, Groups
from otelkit.viewer.ingest.metrics import MetricDecoder
from otelkit.viewer.ingest.refusals import Refusals
from otelkit.viewer.store.blocks import SLOT_NS
from otelkit.viewer.store.store import Store

GAP_NS = 150 * SECOND_NS
BOUNDS = [0.1, 0.5, 1.0]
HOURS = 8
NOW = time.time_ns()
BEGIN = (NOW // SLOT_NS - 2 * HOURS - 3) * SLOT_NS
"""So far back that all of it is merged, longest steps included."""
SERIES = 5


class Sent:
    """What a process sends: a counter and a histogram that may restart, a gauge, and the same as differences."""

    def __init__(self, chance: random.Random, number_: int) -> None:
        self._chance, self._labels = chance, {"series": number_, "half": number_ % 2}
        self._calls, self._buckets, self._start_ns = 0, [0, 0, 0, 0], BEGIN - 5 * SECOND_NS

    def report(self, at_ns: int, since_ns: int) -> list[object]:
        """Return one report's metrics."""
        if self._chance.random() < 0.01:
            self._calls, self._buckets, self._start_ns = 0, [0, 0, 0, 0], at_ns - SECOND_NS
        more = [self._chance.randrange(6) for _ in self._buckets]
        self._buckets = [known + each for known, each in zip(self._buckets, more, strict=True)]
        self._calls += sum(more)
        when = {"time_ns": at_ns, "start_ns": self._start_ns}
        difference = {"time_ns": at_ns, "start_ns": since_ns, "temporality": 1}
        return [
            number("calls", self._calls, self._labels, **when),  # type: ignore[arg-type]
            number("changes", sum(more), self._labels, **difference),  # type: ignore[arg-type]
            number("level", self._chance.randrange(100), self._labels, kind="gauge", time_ns=at_ns),
            histogram("took", BOUNDS, self._buckets, self._labels, **when),  # type: ignore[arg-type]
            histogram("parts", BOUNDS, more, self._labels, **difference),  # type: ignore[arg-type]
        ]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Store]:
    """Two stores of the same points: in one they are merged, in the other they are as they came."""
    chance = random.Random(5)
    both = [Store(tmp_path_factory.mktemp(name)) for name in ("merged", "raw")]
    decoders = [MetricDecoder(), MetricDecoder()]
    for each in range(SERIES):
        sent, interval = Sent(chance, each), chance.choice((10, 15, 60, 100))
        at = BEGIN + chance.randrange(60 * SECOND_NS)
        before = at - interval * SECOND_NS
        requests = []
        while at < BEGIN + HOURS * 3_600 * SECOND_NS:
            requests += sent.report(at, before)
            silent = chance.random() < 0.004
            before = at
            at += (chance.randrange(200, 4_000) if silent else interval) * SECOND_NS + chance.randrange(SECOND_NS)
            before = at - interval * SECOND_NS if silent else before
        for store, decoder in zip(both, decoders, strict=True):
            batch = store.batch()
            decoder.decode(metrics(*requests).SerializeToString(), batch, Refusals())
            store.commit(batch)
    merged, raw = both
    merged._sealing.begin(merged.catalogue)
    while merged._sealing.running:
        merged.maintain()
    while merged._retention._merged_ns < merged._sealing.swept_ns:
        merged.maintain()
    return merged, raw


def read(store: Store, name: str, by: Sequence[str], first: int, count: int, step_s: int) -> Groups:
    """Return groups as pages read them."""
    chosen = store.series(name)
    edges = np.arange(first, first + count + 1, dtype=np.int64) * step_s * SECOND_NS
    if name == "level":
        return groups.gauges(store, chosen, by, edges, GAP_NS)
    function = groups.sums if name in ("calls", "changes") else groups.distributions
    return function(store, chosen, by, edges, GAP_NS, Births.of(store.series()))


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(("calls", "changes", "took", "parts", "level")),
    by=st.sampled_from(((), ("series",), ("half",))),
    step_s=st.sampled_from((60, 120, 300, 600, 900, 1_800, 3_600, 10_800)),
    offset_s=st.integers(-7_200, HOURS * 3_600),
    count=st.integers(1, 40),
)
def test_merged_points_tell_the_same(
    stores: tuple[Store, Store], name: str, by: tuple[str, ...], step_s: int, offset_s: int, count: int
) -> None:
    """
    Any range, any step, any labels: what rose is within 1/64 a series and edge of it, what is known is the same.

    Readings are the same; for how long one holds where none is follows from how often it is read, which is estimated.
    """
    by = ("series",) if name == "level" else by
    first = (BEGIN // SECOND_NS + offset_s) // step_s
    end_ns = (first + count) * step_s * SECOND_NS
    merged, raw = (read(store, name, by, first, count, step_s) for store in stores)
    assert merged.keys() == raw.keys()
    for key, group in raw.items():
        found = merged[key]
        assert (found.bounds, found.series) == (group.bounds, group.series)
        if name == "level":
            known = found.rise.known & group.rise.known
            assert np.allclose(found.rise.values[known], group.rise.values[known])
            continue
        assert found.rise.known.tolist() == group.rise.known.tolist()
        assert np.abs(found.rise.values - group.rise.values).max() <= 2 * SERIES / 64
        assert min(found.last, end_ns) == min(group.last, end_ns)


def test_long_ranges_read_few_points(stores: tuple[Store, Store]) -> None:
    """Two hours in steps of five minutes: of a series that reports every ten seconds 7 points for half an hour."""
    merged, raw = stores
    ids = [each.id for each in raw.series("calls")]
    end = BEGIN + 4 * SLOT_NS

    def read_of(store: Store) -> list[int]:
        found = store.number_columns(ids, BEGIN, end, 300 * SECOND_NS)
        return [int(each) for points in found for each in np.diff(points.offsets)]

    assert max(read_of(raw)) > 4 * 100
    assert min(read_of(merged)) < 4 * 12
    assert sum(read_of(merged)) < sum(read_of(raw))
