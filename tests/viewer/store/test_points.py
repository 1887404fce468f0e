# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Points: whatever order they come in, they are read in time's, and they survive packing, merging and restarts."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from support.viewer import EVER, SECOND_NS, histogram, metrics, number

from otelkit.viewer.ingest.metrics import MetricDecoder
from otelkit.viewer.ingest.refusals import Refusals
from otelkit.viewer.store.blocks import SLOT_NS
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.model import Numbers
from otelkit.viewer.store.store import Store

NOW = time.time_ns()


class Written:
    """A store and the way into it, without a server."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self._folder, self._limits = folder, limits
        self.store = Store(folder, limits)
        self.decoder = MetricDecoder()

    def write(self, request: Message) -> None:
        batch = self.store.batch()
        self.decoder.decode(request.SerializeToString(), batch, Refusals())
        self.store.commit(batch)

    def seal(self) -> None:
        """Pack everything that is in memory."""
        sealing = self.store._sealing
        sealing.begin(self.store.catalogue)
        while sealing.running:
            self.store.maintain()

    def settle(self) -> None:
        """Merge all slots that are over, and delete what is old as it came."""
        self.seal()
        store = self.store
        store._sealing.swept_ns = EVER
        store._retention._merged_ns = 0
        while store._writing.execute("SELECT 1 FROM due WHERE slot_ns < ?", (NOW - 96 * SLOT_NS,)).fetchone():
            store.maintain()
        for _ in range(6):
            store.maintain()
        store._writing.execute("UPDATE blocks SET written_ns = 0")
        store._retention._due_at = 0
        store.maintain()

    def reopen(self) -> None:
        self.store.close()
        self.store, self.decoder = Store(self._folder, self._limits), MetricDecoder()

    def values(self, name: str, from_ns: int = 0, to_ns: int = EVER) -> list[tuple[int, float]]:
        ids = [series.id for series in self.store.series(name)]
        found = self.store.numbers(ids, from_ns, to_ns)
        return [(t, v) for each in found.values() for t, v in zip(each.times_ns, each.values, strict=True)]


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """A store in a folder of the test's own."""
    made = Written(tmp_path)
    yield made
    made.store.close()


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(-5, 5)), min_size=1, max_size=60),
    sealed=st.sets(st.integers(0, 59)),
    reopened=st.sets(st.integers(0, 59)),
)
def test_order_and_repetition_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], sealed: set[int], reopened: set[int]
) -> None:
    """
    Out of order, twice, sealed or not, after a restart or not: ascending, one point a time, the last that came.
    """
    written = Written(tmp_path_factory.mktemp("points"))
    expected: dict[int, float] = {}
    for position, (second, value) in enumerate(steps):
        at = NOW - (60 - second) * SECOND_NS
        written.write(metrics(number("n", value, time_ns=at)))
        expected[at] = value
        if position in sealed:
            written.seal()
        if position in reopened:
            written.reopen()
    assert written.values("n") == sorted(expected.items())
    middle = NOW - 40 * SECOND_NS
    assert written.values("n", middle) == sorted((t, v) for t, v in expected.items() if t >= middle)
    assert written.values("n", 0, middle) == sorted((t, v) for t, v in expected.items() if t < middle)
    (series,) = written.store.series("n")
    assert (series.first_ns, series.last_ns) == (min(expected), max(expected))
    before = written.store.numbers_before([series.id], middle)
    earlier = sorted((t, v) for t, v in expected.items() if t < middle)
    assert before == ({series.id: (earlier[-1][0], 0, earlier[-1][1])} if earlier else {})
    written.store.close()


def test_a_restart_of_a_process_begins_anew(written: Written) -> None:
    """A cumulative sum that falls keeps both starts: readers see a reset, and no negative rate."""
    for second, start, value in ((1, 0, 100), (2, 0, 110), (3, 2, 4), (4, 2, 9)):
        written.write(
            metrics(number("n", value, time_ns=NOW + second * SECOND_NS, start_ns=NOW + start * SECOND_NS))
        )  # fmt: skip
    written.seal()
    (series,) = written.store.series("n")
    points = written.store.numbers([series.id], 0, EVER)[series.id]
    assert list(points.values) == [100, 110, 4, 9]
    assert [start - NOW for start in points.starts_ns] == [0, 0, 2 * SECOND_NS, 2 * SECOND_NS]


def test_a_start_after_its_point_is_no_start(written: Written) -> None:
    """A clock that stepped back: the point is kept, the start is unknown."""
    written.write(metrics(number("n", 1, time_ns=NOW, start_ns=NOW + SECOND_NS)))
    (series,) = written.store.series("n")
    assert list(written.store.numbers([series.id], 0, EVER)[series.id].starts_ns) == [0]


