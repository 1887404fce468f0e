# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What pages, analysis and API may ask of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from otelkit.viewer.store.flat import Flat
from otelkit.viewer.store.model import (
    Change,
    Exemplar,
    ExponentialPoint,
    Histograms,
    Metric,
    Numbers,
    Sender,
    Series,
    Span,
    Statistics,
    SummaryPoint,
    TraceQuery,
    TraceSummary,
)

__all__ = ("Reading",)


class Reading(Protocol):
    """
    The store, for reading.

    Thread-safe: each thread reads through a connection of its own, and sees what was committed when it asks. Nothing
    here waits for the writer. All ranges are ``from_ns`` inclusive, ``to_ns`` exclusive. What is unknown is empty,
    never an error.
    """

    def metrics(self, name: str | None = None) -> list[Metric]:
        """Return all metrics, or those of that name, by name. Cost: from memory."""
        ...

    def series(
        self, metric: str | None = None, *, resource: Mapping[str, object] = {}, attributes: Mapping[str, object] = {}
    ) -> list[Series]:
        """Return the series of the metric of that name (of all) that have all these attributes. Cost: from memory."""
        ...

    def number_columns(self, series: Iterable[int], from_ns: int, to_ns: int, step_ns: int = 0) -> Iterator[Flat]:
        """
        Yield points of gauges and sums, some hundred series at once; each series in one of them, once.

        Columns: ``times_ns``, ``starts_ns``, ``values``; where points were merged (`rollups`) also ``sums``,
        ``lows``, ``highs`` and ``merged``, how many as received stand behind each.

        Args:
            step_ns: What is looked at are edges at multiples of it: merged points are given where those tell the same.

        Cost: 15 us for a series and 100 points.
        """
        ...

    def histogram_columns(
        self, series: Iterable[int], from_ns: int, to_ns: int, step_ns: int = 0
    ) -> Iterator[tuple[tuple[float, ...], Flat]]:
        """
        Yield bounds, and the points of histograms that have them; likewise.

        Columns: ``times_ns``, ``starts_ns``, ``counts``, ``sums``, ``minima``, ``maxima`` (NaN: not sent),
        ``buckets`` (a row for each point); where points were merged also ``merged``.
        """
        ...

    def numbers(self, series: Iterable[int], from_ns: int, to_ns: int) -> dict[int, Numbers]:
        """Return points of gauges and sums one by one, by series id; series without points there are left out."""
        ...

    def numbers_before(self, series: Iterable[int], time_ns: int) -> dict[int, tuple[int, int, float]]:
        """
        Return (time, start, value) of the last point before ``time_ns`` of each series: the base of an increase.

        Looks back one hour at most, from the latest point of all of them where ``time_ns`` is later.
        """
        ...

    def histograms(self, series: Iterable[int], from_ns: int, to_ns: int) -> dict[int, list[Histograms]]:
        """Return points of histograms, by series id; a further element for each change of bounds."""
        ...

    def exponential_histograms(
        self, series: Iterable[int], from_ns: int, to_ns: int
    ) -> dict[int, list[ExponentialPoint]]:
        """Return points of exponential histograms, by series id."""
        ...

    def summaries(self, series: Iterable[int], from_ns: int, to_ns: int) -> dict[int, list[SummaryPoint]]:
        """Return points of summaries, by series id."""
        ...

    def exemplars(self, series: Iterable[int], from_ns: int, to_ns: int, limit: int = 2_000) -> list[Exemplar]:
        """
        Return exemplars, ascending in time.

        Beyond ``limit`` the greatest of each fortieth of the range, so that all of it has some.
        """
        ...

    def trace(self, trace_id: str) -> list[Span]:
        """Return the spans of a trace, by start. Cost: 20 us a span."""
        ...

    def spans(self, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
        """Return the spans of several traces, by trace id, in one go."""
        ...

    def held(self, trace_ids: Iterable[str]) -> set[str]:
        """Return which of these traces are there. Cost: 3 us each."""
        ...

    def traces(self, query: TraceQuery) -> list[TraceSummary]:
        """Return summaries of traces. Cost: an index holds all but ``attributes``, which reads the traces it finds."""
        ...

    def roots(self, from_ns: int = 0, to_ns: int = 2**63 - 1) -> list[tuple[str, str, int]]:
        """Return (service, name, traces) of all root spans whose trace started in that time, most traces first."""
        ...

    def tallies(self, service: str | None, step_ns: int, first: int, count: int) -> list[tuple[int, int]]:
        """
        Return (traces, failed) that began in each of ``count`` steps, from number ``first`` since the epoch.

        Args:
            service: Of their roots; None for all.
        """
        ...

    def durations(self, service: str, from_ns: int, to_ns: int, limit: int) -> list[tuple[int, int]]:
        """Return (start, duration) of the newest ``limit`` traces whose root is of a service, newest first."""
        ...

    def services(self) -> list[str]:
        """Return service.name of everything that is retained, sorted."""
        ...

    def senders(self) -> list[Sender]:
        """Return who has sent something since this viewer started, latest first."""
        ...

    def statistics(self) -> Statistics:
        """Return what is held, and what was received and refused."""
        ...

    def latest_ns(self) -> int:
        """Return the time of the latest point or span end, 0 if there is none."""
        ...

    @property
    def change(self) -> Change:
        """The last commit."""
        ...

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """
        Have ``callback`` called after each commit, in the writer's thread, until the returned function is called.

        The callback must return at once (``loop.call_soon_threadsafe`` is what it is for).
        """
        ...
