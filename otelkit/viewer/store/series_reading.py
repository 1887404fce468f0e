# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Reading chunks and exemplars."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from otelkit.viewer.store.catalogue import LiveSeries
from otelkit.viewer.store.columns import DAMAGED, unpack_points
from otelkit.viewer.store.model import Exemplar, Numbers

__all__ = ("read_chunks", "read_exemplars", "read_last_chunks")

_SQL_VARIABLES = 500

Chunk = tuple[int, int, int, bytes]
"""Layout, resolution in ns, number of points, body."""


def read_chunks(
    connection: sqlite3.Connection, series: Sequence[int], from_ns: int, to_ns: int
) -> dict[int, list[Chunk]]:
    """Return the chunks of these series that reach into the range, oldest first."""
    found: dict[int, list[Chunk]] = {}
    for at in range(0, len(series), _SQL_VARIABLES):
        some = series[at : at + _SQL_VARIABLES]
        rows = connection.execute(
            "SELECT series_id, layout_id, resolution_ns, points, body FROM chunks "  # noqa: S608
            f"WHERE series_id IN ({', '.join('?' * len(some))}) AND end_ns >= ? AND start_ns < ? ORDER BY id",
            (*some, from_ns, to_ns),
        )
        for number, *chunk in rows:
            found.setdefault(number, []).append(tuple(chunk))  # type: ignore[arg-type]
    return found


def read_last_chunks(connection: sqlite3.Connection, live: LiveSeries, since_ns: int, time_ns: int) -> list[Numbers]:
    """Return the points of the chunks that may hold the last one before ``time_ns``, in the order they were packed."""
    rows = connection.execute(
        "SELECT resolution_ns, points, body FROM chunks WHERE series_id = ?1 AND start_ns < ?3 AND end_ns >= "
        "(SELECT max(start_ns) FROM chunks WHERE series_id = ?1 AND end_ns >= ?2 AND start_ns < ?3) ORDER BY id",
        (live.id, since_ns, time_ns),
    )
    found: list[Numbers] = []
    for row in rows:
        with suppress(*DAMAGED):
            found.append(unpack_points(live.metric.kind, (), *row))
    return found


def read_exemplars(
    connection: sqlite3.Connection, series: Sequence[int], from_ns: int, to_ns: int, limit: int
) -> list[Exemplar]:
    """Return the latest ``limit`` exemplars of the range, ascending in time."""
    found: list[Exemplar] = []
    for at in range(0, len(series), _SQL_VARIABLES):
        some = series[at : at + _SQL_VARIABLES]
        rows = connection.execute(
            "SELECT series_id, time_ns, value, trace_id, span_id, attributes FROM exemplars "  # noqa: S608
            f"WHERE series_id IN ({', '.join('?' * len(some))}) AND time_ns >= ? AND time_ns < ? "
            "ORDER BY time_ns DESC LIMIT ?",
            (*some, from_ns, to_ns, limit),
        )
        for number, time_ns, value, trace_id, span_id, attributes in rows:
            found.append(
                Exemplar(number, time_ns, value, trace_id.hex(), span_id.hex(), msgspec.msgpack.decode(attributes))
            )
    found.sort(key=lambda exemplar: exemplar.time_ns)
    return found[-limit:]
