# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
How many traces began when: counted as they come, so that a page over a million spans does not count them.

For each five seconds, and each five minutes, and each root: how many traces, how many of them with their root, how
many with an error. A trace is counted anew when more of it comes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

__all__ = ("STEPS_NS", "Tally", "fill", "read_roots", "read_tallies")

STEPS_NS = (300_000_000_000, 5_000_000_000)
"""Longest first; each a multiple of the next."""

_SHORTEST_NS = STEPS_NS[-1]


class Tally:
    """What a transaction adds, or takes away."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str, str], list[int]] = {}

    def add(self, start_ns: int, service: str, name: str, rooted: bool, failed: bool, sign: int = 1) -> None:
        """Count a trace."""
        known = self._counts.setdefault((start_ns // _SHORTEST_NS * _SHORTEST_NS, service, name), [0, 0, 0])
        known[0] += sign
        known[1] += sign * rooted
        known[2] += sign * failed

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it down, within the transaction."""
        changed = [(*key, *counts) for key, counts in self._counts.items() if any(counts)]
        rows = [(step, start // step * step, *rest) for start, *rest in changed for step in STEPS_NS]
        connection.executemany(
            "INSERT INTO tallies VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET traces = traces + "
            "excluded.traces, rooted = rooted + excluded.rooted, failed = failed + excluded.failed",
            rows,
        )
        connection.executemany(
            "DELETE FROM tallies WHERE step_ns = ? AND start_ns = ? AND service = ? AND name = ? AND traces <= 0",
            [
                (step, start // step * step, service, name)
                for start, service, name, traces, *_ in changed
                if traces < 0
                for step in STEPS_NS
            ],
        )


def fill(connection: sqlite3.Connection) -> None:
    """Count all traces anew. Cost: 1.5 s of CPU for a million."""
    connection.execute("DELETE FROM tallies")
    for step in STEPS_NS:
        connection.execute(
            "INSERT INTO tallies SELECT ?1, start_ns / ?1 * ?1, root_service, root_name, count(*), "
            "sum(root_rank > 0), sum(errors > 0) FROM traces GROUP BY 2, 3, 4",
            (step,),
        )


def read_roots(connection: sqlite3.Connection, from_ns: int, to_ns: int) -> list[tuple[str, str, int]]:
    """Return (service, name, traces) of root spans, most traces first."""
    found: dict[tuple[str, str], int] = {}
    for step, begin, end in _parts(connection, from_ns, to_ns):
        if step:
            query = (
                "SELECT service, name, sum(rooted) FROM tallies WHERE step_ns = ? AND start_ns >= ? AND start_ns < ?"
            )
            rows = connection.execute(f"{query} GROUP BY service, name", (step, begin, end))
        else:
            rows = connection.execute(
                "SELECT root_service, root_name, count(*) FROM traces WHERE root_rank > 0 AND start_ns >= ? "
                "AND start_ns < ? GROUP BY root_service, root_name",
                (begin, end),
            )
        for service, name, count in rows:
            if count:
                found[service, name] = found.get((service, name), 0) + count
    return sorted(((*key, count) for key, count in found.items()), key=lambda each: -each[2])


def _parts(connection: sqlite3.Connection, from_ns: int, to_ns: int) -> Iterator[tuple[int, int, int]]:
    """Cut a range into what whole steps tell, the longest that fit, and what is left at its ends (step 0)."""
    (first, last) = connection.execute("SELECT min(start_ns), max(start_ns) FROM traces").fetchone()
    if first is None:
        return
    waiting = [(max(from_ns, first), min(to_ns, last + 1))]
    for step in STEPS_NS:
        left: list[tuple[int, int]] = []
        for begin, end in waiting:
            low, high = -(-begin // step) * step, end // step * step
            if low < high:
                yield step, low, high
                left += [(begin, low), (high, end)]
            else:
                left.append((begin, end))
        waiting = left
    yield from ((0, begin, end) for begin, end in waiting if begin < end)


def read_tallies(
    connection: sqlite3.Connection, service: str | None, step_ns: int, first: int, count: int
) -> list[tuple[int, int]]:
    """Return (traces, failed) for each of ``count`` steps from number ``first`` on."""
    begin, end = first * step_ns, (first + count) * step_ns
    step = next((each for each in STEPS_NS if step_ns % each == 0), 0)
    if step:
        query = "SELECT start_ns / ?1, sum(traces), sum(failed) FROM tallies WHERE step_ns = ?2 AND start_ns >= ?3 "
        which = "AND start_ns < ?4 AND (?5 IS NULL OR service = ?5) GROUP BY 1"
    else:
        query = "SELECT start_ns / ?1, count(*), sum(errors > 0) FROM traces WHERE ?2 = 0 AND start_ns >= ?3 "
        which = "AND start_ns < ?4 AND (?5 IS NULL OR root_service = ?5) GROUP BY 1"
    found = [(0, 0)] * count
    for number, traces, failed in connection.execute(query + which, (step_ns, step, begin, end, service)):
        found[number - first] = traces, failed
    return found
