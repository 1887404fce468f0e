# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The store: what is written through one connection, and read through others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from otelkit.exceptions import ConfigurationError
from otelkit.viewer.store.batch import Batch
from otelkit.viewer.store.catalogue import Catalogue, LiveSeries
from otelkit.viewer.store.changes import Changes
from otelkit.viewer.store.columns import ListHead
from otelkit.viewer.store.counts import Counts, Held, Senders
from otelkit.viewer.store.flat import Flat
from otelkit.viewer.store.holding import Holding
from otelkit.viewer.store.joining import histograms_of, join_listed, numbers_of
from otelkit.viewer.store.journal import Entry
from otelkit.viewer.store.limits import Limits
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
from otelkit.viewer.store.pieces import SpanWriter
from otelkit.viewer.store.readers import Readers
from otelkit.viewer.store.retention import Retention
from otelkit.viewer.store.schema import FILE_NAME, open_for_writing
from otelkit.viewer.store.sealing import Sealing
from otelkit.viewer.store.series_reading import read_exemplars, read_flat, read_listed, recent_of
from otelkit.viewer.store.tallies import read_roots, read_tallies
from otelkit.viewer.store.trace_reading import find_held, find_traces, read_durations, read_services, read_spans

__all__ = ("Store",)

_LOOK_BACK_NS = 3_600_000_000_000
_RARE = 20
_SERIES_AT_ONCE = 512
"""Bounds what a query of many series holds unpacked."""


