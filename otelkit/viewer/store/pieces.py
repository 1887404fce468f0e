# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Writing spans.

A trace comes in pieces: from several processes, and in several requests of one. The spans of one commit and trace
are one row, as they were encoded, compressed. Beside it the trace has a summary row, which lists and searches read.
Spans that came before (a request that is repeated because its answer got lost) are left out by their ids.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from otelkit.viewer.store.blobs import Blobs
from otelkit.viewer.store.signature import mask_from, words_of
from otelkit.viewer.store.tallies import Tally

__all__ = ("ArrivedSpan", "SpanOrigin", "SpanWriter", "Written")

_LEVEL = 1
_SHOWN = 500
"""Characters of a name in a summary."""
_ID_BYTES = 8
_REMEMBERED_TRACES = 4_000
_REMEMBERED_IDS = 200_000

_SUMMARY = "root_rank, root_start_ns, root_service, root_name, start_ns, duration_ns, spans, errors, services"
_SIGNATURE = "s0, s1, s2, s3, s4, s5"


@dataclass(slots=True, frozen=True)
class SpanOrigin:
    """
    Where spans come from: their encoded resource and scope, and what is needed of them.

    Attributes:
        refuse: Told of each span that is not taken, by the reason.
    """

    resource: bytes
    scope: bytes
    service: str
    mask: int
    refuse: Callable[[str], None]


@dataclass(slots=True)
class ArrivedSpan:
    """A span as it came, and what its trace's summary needs of it."""

    origin: SpanOrigin
    body: bytes
    span_id: bytes
    is_root: bool
    name: str
    start_ns: int
    end_ns: int
    failed: bool
    mask: int


class Written(NamedTuple):
    """
    What became of the spans of a commit.

    Attributes:
        traces: New ones.
        spans: New ones.
        duplicates: Spans that were there already.
        latest_ns: Latest end of the new ones.
    """

    traces: int = 0
    spans: int = 0
    duplicates: int = 0
    latest_ns: int = 0


@dataclass(slots=True)
class _Trace:
    """What is known of a trace."""

    number: int
    is_new: bool = True
    ids: set[bytes] = field(default_factory=set)
    root_rank: int = -1
    root_start_ns: int = 0
    root_service: str = ""
    root_name: str = ""
    start_ns: int = 0
    end_ns: int = 0
    errors: int = 0
    services: set[str] = field(default_factory=set)
    mask: int = 0

    def add(self, span: ArrivedSpan) -> None:
        """Take a span in that is not there yet."""
        first = not self.ids
        self.ids.add(span.span_id)
        self.start_ns = span.start_ns if first else min(self.start_ns, span.start_ns)
        self.end_ns = max(self.end_ns, span.end_ns, self.start_ns)
        self.errors += span.failed
        self.services.add(span.origin.service[:_SHOWN])
        self.mask |= span.mask | span.origin.mask
        rank = int(span.is_root)
        if rank > self.root_rank or (rank == self.root_rank and span.start_ns < self.root_start_ns):
            self.root_rank, self.root_start_ns = rank, span.start_ns
            self.root_service, self.root_name = span.origin.service[:_SHOWN], span.name[:_SHOWN]

    def tallied(self) -> tuple[int, str, str, bool, bool]:
        """Return what `Tally.add` counts it by."""
        return self.start_ns, self.root_service, self.root_name, self.root_rank > 0, self.errors > 0

    def summary(self) -> tuple[object, ...]:
        """Return the row's columns, signature last."""
        return (
            self.root_rank,
            self.root_start_ns,
            self.root_service,
            self.root_name,
            self.start_ns,
            self.end_ns - self.start_ns,
            len(self.ids),
            self.errors,
            msgspec.json.encode(sorted(self.services)).decode(),
            *words_of(self.mask),
        )


