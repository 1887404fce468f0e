# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Merged points: what long ranges are read from.

When a slot of time is over and packed, its points are merged to steps of a minute and of five, these later to longer
ones; a page whose steps are multiples of one of them reads that, and only the newest half hour as it came. What is
merged gives the same answers at its steps' edges as the points did:

| kind | what stays of a series |
|---|---|
| counter, histogram | its curve at each edge, linear between two reports; some points as they came |
| gauge, up-down counter | for each step the last reading, sum, least, greatest and how many |

As they came: the first and last point of a slot, and both sides of resets and gaps. Counts at edges are kept in
64ths. Points that come late make their slot due again; until it is merged anew it is read without them.
"""

from __future__ import annotations

import sqlite3
import time

import numpy as np

from otelkit.viewer.store import blocks
from otelkit.viewer.store.blocks import RAW, SLOT_NS, read_blocks
from otelkit.viewer.store.catalogue import Catalogue
from otelkit.viewer.store.flat import Flat, joined
from otelkit.viewer.store.merging import as_merged, curve_points, step_points
from otelkit.viewer.store.model import Metric
from otelkit.viewer.store.packing import Array

__all__ = ("LEVELS", "Level", "is_curve", "levels_for", "mark", "resolution_for", "settle", "slot_of")

_MINUTE_NS = 60_000_000_000
_SETTLED_NS = 2 * _MINUTE_NS
"""After its end a slot is given so long for what is on its way."""
_AT_ONCE_S = 0.03
_SERIES_AT_ONCE = 512


class Level:
    """
    Merged points of one length of step; of a grown slot, not of one that grows.

    Attributes:
        slot_ns: The stretch of time that a block is for.
        source_ns: Resolution of what it is made of.
    """

    def __init__(self, resolution_ns: int, slot_ns: int, source_ns: int) -> None:
        self.resolution_ns, self.slot_ns, self.source_ns = resolution_ns, slot_ns, source_ns


LEVELS = (
    Level(_MINUTE_NS, SLOT_NS, RAW),
    Level(5 * _MINUTE_NS, SLOT_NS, _MINUTE_NS),
    Level(30 * _MINUTE_NS, 12 * SLOT_NS, 5 * _MINUTE_NS),
    Level(180 * _MINUTE_NS, 96 * SLOT_NS, 30 * _MINUTE_NS),
)
"""Finest first; each slot is a whole number of those before."""


def levels_for(step_ns: int) -> list[Level]:
    """Return the levels that steps of that length can be read from, coarsest first."""
    return [level for level in reversed(LEVELS) if step_ns and step_ns % level.resolution_ns == 0]


def resolution_for(step_ns: int) -> int:
    """Return how far merged points may be apart that steps of that length are read from; 0: none are."""
    return max((level.resolution_ns for level in levels_for(step_ns)), default=0)


def slot_of(level: Level, time_ns: int) -> int:
    """Return when the slot begins that a time lies in."""
    return time_ns // level.slot_ns * level.slot_ns


def is_curve(metric: Metric) -> bool:
    """Tell whether a metric's points are knots of a rising curve, and not readings."""
    return metric.kind == "histogram" or (metric.kind == "sum" and metric.monotonic)


def mark(connection: sqlite3.Connection, metric_id: int, slot: int) -> None:
    """Note that a slot has points that are not merged yet."""
    connection.execute("INSERT OR IGNORE INTO due VALUES (?, ?, ?)", (metric_id, _MINUTE_NS, slot))


def settle(connection: sqlite3.Connection, catalogue: Catalogue, swept_ns: int, gone_ns: int) -> bool:
    """
    Merge some of the slots that are over and packed, within a transaction; tell whether there are more.

    Args:
        swept_ns: What arrived before is in blocks.
        gone_ns: Points before it may be gone as they came.
    """
    until = time.monotonic() + _AT_ONCE_S
    for level in LEVELS:
        rows = connection.execute(
            "SELECT metric_id, slot_ns FROM due WHERE resolution_ns = ? AND slot_ns <= ? ORDER BY slot_ns LIMIT 200",
            (level.resolution_ns, swept_ns - _SETTLED_NS - level.slot_ns),
        ).fetchall()
        for metric_id, slot in rows:
            if time.monotonic() > until:
                return True
            metric = catalogue.metrics.get(metric_id)
            if metric is not None:
                _merge(connection, catalogue, metric, level, slot, gone_ns)
            connection.execute(
                "DELETE FROM due WHERE metric_id = ? AND resolution_ns = ? AND slot_ns = ?",
                (metric_id, level.resolution_ns, slot),
            )
            _mark_next(connection, metric_id, level, slot)
        if len(rows) == 200:
            return True
    return False


def _mark_next(connection: sqlite3.Connection, metric_id: int, level: Level, slot: int) -> None:
    following = next((each for each in LEVELS if each.source_ns == level.resolution_ns), None)
    if following is not None:
        connection.execute(
            "INSERT OR IGNORE INTO due VALUES (?, ?, ?)",
            (metric_id, following.resolution_ns, slot_of(following, slot)),
        )


def _merge(
    connection: sqlite3.Connection, catalogue: Catalogue, metric: Metric, level: Level, slot: int, gone_ns: int
) -> None:
    """Make a slot anew, for all series of a metric."""
    ids = sorted(catalogue.ids_of(metric))
    found: list[tuple[int, Flat]] = []
    for at in range(0, len(ids), _SERIES_AT_ONCE):
        wanted = np.array(ids[at : at + _SERIES_AT_ONCE], dtype=np.int64)
        parts = _parts(connection, metric, wanted, level.source_ns, slot, slot + level.slot_ns)
        if level.source_ns == RAW and slot + level.slot_ns <= gone_ns:
            parts = _continued(
                _parts(connection, metric, wanted, level.resolution_ns, slot, slot + level.slot_ns), parts
            )
        for layout, points in parts.items():
            merge = curve_points(points, level.resolution_ns, metric.temporality == "delta")
            found.append((layout, merge if is_curve(metric) else step_points(points, level.resolution_ns)))
    connection.execute(
        "DELETE FROM blocks WHERE metric_id = ? AND resolution_ns = ? AND slot_ns = ?",
        (metric.id, level.resolution_ns, slot),
    )
    for layout, merged in found:
        blocks.write(connection, metric, layout, level.resolution_ns, slot, merged)


def _parts(
    connection: sqlite3.Connection, metric: Metric, wanted: Array, resolution_ns: int, from_ns: int, to_ns: int
) -> dict[int, Flat]:
    """Return the points of one resolution, by layout, with the columns of merged ones."""
    parts: dict[int, list[Flat]] = {}
    for block in read_blocks(connection, metric, wanted, resolution_ns, from_ns, to_ns):
        points = block.points if resolution_ns else as_merged(block.points)
        parts.setdefault(block.layout_id, []).append(points.cut(from_ns, to_ns))
    return {layout: points for layout, of in parts.items() if (points := joined(of)) is not None}


def _continued(merged: dict[int, Flat], raw: dict[int, Flat]) -> dict[int, Flat]:
    """Add what came before the first or after the last of what was merged: for the rest, that stands."""
    found = dict(merged)
    for layout, points in raw.items():
        known = merged.get(layout)
        fresh = points if known is None else points.outside(known)
        both = joined([known, fresh] if known is not None else [fresh])
        if both is not None:
            found[layout] = both
    return found