def test_bounds_that_change_make_another_run(written: Written) -> None:
    """Each run has its own bounds, sealed or not; a bucket never moves into another one."""
    for second in range(6):
        bounds, buckets = ([1.0, 2.0], [second, 0, 0]) if second < 3 else ([5.0], [0, second])
        written.write(metrics(histogram("h", bounds, buckets, time_ns=NOW + second * SECOND_NS)))
        if second == 4:
            written.seal()
    written.reopen()
    (series,) = written.store.series("h")
    first, second_run = written.store.histograms([series.id], 0, EVER)[series.id]
    assert (first.bounds, list(first.buckets)) == ((1.0, 2.0), [0, 0, 0, 1, 0, 0, 2, 0, 0])
    assert (second_run.bounds, list(second_run.buckets)) == ((5.0,), [0, 3, 0, 4, 0, 5])
    assert [second_run.stride, len(second_run.times_ns)] == [2, 3]


def test_labels_in_another_order_are_the_same_series(written: Written) -> None:
    """Senders differ; a series is its labels."""
    written.write(metrics(number("n", 1, {"a": "x", "b": "y"}, time_ns=NOW)))
    written.write(metrics(number("n", 2, {"b": "y", "a": "x"}, time_ns=NOW + 1)))
    written.write(metrics(number("n", 3, {"a": "x", "b": 7}, time_ns=NOW + 2)))
    found = written.store.numbers([each.id for each in written.store.series("n")], 0, EVER)
    assert sorted(len(points.values) for points in found.values()) == [1, 2]


def test_short_blocks_are_packed_together(written: Written) -> None:
    """A series that is sealed again and again has one block for half an hour, not one for each time."""
    begin = NOW // SLOT_NS * SLOT_NS - SLOT_NS
    for minute in range(30):
        written.write(metrics(number("n", minute, time_ns=begin + minute * 60 * SECOND_NS)))
        written.seal()
    (raw,) = written.store._writing.execute("SELECT count(*) FROM blocks WHERE resolution_ns = 0").fetchone()
    (journal,) = written.store._writing.execute("SELECT count(*) FROM journal").fetchone()
    assert (raw, journal) == (1, 0)
    assert [value for _, value in written.values("n")] == list(range(30))