class SpanWriter:
    """
    Writes the spans of a commit; for the writer's thread only.

    Args:
        limit: Most spans of one trace; further ones are refused.
    """

    def __init__(self, connection: sqlite3.Connection, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._blobs = Blobs(connection)
        self._recent: OrderedDict[bytes, _Trace] = OrderedDict()
        self._remembered_ids = 0
        self._next_number = 0
        self.forget()

    def forget(self) -> None:
        """Drop what is remembered: the transaction was rolled back, or traces were deleted."""
        self._blobs.forget()
        self._recent.clear()
        self._remembered_ids = 0
        (number,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM traces").fetchone()
        self._next_number = number + 1

    def write(self, traces: dict[bytes, list[ArrivedSpan]]) -> Written:
        """Write spans by trace id; within a transaction."""
        duplicates = spans = latest_ns = 0
        added: list[tuple[object, ...]] = []
        changed: list[tuple[object, ...]] = []
        pieces: list[tuple[object, ...]] = []
        tally = Tally()
        for trace_id, arrived in traces.items():
            trace = self._find(trace_id)
            before = None if trace.is_new else trace.tallied()
            fresh: list[ArrivedSpan] = []
            for span in arrived:
                if span.span_id in trace.ids:
                    duplicates += 1
                elif len(trace.ids) >= self._limit:
                    span.origin.refuse("trace_limit")
                else:
                    trace.add(span)
                    fresh.append(span)
            if not fresh:
                continue
            if before != trace.tallied():
                if before is not None:
                    tally.add(*before, sign=-1)
                tally.add(*trace.tallied())
            spans += len(fresh)
            self._remembered_ids += len(fresh)
            latest_ns = max(latest_ns, trace.end_ns)
            pieces.append((trace.number, b"".join([span.span_id for span in fresh]), self._body(fresh)))
            if trace.is_new:
                trace.is_new = False
                added.append((trace.number, trace_id, *trace.summary()))
            else:
                changed.append((*trace.summary(), trace.number))
        self._store(added, changed, pieces)
        tally.write(self._connection)
        self._shrink()
        return Written(len(added), spans, duplicates, latest_ns)

    def _store(
        self,
        added: Iterable[tuple[object, ...]],
        changed: Iterable[tuple[object, ...]],
        pieces: Iterable[tuple[object, ...]],
    ) -> None:
        columns = f"{_SUMMARY}, {_SIGNATURE}"
        marks = ", ".join("?" * len(columns.split(",")))
        self._connection.executemany(f"INSERT INTO traces (id, trace_id, {columns}) VALUES (?, ?, {marks})", added)  # noqa: S608
        self._connection.executemany(f"UPDATE traces SET ({columns}) = ({marks}) WHERE id = ?", changed)  # noqa: S608
        self._connection.executemany("INSERT INTO pieces (trace, ids, body) VALUES (?, ?, ?)", pieces)

    def _body(self, spans: Iterable[ArrivedSpan]) -> bytes:
        by_origin: dict[int, tuple[SpanOrigin, list[bytes]]] = {}
        for span in spans:
            by_origin.setdefault(id(span.origin), (span.origin, []))[1].append(span.body)
        groups = [(self._blobs.id_of(origin.resource), origin.scope, bodies) for origin, bodies in by_origin.values()]
        return zlib.compress(msgspec.msgpack.encode(groups), _LEVEL)

    def _find(self, trace_id: bytes) -> _Trace:
        trace = self._recent.get(trace_id)
        if trace is not None:
            self._recent.move_to_end(trace_id)
            return trace
        trace = self._recent[trace_id] = self._read(trace_id) or self._create()
        self._remembered_ids += len(trace.ids)
        return trace

    def _create(self) -> _Trace:
        trace = _Trace(self._next_number)
        self._next_number += 1
        return trace

    def _read(self, trace_id: bytes) -> _Trace | None:
        row = self._connection.execute(
            f"SELECT id, {_SUMMARY}, {_SIGNATURE} FROM traces WHERE trace_id = ?",  # noqa: S608
            (trace_id,),
        ).fetchone()
        if row is None:
            return None
        number, rank, root_start_ns, service, name, start_ns, duration_ns, _, errors, services, *words = row
        trace = _Trace(number, False, set(), rank, root_start_ns, service, name, start_ns, start_ns + duration_ns)
        trace.errors, trace.services, trace.mask = errors, set(msgspec.json.decode(services)), mask_from(words)
        for (ids,) in self._connection.execute("SELECT ids FROM pieces WHERE trace = ?", (number,)):
            trace.ids.update(ids[at : at + _ID_BYTES] for at in range(0, len(ids), _ID_BYTES))
        return trace

    def _shrink(self) -> None:
        while len(self._recent) > _REMEMBERED_TRACES or (self._remembered_ids > _REMEMBERED_IDS and self._recent):
            _, trace = self._recent.popitem(last=False)
            self._remembered_ids -= len(trace.ids)
