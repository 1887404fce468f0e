# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Reading points of many series, from blocks and from memory, as they came or merged; and exemplars."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
import numpy as np

from otelkit.viewer.store import blocks
from otelkit.viewer.store.blocks import RAW, SLOT_NS
from otelkit.viewer.store.catalogue import LiveSeries
from otelkit.viewer.store.columns import ListHead, flat_of
from otelkit.viewer.store.flat import Flat, joined
from otelkit.viewer.store.merging import as_merged
from otelkit.viewer.store.model import Exemplar, Metric
from otelkit.viewer.store.rollups import LEVELS, Level, levels_for

__all__ = ("Recent", "read_exemplars", "read_flat", "read_listed", "recent_of")

_SQL_VARIABLES = 500
_PARTS = 40
"""Exemplars are spread over a range: a long one has some at its left, too."""

Recent = dict[int, dict[int, Flat]]
"""Points in memory by metric and layout."""


def recent_of(alive: Sequence[LiveSeries]) -> Recent:
    """Copy what is in memory of series, which are in order of metric and id; call it with the catalogue's lock held."""
    found: Recent = {}
    for number, of in groupby(alive, key=lambda live: live.metric.id):
        heads = [(live.id, head) for live in of for head in live.heads() if not isinstance(head, ListHead)]
        found[number] = flat_of(heads)
    return found


def read_flat(
    connection: sqlite3.Connection,
    alive: Sequence[LiveSeries],
    recent: Recent,
    from_ns: int,
    to_ns: int,
    step_ns: int,
    gone_ns: int,
) -> dict[int, Flat]:
    """
    Return the points of a range by layout.

    Args:
        alive: In order of metric and id.
        step_ns: Points are only looked at at multiples of it: merged ones will do where there are any.
        gone_ns: Before it there may be merged points only.
    """
    parts: dict[int, list[Flat]] = {}
    connection.execute("BEGIN")
    try:
        for _, of in groupby(alive, key=lambda live: live.metric.id):
            some = list(of)
            wanted = np.array([live.id for live in some], dtype=np.int64)
            ranges = _Ranges(connection, some[0].metric, wanted, from_ns, to_ns)
            for layout, points in ranges.read(levels_for(step_ns), gone_ns, recent.get(some[0].metric.id, {})):
                parts.setdefault(layout, []).append(points)
    finally:
        connection.execute("COMMIT")
    return {layout: points for layout, of in parts.items() if (points := joined(_alike(of))) is not None}


def _alike(parts: Sequence[Flat]) -> list[Flat]:
    """Give all parts the columns of merged points if any has them."""
    if any("merged" in part.columns for part in parts):
        return [part if "merged" in part.columns else as_merged(part) for part in parts]
    return list(parts)