def test_old_points_become_coarser_and_keep_their_extremes(tmp_path: Path) -> None:
    """Past the age a gauge has one point a minute: the last value, least, greatest and how many; newer ones stay."""
    written = Written(tmp_path, Limits(raw_s=3_600))
    base = (NOW // SLOT_NS - 48) * SLOT_NS
    for second in range(0, 180, 10):
        value = 1_000 if second == 70 else second
        written.write(metrics(number("g", value, kind="gauge", time_ns=base + second * SECOND_NS)))
    written.settle()
    store = written.store
    (gauge,) = store.series("g")
    points = store.numbers([gauge.id], 0, EVER)[gauge.id]
    assert list(points.values) == [50, 110, 170]
    assert (list(points.lows), list(points.highs)) == ([0, 60, 120], [50, 1_000, 170])
    assert list(points.merged) == [6, 6, 6]
    written.write(metrics(number("g", 5, kind="gauge", time_ns=NOW)))
    assert list(store.numbers([gauge.id], 0, EVER)[gauge.id].merged) == [6, 6, 6, 1]
    store.close()


def test_merged_counters_keep_what_they_reached(tmp_path: Path) -> None:
    """At each minute, and at the ends of a stretch: what the points were there, and for differences their sum."""
    written = Written(tmp_path, Limits(raw_s=3_600))
    base = (NOW // SLOT_NS - 48) * SLOT_NS
    for second in range(5, 185, 10):
        at = base + second * SECOND_NS
        written.write(metrics(number("n", second, time_ns=at), number("d", 10, temporality=1, time_ns=at)))
        written.write(metrics(histogram("h", [1], [second, 1], time_ns=at)))
        written.write(metrics(histogram("hd", [1], [10, 1], temporality=1, time_ns=at)))
    written.settle()
    store = written.store
    assert [(at - base) // SECOND_NS for at, _ in written.values("n")] == [5, 60, 120, 175]
    assert [value for _, value in written.values("n")] == [5, 60, 120, 175]
    assert [value for _, value in written.values("d")] == [10, 55, 60, 55]
    (cumulative,), (difference,) = store.series("h"), store.series("hd")
    found = store.histograms([cumulative.id, difference.id], 0, EVER)
    assert list(found[cumulative.id][0].buckets) == [5, 1, 60, 1, 120, 1, 175, 1]
    assert list(found[difference.id][0].buckets)[::2] == [10, 55, 60, 55]
    assert list(found[difference.id][0].merged) == [1, 5, 6, 6]
    store.close()


def test_merging_loses_no_increase(tmp_path: Path) -> None:
    """A process that restarts within a minute leaves both sides: what the old one reached, and where the new began."""
    written = Written(tmp_path, Limits(raw_s=3_600))
    base = (NOW // SLOT_NS - 48) * SLOT_NS
    for second in range(0, 40, 2):
        start, value = (0, second) if second < 20 else (19, second - 20)
        at = base + second * SECOND_NS
        written.write(metrics(number("n", value, time_ns=at, start_ns=base + start * SECOND_NS)))
    written.settle()
    assert [value for _, value in written.values("n")] == [0, 18, 0, 18]
    written.store.close()


def test_late_points_are_merged_with_the_others(tmp_path: Path) -> None:
    """A recording of old times that comes in two parts is there in full; what comes between merged points is not."""
    written = Written(tmp_path, Limits(raw_s=3_600))
    base = (NOW // SLOT_NS - 48) * SLOT_NS
    for part in (range(60), range(60, 120)):
        for second in part:
            written.write(metrics(number("n", second, time_ns=base + second * SECOND_NS)))
        written.settle()
    expected = [(base + second * SECOND_NS, float(second)) for second in (0, 60, 119)]
    assert written.values("n") == expected
    written.write(metrics(number("n", 7, time_ns=base + 30 * SECOND_NS)))
    assert written.values("n") == expected
    written.settle()
    assert written.values("n") == expected
    written.store.close()


def test_a_series_without_points_is_forgotten(tmp_path: Path) -> None:
    """Past the retention points go, then their series, then the metric; what comes again is a new one."""
    written = Written(tmp_path, Limits(retention_s=3_600))
    written.write(metrics(number("old", 1, time_ns=NOW - 3_500 * SECOND_NS), number("new", 1)))
    written.seal()
    written.store._retention._limits = Limits(retention_s=1_800)
    written.store._retention._due_at = 0
    written.store.maintain()
    assert [metric.name for metric in written.store.metrics()] == ["new"]
    written.write(metrics(number("old", 2)))
    assert [value for _, value in written.values("old")] == [2]
    written.reopen()
    assert [value for _, value in written.values("old")] == [2]
    written.store.close()


def test_a_damaged_block_takes_only_itself_down(written: Written) -> None:
    """What the disk did not keep is missing; the series goes on, is sealed, merged and read."""
    for value in range(1, 4):
        written.write(
            metrics(number("n", value, time_ns=NOW + value), histogram("h", [1], [value, 0], time_ns=NOW + value))
        )
        written.seal()
        if value == 1:
            written.store._writing.execute("UPDATE blocks SET body = ?", (b"damaged",))
    assert [value for _, value in written.values("n")] == [2, 3]
    (numbers,), (series,) = written.store.series("n"), written.store.series("h")
    (run,) = written.store.histograms([series.id], 0, EVER)[series.id]
    assert list(run.buckets) == [2, 0, 3, 0]
    assert written.store.numbers_before([numbers.id], NOW + 2 * 3_600 * SECOND_NS)[numbers.id][2] == 3
    assert written.store.numbers_before([numbers.id], NOW + 10)[numbers.id][2] == 3
    written.store._retention._limits = Limits(raw_s=0)
    written.settle()
    assert [value for _, value in written.values("n")] == [2, 3]


@pytest.mark.parametrize("every", [1, 3])
def test_nothing_is_lost_wherever_it_stops(tmp_path: Path, every: int) -> None:
    """Packed with each commit or each third: what a copy of the files holds then is all that was committed."""
    written = Written(tmp_path / "data")
    series = 40
    for value in range(1, 16):
        if value % every == 0:
            written.store._sealing._began_at = -1e9  # due at this commit
        at = NOW + value
        written.write(metrics(*(number("n", value, {"series": each}, time_ns=at) for each in range(series))))
        copy = tmp_path / f"copy {value}"
        copy.mkdir()
        for name in ("viewer.sqlite", "viewer.sqlite-wal"):
            shutil.copy(tmp_path / "data" / name, copy / name)
        crashed = Store(copy)
        found = crashed.numbers([each.id for each in crashed.series("n")], 0, EVER)
        assert [list(points.values) for points in found.values()] == [list(range(1, value + 1))] * series
        crashed.close()
    written.store.close()


def test_packing_keeps_up_with_what_arrives(tmp_path: Path) -> None:
    """However much one commit brings, memory stays near its limit: the more arrives, the more series are packed."""
    written = Written(tmp_path, Limits(head_bytes=400_000))
    largest = 0
    for step in range(30):
        at = NOW + step * 1_000
        written.write(metrics(*(number("n", step, {"series": each}, time_ns=at) for each in range(3_000))))
        heads = [head for live in written.store.catalogue.series_of(None) for head in live.heads()]
        largest = max(largest, sum(head.used_bytes for head in heads))
    assert largest < 3 * 400_000
    assert sum(len(points.values) for points in _all(written).values()) == 30 * 3_000
    written.store.close()


def _all(written: Written) -> dict[int, Numbers]:
    return written.store.numbers([series.id for series in written.store.series()], 0, EVER)
