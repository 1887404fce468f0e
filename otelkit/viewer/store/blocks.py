# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Points on disk: one block holds the points of some hundred series of one metric, of one stretch of time.

A page asks for all series of a metric over a time, and gets them in a few pieces; a single series is found in them,
too. Blocks never reach over a slot's end, so what is merged (`rollups`) stands for whole slots.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from otelkit.viewer.store.flat import Flat, joined
from otelkit.viewer.store.model import ExponentialPoint, Metric, SummaryPoint
from otelkit.viewer.store.packing import DAMAGED, Array, pack, pack_list, unpack, unpack_list

__all__ = ("LISTED", "RAW", "SLOT_NS", "Block", "read_blocks", "read_listed", "write", "write_listed")

RAW, LISTED = 0, -1
"""Resolutions of points as they came: those that have columns, and those whose shape changes."""
SLOT_NS = 1_800_000_000_000
"""Half an hour: what a page reads as it came, and not merged, at its right end."""

FULL_POINTS = 30_000
"""A block with fewer is packed again together with what comes next."""

NUMBERS = ("times_ns", "starts_ns", "values")
MERGED_NUMBERS = (*NUMBERS, "sums", "lows", "highs", "merged")
HISTOGRAMS = ("times_ns", "starts_ns", "counts", "sums", "minima", "maxima", "buckets")
MERGED_HISTOGRAMS = (*HISTOGRAMS, "merged")

_SHAPES: dict[str, Any] = {
    "exponential_histogram": list[tuple[int, list[ExponentialPoint]]],
    "summary": list[tuple[int, list[SummaryPoint]]],
}


class Block(NamedTuple):
    """A block as it was read; ``resolution_ns`` is `RAW` or the step that points were merged to."""

    resolution_ns: int
    slot_ns: int
    layout_id: int
    points: Flat


def names_of(kind: str, resolution_ns: int) -> tuple[str, ...]:
    """Return the columns that a block has."""
    if kind == "histogram":
        return MERGED_HISTOGRAMS if resolution_ns else HISTOGRAMS
    return MERGED_NUMBERS if resolution_ns else NUMBERS


def write(
    connection: sqlite3.Connection, metric: Metric, layout_id: int, resolution_ns: int, slot: int, points: Flat
) -> None:
    """Add a block; as they came, points of the same series and slot are packed with those that there are few of."""
    if resolution_ns == RAW:
        points = _with_short_ones(connection, metric, layout_id, slot, points)
    columns = [points.columns[name] for name in names_of(metric.kind, resolution_ns)]
    times = points.times_ns
    _insert(
        connection,
        (metric.id, resolution_ns, slot, layout_id, int(points.series[0]), int(points.series[-1])),
        (int(times.min()), int(times.max()), len(times)),
        pack([points.series, *columns], points.offsets),
    )


def _insert(connection: sqlite3.Connection, key: tuple[int, ...], size: tuple[int, ...], body: bytes) -> None:
    connection.execute(
        "INSERT INTO blocks (metric_id, resolution_ns, slot_ns, layout_id, first_series, last_series, "
        "start_ns, end_ns, points, written_ns, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, *size, time.time_ns(), body),
    )


def _with_short_ones(connection: sqlite3.Connection, metric: Metric, layout_id: int, slot: int, points: Flat) -> Flat:
    rows = connection.execute(
        "SELECT id, body FROM blocks WHERE metric_id = ? AND resolution_ns = 0 AND slot_ns = ? AND layout_id = ? "
        "AND first_series <= ? AND last_series >= ? AND points < ? ORDER BY id",
        (metric.id, slot, layout_id, int(points.series[-1]), int(points.series[0]), FULL_POINTS),
    ).fetchall()
    parts = []
    for number, body in rows:
        try:
            parts.append(_unpacked(metric.kind, RAW, body))
        except DAMAGED:
            continue
        connection.execute("DELETE FROM blocks WHERE id = ?", (number,))
    return joined([*parts, points]) or points


def _unpacked(kind: str, resolution_ns: int, body: bytes) -> Flat:
    (series, *columns), offsets = unpack(body)
    return Flat(series, offsets, dict(zip(names_of(kind, resolution_ns), columns, strict=True)))


def read_blocks(
    connection: sqlite3.Connection,
    metric: Metric,
    wanted: Array,
    resolution_ns: int,
    from_ns: int,
    to_ns: int,
    left_out: Callable[[int], bool] = lambda _: False,
) -> Iterator[Block]:
    """
    Yield the blocks of one resolution that reach into a range, oldest slot first, cut to some series.

    Args:
        wanted: Ids of series, ascending.
        left_out: Tells of a slot whether it is not wanted.
    """
    rows = connection.execute(
        "SELECT slot_ns, layout_id, body FROM blocks WHERE metric_id = ? AND resolution_ns = ? AND end_ns >= ? "
        "AND start_ns < ? AND first_series <= ? AND last_series >= ? ORDER BY slot_ns, id",
        (metric.id, resolution_ns, from_ns, to_ns, int(wanted[-1]), int(wanted[0])),
    )
    for slot, layout, body in rows:
        if left_out(slot):
            continue
        try:
            points = _unpacked(metric.kind, resolution_ns, body).only(wanted)
        except DAMAGED:
            continue
        if len(points):
            yield Block(resolution_ns, slot, layout, points)


def write_listed(connection: sqlite3.Connection, metric_id: int, points: Sequence[tuple[int, Sequence[Any]]]) -> None:
    """Add a block of points whose shape changes, by series, ascending."""
    times = [point.time_ns for _, of in points for point in of]
    low, high = min(times), max(times)
    key = (metric_id, LISTED, low // SLOT_NS * SLOT_NS, 0, points[0][0], points[-1][0])
    _insert(connection, key, (low, high, len(times)), pack_list(points))


def read_listed(
    connection: sqlite3.Connection, metric_id: int, kind: str, first: int, last: int, from_ns: int, to_ns: int
) -> dict[int, list[list[Any]]]:
    """Return the points of such series from ``first`` to ``last``, oldest block first."""
    rows = connection.execute(
        "SELECT body FROM blocks WHERE metric_id = ? AND resolution_ns = ? AND end_ns >= ? AND start_ns < ? "
        "AND first_series <= ? AND last_series >= ? ORDER BY id",
        (metric_id, LISTED, from_ns, to_ns, last, first),
    )
    found: dict[int, list[list[Any]]] = {}
    for (body,) in rows:
        try:
            for series_id, points in unpack_list(body, _SHAPES[kind]):
                found.setdefault(series_id, []).append(points)
        except DAMAGED:
            continue
    return found