class Store:
    """
    Everything that one viewer holds; `Reading` says what may be asked of it.

    Reading is thread-safe. Writing (`batch`, `commit`, `maintain`) is for one thread.

    Args:
        folder: Made where there is none; held until `close`.
        limits: How much it takes.

    Errors: ConfigurationError if somebody else holds the folder, or its file cannot be opened.
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self.counts = Counts()
        self._senders = Senders()
        self._changes = Changes()
        try:
            self.holding = Holding(folder)
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            self._writing = open_for_writing(folder)
            self.catalogue = Catalogue()
            self.catalogue.load(self._writing)
            self._spans = SpanWriter(self._writing, self.limits.spans_of_trace)
            self._sealing = Sealing(self._writing)
            self._retention = Retention(self._writing, self.limits)
            self._held = Held(self._writing)
            self._recover()
        except (sqlite3.Error, OSError) as error:
            self.holding.release()
            raise _unusable(folder, error) from error
        self._readers = Readers(folder)

    def close(self) -> None:
        """Close the files and let go of the folder; what is committed stays."""
        self._readers.close()
        self._writing.close()
        self.holding.release()

    # -- writing ------------------------------------------------------------------

    def batch(self) -> Batch:
        """Begin a commit: a transaction is open until `commit` or `roll_back`."""
        self._writing.execute("BEGIN IMMEDIATE")
        return Batch(self._writing, self.catalogue, self.limits)

    def commit(self, batch: Batch) -> None:
        """
        Write everything down, then show it to readers.

        Errors: sqlite3.Error, after which `roll_back` must be called; nothing of the batch has become visible.
        """
        if self._sealing.is_due(self.limits.head_bytes, self.limits.head_s):
            self._sealing.begin(self.catalogue)
        written = self._spans.write(batch.traces)
        points = len(batch.entry)
        if points:
            self._writing.execute("INSERT INTO journal (numbers, others) VALUES (?, ?)", batch.entry.to_row())
        self._writing.executemany("INSERT OR IGNORE INTO exemplars VALUES (?, ?, ?, ?, ?, ?)", batch.exemplars)
        sealing = self._sealing if self._sealing.running else None
        series = sealing.pace(self.limits.head_bytes) if sealing else 0
        packed = sealing.step(self.catalogue, series) if sealing else []
        self._writing.execute("COMMIT")
        if sealing:
            sealing.done(self.catalogue, packed, series)
        self._apply(batch.entry)
        self._held.add(written.traces, written.spans, written.latest_ns)
        self.counts.add("duplicates.spans", written.duplicates)
        self._tell(batch, points)

    def roll_back(self) -> None:
        """Undo an open batch, in memory too."""
        if self._writing.in_transaction:
            self._writing.execute("ROLLBACK")
        catalogue = Catalogue()
        catalogue.load(self._writing, self.catalogue)
        self.catalogue = catalogue
        self._spans.forget()

    def maintain(self) -> None:
        """
        Do what can wait: pack, merge, delete. Call it every second or so, between batches.

        Errors: sqlite3.Error, after which everything is as before.
        """
        if self._sealing.running or self._sealing.is_due(self.limits.head_bytes, self.limits.head_s):
            batch = self.batch()
            try:
                self.commit(batch)
            except sqlite3.Error:
                self.roll_back()
                raise
        traces, spans = self._retention.step(self.catalogue, self._sealing.swept_ns)
        if traces:
            self._held.add(-traces, -spans, 0)
            self._spans.forget()

    def saw(self, resource: dict[str, Any], points: int, spans: int) -> None:
        """Take note of who sends."""
        self._senders.saw(resource, points, spans)

    def _apply(self, entry: Entry) -> None:
        with self.catalogue.lock:
            grown, late = entry.apply(self.catalogue.series, self.catalogue.layouts)
        self._sealing.head_bytes += grown
        self.counts.add("late.points", late)

    def _tell(self, batch: Batch, points: int) -> None:
        spans = sum(map(len, batch.traces.values()))
        if points or spans:
            traces = tuple(trace_id.hex() for trace_id in list(batch.traces)[-100:])
            self._changes.publish(frozenset(batch.metric_names), traces, points, spans)

    def _recover(self) -> None:
        """Give the heads the points that no block holds."""
        for numbers, others in self._writing.execute("SELECT numbers, others FROM journal ORDER BY id"):
            self._apply(Entry.from_row(numbers, others))
        self.counts = Counts()

    # -- reading ------------------------------------------------------------------

    def metrics(self, name: str | None = None) -> list[Metric]:
        """See `Reading`."""
        return self.catalogue.metrics_named(name)

    def series(
        self, metric: str | None = None, *, resource: Mapping[str, object] = {}, attributes: Mapping[str, object] = {}
    ) -> list[Series]:
        """See `Reading`."""
        return [
            live.to_series()
            for live in self.catalogue.series_of(metric)
            if all(live.resource.get(key) == value for key, value in resource.items())
            and all(live.attributes.get(key) == value for key, value in attributes.items())
        ]

    def number_columns(self, series: Iterable[int], from_ns: int, to_ns: int, step_ns: int = 0) -> Iterator[Flat]:
        """See `Reading`."""
        for found in self._flat(series, from_ns, to_ns, step_ns, ("gauge", "sum")):
            yield from found.values()

    def histogram_columns(
        self, series: Iterable[int], from_ns: int, to_ns: int, step_ns: int = 0
    ) -> Iterator[tuple[tuple[float, ...], Flat]]:
        """See `Reading`."""
        for found in self._flat(series, from_ns, to_ns, step_ns, ("histogram",)):
            for layout, points in found.items():
                yield self.catalogue.layouts[layout], points

    def numbers(self, series: Iterable[int], from_ns: int, to_ns: int) -> dict[int, Numbers]:
        """See `Reading`."""
        found: dict[int, Numbers] = {}
        for points in self.number_columns(series, from_ns, to_ns):
            found |= numbers_of(points)
        return found

    def numbers_before(self, series: Iterable[int], time_ns: int) -> dict[int, tuple[int, int, float]]:
        """See `Reading`."""
        alive = self._alive(series, ("gauge", "sum"))
        latest = max((live.last_ns for live in alive), default=0)
        until = min(time_ns, latest + 1)
        found: dict[int, tuple[int, int, float]] = {}
        for number, points in self.numbers([live.id for live in alive], until - _LOOK_BACK_NS, until).items():
            found[number] = points.times_ns[-1], points.starts_ns[-1], points.values[-1]
        return found

    def histograms(self, series: Iterable[int], from_ns: int, to_ns: int) -> dict[int, list[Histograms]]:
        """See `Reading`."""
        found: dict[int, list[Histograms]] = {}
        for bounds, points in self.histogram_columns(series, from_ns, to_ns):
            for number, run in histograms_of(points, bounds).items():
                found.setdefault(number, []).append(run)
        for runs in found.values():
            runs.sort(key=lambda run: run.times_ns[0])
        return found

    def exponential_histograms(
        self, series: Iterable[int], from_ns: int, to_ns: int
    ) -> dict[int, list[ExponentialPoint]]:
        """See `Reading`."""
        return self._listed(series, from_ns, to_ns, "exponential_histogram")

    def summaries(self, series: Iterable[int], from_ns: int, to_ns: int) -> dict[int, list[SummaryPoint]]:
        """See `Reading`."""
        return self._listed(series, from_ns, to_ns, "summary")

    def exemplars(self, series: Iterable[int], from_ns: int, to_ns: int, limit: int = 2_000) -> list[Exemplar]:
        """See `Reading`."""
        with self._readers.take() as connection:
            return read_exemplars(connection, list(series), from_ns, to_ns, limit)

    def trace(self, trace_id: str) -> list[Span]:
        """See `Reading`."""
        return self.spans([trace_id]).get(trace_id.lower(), [])

    def spans(self, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
        """See `Reading`."""
        with self._readers.take() as connection:
            return read_spans(connection, trace_ids)

    def held(self, trace_ids: Iterable[str]) -> set[str]:
        """See `Reading`."""
        with self._readers.take() as connection:
            return find_held(connection, list(trace_ids))

    def traces(self, query: TraceQuery) -> list[TraceSummary]:
        """See `Reading`."""
        with self._readers.take() as connection:
            return find_traces(connection, query)

    def roots(self, from_ns: int = 0, to_ns: int = 2**63 - 1) -> list[tuple[str, str, int]]:
        """See `Reading`."""
        with self._readers.take() as connection:
            return read_roots(connection, from_ns, to_ns)

    def tallies(self, service: str | None, step_ns: int, first: int, count: int) -> list[tuple[int, int]]:
        """See `Reading`."""
        with self._readers.take() as connection:
            return read_tallies(connection, service, step_ns, first, count)

    def durations(self, service: str, from_ns: int, to_ns: int, limit: int) -> list[tuple[int, int]]:
        """See `Reading`."""
        with self._readers.take() as connection:
            roots = read_roots(connection, from_ns, to_ns)
            own = sum(traces for root, _, traces in roots if root == service)
            often = own * _RARE > sum(traces for _, _, traces in roots)
            return read_durations(connection, service, from_ns, to_ns, limit, often)

    def services(self) -> list[str]:
        """See `Reading`."""
        found = {str(live.resource.get("service.name", "")) for live in self.catalogue.series_of(None)}
        with self._readers.take() as connection:
            return sorted((found | read_services(connection)) - {""})

    def senders(self) -> list[Sender]:
        """See `Reading`."""
        return self._senders.read()

    def statistics(self) -> Statistics:
        """See `Reading`."""
        with self._readers.take() as connection:
            (oldest,) = connection.execute("SELECT min(start_ns) FROM traces").fetchone()
        live = self.catalogue.series_of(None)
        firsts = [each.first_ns for each in live if each.first_ns] + ([oldest] if oldest else [])
        return Statistics(
            counts=self.counts.read(),
            metrics=len(self.catalogue.metrics),
            series=len(live),
            traces=self._held.traces,
            spans=self._held.spans,
            held_bytes=sum(path.stat().st_size for path in self.folder.glob(f"{FILE_NAME}*")),
            limit_bytes=self.limits.held_bytes,
            retention_s=self.limits.retention_s,
            oldest_ns=max(min(firsts), self._retention.deleted_before_ns) if firsts else 0,
            latest_ns=self.latest_ns(),
        )

    def latest_ns(self) -> int:
        """See `Reading`."""
        return max([live.last_ns for live in self.catalogue.series_of(None)] + [self._held.latest_ns])

    @property
    def change(self) -> Change:
        """See `Reading`."""
        return self._changes.last

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """See `Reading`."""
        return self._changes.subscribe(callback)

    def _alive(self, series: Iterable[int], kinds: Sequence[str]) -> list[LiveSeries]:
        known = self.catalogue.series
        found = (known.get(number) for number in series)
        return [live for live in found if live is not None and live.metric.kind in kinds]

    def _flat(
        self, series: Iterable[int], from_ns: int, to_ns: int, step_ns: int, kinds: Sequence[str]
    ) -> Iterator[dict[int, Flat]]:
        """Yield the points of some hundred series at once, by layout."""
        alive = sorted(self._alive(set(series), kinds), key=lambda live: (live.metric.id, live.id))
        for at in range(0, len(alive), _SERIES_AT_ONCE):
            some = alive[at : at + _SERIES_AT_ONCE]
            # Memory first: what is sealed in between is found twice then, and not nowhere.
            with self.catalogue.lock:
                recent = recent_of(some)
            gone_ns = self._retention.gone_ns()
            with self._readers.take() as connection:
                found = read_flat(connection, some, recent, from_ns, to_ns, step_ns, gone_ns)
            if found:
                yield found

    def _listed(self, series: Iterable[int], from_ns: int, to_ns: int, kind: str) -> dict[int, list[Any]]:
        alive = sorted(self._alive(set(series), (kind,)), key=lambda live: (live.metric.id, live.id))
        with self.catalogue.lock:
            heads = {live.id: [head for head in live.heads() if isinstance(head, ListHead)] for live in alive}
            recent = {number: [list(head.points) for head in of] for number, of in heads.items()}
        with self._readers.take() as connection:
            packed = read_listed(connection, alive, from_ns, to_ns)
        joined = {live.id: join_listed([*packed.get(live.id, ()), *recent[live.id]], from_ns, to_ns) for live in alive}
        return {number: points for number, points in joined.items() if points}


def _unusable(folder: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        "a folder that the dashboard can keep its data in", f"{folder} ({error})", "--data, dashboard_folder",
        "Choose another one, or remove what is in it.",
    )  # fmt: skip
