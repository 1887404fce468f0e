# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Points of one commit, as one row.

What is acknowledged is on disk, and a row is far cheaper than one for each series. The row is also what is applied
to the heads in memory, after the commit and after a restart: there is one way in.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import msgspec

from otelkit.viewer.store.catalogue import LiveSeries
from otelkit.viewer.store.columns import HistogramHead, NumberHead
from otelkit.viewer.store.model import ExponentialPoint, SummaryPoint

__all__ = ("Entry",)


class _Histogram(msgspec.Struct, array_like=True):
    series_id: int
    layout_id: int
    time_ns: int
    start_ns: int
    count: int
    sum: float
    min: float
    max: float
    buckets: tuple[int, ...]


class _Others(msgspec.Struct, array_like=True):
    histograms: list[_Histogram]
    exponential: list[tuple[int, ExponentialPoint]]
    summaries: list[tuple[int, SummaryPoint]]


_decoder = msgspec.msgpack.Decoder(_Others)


class Entry:
    """Points of some requests, not yet committed, or read back."""

    __slots__ = ("_others", "series_ids", "starts_ns", "times_ns", "values")

    def __init__(self) -> None:
        self.series_ids: array[int] = array("q")
        self.times_ns: array[int] = array("q")
        self.starts_ns: array[int] = array("q")
        self.values: array[float] = array("d")
        self._others = _Others([], [], [])

    def number(self, series_id: int, time_ns: int, start_ns: int, value: float) -> None:
        """Add a point of a gauge or sum."""
        self.series_ids.append(series_id)
        self.times_ns.append(time_ns)
        self.starts_ns.append(start_ns)
        self.values.append(value)

    def histogram(
        self,
        series_id: int,
        layout_id: int,
        time_ns: int,
        start_ns: int,
        count: int,
        sum: float,  # noqa: A002 - OTLP's word
        extremes: tuple[float, float],
        buckets: tuple[int, ...],
    ) -> None:
        """Add a point of a histogram; what was not sent is NaN."""
        self._others.histograms.append(
            _Histogram(series_id, layout_id, time_ns, start_ns, count, sum, *extremes, buckets)
        )

    def exponential_histogram(self, series_id: int, point: ExponentialPoint) -> None:
        """Add a point of an exponential histogram."""
        self._others.exponential.append((series_id, point))

    def summary(self, series_id: int, point: SummaryPoint) -> None:
        """Add a point of a summary."""
        self._others.summaries.append((series_id, point))

    def __len__(self) -> int:
        others = self._others
        return len(self.series_ids) + len(others.histograms) + len(others.exponential) + len(others.summaries)

    def to_row(self) -> tuple[bytes, bytes]:
        """Return the row's two columns."""
        columns = (self.series_ids, self.times_ns, self.starts_ns, self.values)
        return b"".join(column.tobytes() for column in columns), msgspec.msgpack.encode(self._others)

    @classmethod
    def from_row(cls, numbers: bytes, others: bytes) -> Entry:
        """Read a row back."""
        entry, size = cls(), len(numbers) // 4
        for index, column in enumerate((entry.series_ids, entry.times_ns, entry.starts_ns, entry.values)):
            column.frombytes(numbers[index * size : (index + 1) * size])
        entry._others = _decoder.decode(others)
        return entry

    def apply(self, series: Mapping[int, LiveSeries], layouts: Mapping[int, tuple[float, ...]]) -> tuple[int, int]:
        """
        Give the points to their series' heads; call it with the catalogue's lock held.

        Returns:
            Bytes that the heads grew by, and points that were not later than all before them of their series.
        """
        late = self._apply_numbers(series)
        grown = 24 * len(self.series_ids)
        for point in self._others.histograms:
            live = series.get(point.series_id)
            if live is not None:
                late += point.time_ns <= live.last_ns
                grown += _apply_histogram(live, point, layouts[point.layout_id])
        for series_id, point in (*self._others.exponential, *self._others.summaries):
            live = series.get(series_id)
            if live is not None:
                late += point.time_ns <= live.last_ns
                live.saw(point.time_ns, point.time_ns)
                live.head_for(0, ()).points.append(point)  # type: ignore[union-attr] - the kind has this head
                grown += 800
        return grown, late

    def _apply_numbers(self, series: Mapping[int, LiveSeries]) -> int:
        late = 0
        for series_id, time_ns, start_ns, value in zip(
            self.series_ids, self.times_ns, self.starts_ns, self.values, strict=True
        ):
            live = series.get(series_id)
            if live is None:  # its retention ended between the commit and now
                continue
            if time_ns > live.last_ns:
                live.last_ns = time_ns
                live.first_ns = live.first_ns or time_ns
            else:
                late += 1
                live.saw(time_ns, time_ns)
            head = live.head
            if head is None:
                head = live.head = NumberHead()
            head.times_ns.append(time_ns)  # type: ignore[union-attr] - the kind has this head
            head.starts_ns.append(start_ns)  # type: ignore[union-attr]
            head.values.append(value)  # type: ignore[union-attr]
        return late


def _apply_histogram(live: LiveSeries, point: _Histogram, bounds: tuple[float, ...]) -> int:
    head = live.head_for(point.layout_id, bounds)
    assert isinstance(head, HistogramHead)
    head.times_ns.append(point.time_ns)
    head.starts_ns.append(point.start_ns)
    head.counts.append(point.count)
    head.sums.append(point.sum)
    head.minima.append(point.min)
    head.maxima.append(point.max)
    head.buckets.extend(point.buckets)
    live.saw(point.time_ns, point.time_ns)
    return 48 + 8 * len(point.buckets)