class _Ranges:
    """One metric's points over a range: each stretch of time from the coarsest blocks that will do."""

    def __init__(self, connection: sqlite3.Connection, metric: Metric, wanted: Any, from_ns: int, to_ns: int) -> None:
        self._connection, self._metric, self._wanted = connection, metric, wanted
        self._from_ns, self._to_ns = from_ns, to_ns
        self._covered: list[tuple[int, int]] = []

    def read(self, levels: Sequence[Level], gone_ns: int, recent: dict[int, Flat]) -> Iterator[tuple[int, Flat]]:
        """Yield points by layout, oldest first within each resolution, those in memory last."""
        for level in levels:
            yield from self._level(level, self._to_ns)
        if LEVELS[0] not in levels and self._from_ns < gone_ns:
            yield from self._level(LEVELS[0], gone_ns)
        for block in self._blocks(RAW, self._to_ns):
            yield block.layout_id, block.points.cut(self._from_ns, self._to_ns)
        for layout, points in recent.items():
            yield layout, self._uncovered(points.cut(self._from_ns, self._to_ns))

    def _level(self, level: Level, to_ns: int) -> Iterator[tuple[int, Flat]]:
        taken: set[int] = set()
        for block in self._blocks(level.resolution_ns, min(to_ns, self._to_ns)):
            taken.add(block.slot_ns)
            yield block.layout_id, block.points.cut(self._from_ns, self._to_ns)
        self._covered += [(slot, slot + level.slot_ns) for slot in sorted(taken)]

    def _blocks(self, resolution_ns: int, to_ns: int) -> Iterator[blocks.Block]:
        return blocks.read_blocks(
            self._connection, self._metric, self._wanted, resolution_ns, self._from_ns, to_ns, self._is_covered
        )

    def _is_covered(self, slot: int) -> bool:
        return any(begin <= slot < end for begin, end in self._covered)

    def _uncovered(self, points: Flat) -> Flat:
        """Leave out what came late for a stretch that is merged: it counts once that is merged again."""
        times = points.times_ns
        if len(times) and self._covered and int(times.min()) < max(end for _, end in self._covered):
            slots = np.unique(times // SLOT_NS) * SLOT_NS
            covered = np.array([slot for slot in slots.tolist() if self._is_covered(slot)], dtype=np.int64)
            points = points.kept(~np.isin(times // SLOT_NS * SLOT_NS, covered))
        return points


def read_listed(
    connection: sqlite3.Connection, alive: Sequence[LiveSeries], from_ns: int, to_ns: int
) -> dict[int, list[list[Any]]]:
    """Return the points that are in blocks of series whose points change their shape, by series, oldest first."""
    found: dict[int, list[list[Any]]] = {}
    for _, of in groupby(alive, key=lambda live: live.metric.id):
        some = list(of)
        metric, first, last = some[0].metric, some[0].id, some[-1].id
        found |= blocks.read_listed(connection, metric.id, metric.kind, first, last, from_ns, to_ns)
    return found


def read_exemplars(
    connection: sqlite3.Connection, series: Sequence[int], from_ns: int, to_ns: int, limit: int
) -> list[Exemplar]:
    """Return exemplars, ascending in time; where there are more than ``limit``, of each part the greatest."""
    rows = _exemplar_rows(connection, series, from_ns, to_ns, limit + 1, to_ns - from_ns)
    if len(rows) > limit:
        width, each = max(1, -(-(to_ns - from_ns) // _PARTS)), max(1, limit // _PARTS)
        kept: Counter[int] = Counter()
        spread = []
        for row in sorted(_exemplar_rows(connection, series, from_ns, to_ns, each, width), key=lambda row: -row[2]):
            part = (row[1] - from_ns) // width
            kept[part] += 1
            if kept[part] <= each:
                spread.append(row)
        rows = spread[:limit]
    found = [
        Exemplar(number, time_ns, value, trace_id.hex(), span_id.hex(), msgspec.msgpack.decode(attributes))
        for number, time_ns, value, trace_id, span_id, attributes in rows
    ]
    return sorted(found, key=lambda exemplar: exemplar.time_ns)


def _exemplar_rows(
    connection: sqlite3.Connection, series: Sequence[int], from_ns: int, to_ns: int, each: int, width_ns: int
) -> list[tuple[Any, ...]]:
    """Return the ``each`` greatest exemplars of each part of the range, and of some hundred series."""
    rows: list[tuple[Any, ...]] = []
    for at in range(0, len(series), _SQL_VARIABLES):
        some = series[at : at + _SQL_VARIABLES]
        rows += connection.execute(
            "SELECT series_id, time_ns, value, trace_id, span_id, attributes FROM (SELECT *, row_number() OVER "  # noqa: S608
            f"(PARTITION BY (time_ns - ?) / ? ORDER BY value DESC) AS place FROM exemplars WHERE series_id IN "
            f"({', '.join('?' * len(some))}) AND time_ns >= ? AND time_ns < ?) WHERE place <= ?",
            (from_ns, max(1, width_ns), *some, from_ns, to_ns, each),
        ).fetchall()
    return rows
