# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What ages: by time, by size; and points that are merged.

A little with each call, so that nobody who sends has to wait.
"""

from __future__ import annotations

import sqlite3
import time

from otelkit.viewer.store import rollups
from otelkit.viewer.store.blocks import SLOT_NS
from otelkit.viewer.store.catalogue import Catalogue
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.tallies import Tally

__all__ = ("Retention",)

_ROWS = 2_000
_INTERVAL_S = 30.0
_CALM_NS = 3_600_000_000_000
"""A recording of old times may take a while to load: its points stay for so long."""
_TABLES_BY_AGE = (
    ("blocks", "end_ns < ?", "id"),
    ("exemplars", "time_ns < ?", "(series_id, time_ns, span_id)"),
)


class Retention:
    """Deletes and merges what is old; for the writer's thread, outside of a transaction."""

    def __init__(self, connection: sqlite3.Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._due_at = time.monotonic() + 5.0
        self._merged_ns = 0
        self.deleted_before_ns = 0

    def held_bytes(self) -> int:
        """Return the size of what the file holds, free pages left out."""
        pages, free, size = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def gone_ns(self) -> int:
        """Return the time before which points may be there merged only."""
        return (time.time_ns() - int(self._limits.raw_s * 1e9)) // SLOT_NS * SLOT_NS

    def step(self, catalogue: Catalogue, swept_ns: int) -> tuple[int, int]:
        """
        Do a little of what is due.

        Args:
            swept_ns: What arrived before is in blocks.

        Returns:
            Traces and spans that were deleted.

        Errors: sqlite3.Error; nothing has changed then.
        """
        self._merge(catalogue, swept_ns)
        if time.monotonic() < self._due_at:
            return 0, 0
        now_ns = time.time_ns()
        cutoff_ns = now_ns - int(self._limits.retention_s * 1e9)
        held = self.held_bytes()
        if held > self._limits.held_bytes:
            cutoff_ns = max(cutoff_ns, self._cutoff_for_size(held, now_ns))
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            more, deleted = self._delete(cutoff_ns)
            more = self._drop_merged(now_ns) or more
            if not more:
                self._forget_series(catalogue, cutoff_ns)
                self._connection.execute("DELETE FROM blobs WHERE used_ns < ?", (cutoff_ns - 7_200_000_000_000,))
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
        if not more:
            self._due_at = time.monotonic() + _INTERVAL_S
        return deleted

    def _cutoff_for_size(self, held: int, now_ns: int) -> int:
        """Return a time before which about a twentieth of what is held lies, and more if that does not suffice."""
        oldest = self._connection.execute(
            "SELECT min(t) FROM (SELECT min(start_ns) t FROM traces UNION ALL SELECT min(end_ns) FROM blocks)"
        ).fetchone()[0]
        share = max(0.05, 1 - self._limits.held_bytes / held)
        return (oldest or now_ns) + int((now_ns - (oldest or now_ns)) * min(share, 0.5)) + 1

    def _merge(self, catalogue: Catalogue, swept_ns: int) -> None:
        """Merge a little, if slots are over since the last time."""
        if swept_ns <= self._merged_ns:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            more = rollups.settle(self._connection, catalogue, swept_ns, self.gone_ns())
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        if not more:
            self._merged_ns = swept_ns

    def _drop_merged(self, now_ns: int) -> bool:
        """Delete points as they came that are old enough, merged, and of no slot to which more comes just now."""
        done = self._connection.execute(
            "DELETE FROM blocks WHERE id IN (SELECT id FROM blocks WHERE resolution_ns = 0 AND end_ns < ? "
            "AND slot_ns < ? AND written_ns < ? AND NOT EXISTS (SELECT 1 FROM due WHERE due.metric_id = "
            "blocks.metric_id AND due.resolution_ns = ? AND due.slot_ns = blocks.slot_ns) LIMIT ?)",
            (self.gone_ns(), self.gone_ns(), now_ns - _CALM_NS, rollups.LEVELS[0].resolution_ns, _ROWS),
        )
        return done.rowcount >= _ROWS

    def _delete(self, cutoff_ns: int) -> tuple[bool, tuple[int, int]]:
        more = False
        for table, condition, key in _TABLES_BY_AGE:
            done = self._connection.execute(
                f"DELETE FROM {table} WHERE {key} IN (SELECT {key.strip('()')} FROM {table} WHERE {condition} LIMIT ?)",  # noqa: S608
                (cutoff_ns, _ROWS),
            )
            more = more or done.rowcount >= _ROWS
        old = self._connection.execute(
            "SELECT id, spans, start_ns, root_service, root_name, root_rank > 0, errors > 0 FROM traces "
            "WHERE start_ns + duration_ns < ? AND start_ns < ? LIMIT ?",
            (cutoff_ns, cutoff_ns, _ROWS),
        ).fetchall()
        numbers = [(row[0],) for row in old]
        tally = Tally()
        for row in old:
            tally.add(*row[2:], sign=-1)
        tally.write(self._connection)
        self._connection.executemany("DELETE FROM pieces WHERE trace = ?", numbers)
        self._connection.executemany("DELETE FROM traces WHERE id = ?", numbers)
        self.deleted_before_ns = max(self.deleted_before_ns, cutoff_ns)
        return more or len(old) >= _ROWS, (len(old), sum(row[1] for row in old))

    def _forget_series(self, catalogue: Catalogue, cutoff_ns: int) -> None:
        for live in catalogue.series_of(None):
            if live.last_ns < cutoff_ns and not live.heads():
                catalogue.remove(self._connection, live)
