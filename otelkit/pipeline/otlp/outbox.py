# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Requests with spans that wait to be delivered, first in first out: a few in memory, on disk when it takes longer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from otelkit._core._guard import guard
from otelkit.pipeline.otlp.span_files import CORRUPT, CorruptFileError, SpanFiles, StoredRequest

MEMORY_BYTES = 8 << 20

BUFFER_FULL = "buffer full"
TOO_OLD = "waited too long"
UNDELIVERED = "not delivered before the end"


class Parcel:
    """One request, in memory (``body``) or in a file (``stored``); ``items`` is its number of spans, 0 if unknown."""

    __slots__ = ("body", "items", "made_ns", "stored")

    def __init__(
        self, made_ns: int, *, body: bytes | None = None, items: int = 0, stored: StoredRequest | None = None
    ) -> None:
        self.made_ns = made_ns
        self.body = body
        self.items = items
        self.stored = stored

    @property
    def memory_bytes(self) -> int:
        return len(self.body) if self.body is not None else 0


class Outbox:
    """
    A queue with limits: beyond them the oldest is dropped and counted.

    Thread-safe. What does not fit in memory, and all of it once `keep` was called, goes to disk. If the disk does
    not take it, memory does, as far as it goes.

    Args:
        files: Where to, or None for memory only.
        disk_bytes: Most bytes on disk.
        max_age_s: Seconds after which a request is worth nothing any more.
        memory_bytes: Most bytes in memory.
        on_dropped: Hears the number of spans lost.
    """

    def __init__(
        self,
        files: SpanFiles | None,
        *,
        disk_bytes: int,
        max_age_s: float,
        memory_bytes: int = MEMORY_BYTES,
        on_dropped: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._files = files
        self._disk_limit = disk_bytes
        self._memory_limit = memory_bytes
        self._max_age_s = max_age_s
        self._on_dropped = on_dropped
        self._reset()

    def _reset(self) -> None:
        self.changed = threading.Condition()
        self._parcels: deque[Parcel] = deque()
        self._memory_bytes = 0
        self._disk_bytes = 0
        self._keeping = False

    def start_afresh(self) -> None:
        """Hold nothing, as a forked child must: it is all the parent's."""
        self._reset()
        if self._files:
            self._files.leave_to_parent()

    def __len__(self) -> int:
        return len(self._parcels)

    @property
    def memory_bytes(self) -> int:
        """Bytes of requests in memory."""
        return self._memory_bytes

    @property
    def disk_bytes(self) -> int:
        """Bytes of requests on disk."""
        return self._disk_bytes

    def put(self, body: bytes, items: int) -> Parcel:
        """Append a request. Cost: with `keep`, or when memory is full, writing a file."""
        parcel = Parcel(time.time_ns(), body=body, items=items)
        with self.changed:
            self._parcels.append(parcel)
            self._memory_bytes += len(body)
            if self._keeping or self._memory_bytes > self._memory_limit:
                self._store()
            self.changed.notify_all()
        return parcel

    def keep(self, keeping: bool = True) -> None:
        """Have all go to disk at once from now on, also what is in memory; or, with False, no longer."""
        with self.changed:
            self._keeping = keeping
            if keeping:
                self._store()

    def adopt(self) -> None:
        """Take over what dead processes left; it is delivered first, being older."""
        if not self._files:
            return
        with self.changed:
            try:
                adopted = self._files.adopt()
                self._files.sweep()
            except OSError as error:
                self._complain(error)
                return
            if not adopted:
                return
            found = [Parcel(stored.made_ns, stored=stored) for stored in adopted]
            self._disk_bytes += sum(stored.size for stored in adopted)
            self._parcels = deque(sorted((*found, *self._parcels), key=lambda parcel: parcel.made_ns))
            self._shrink_disk()
            self.changed.notify_all()

    def first(self) -> Parcel | None:
        """Return the oldest that is not too old, without taking it out; None if there is none."""
        oldest_ns = time.time_ns() - self._max_age_s * 1e9
        with self.changed:
            while self._parcels and self._parcels[0].made_ns < oldest_ns:
                self._lose(self._parcels[0], TOO_OLD)
            return self._parcels[0] if self._parcels else None

    def body(self, parcel: Parcel) -> bytes | None:
        """Return a parcel's request; None if its file turned out to be no good: then it is counted, and gone."""
        with self.changed:
            if parcel.body is not None:
                return parcel.body
            try:
                assert parcel.stored
                body, parcel.items = SpanFiles.read(parcel.stored)
                return body
            except CorruptFileError as error:
                self._lose(parcel, CORRUPT, str(error))
                return None

    def remove(self, parcel: Parcel) -> None:
        """Take one out: it was delivered, or there is no hope."""
        with self.changed:
            self._forget(parcel)
            self.changed.notify_all()

    def lose(self, parcel: Parcel, reason: str) -> None:
        """Drop and count one."""
        with self.changed:
            self._lose(parcel, reason)
            self.changed.notify_all()

    def replace(self, parcel: Parcel, bodies: Sequence[tuple[bytes, int]]) -> None:
        """Put what is left of a request in its place, as (request, number of spans)."""
        with self.changed:
            if parcel not in self._parcels:
                return
            stored = parcel.stored is not None
            self._forget(parcel)
            for body, items in reversed(bodies):
                self._parcels.appendleft(Parcel(parcel.made_ns, body=body, items=items))
                self._memory_bytes += len(body)
            if stored or self._keeping:
                self._store()

    def give_up(self) -> None:
        """Drop and count what is only in memory: the end has come."""
        with self.changed:
            for parcel in [parcel for parcel in self._parcels if parcel.body is not None]:
                self._lose(parcel, UNDELIVERED)
            self.changed.notify_all()

    def release(self) -> None:
        """Leave the files to the next owner."""
        with self.changed:
            if self._files:
                self._files.close()
            self._reset()

    # -- under the lock -------------------------------------------------------

    def _store(self) -> None:
        """Move what is in memory to disk, then bring both within their limits."""
        if self._files:
            for parcel in self._parcels:
                if parcel.body is None:
                    continue
                try:
                    parcel.stored = self._files.write(parcel.body, parcel.items, parcel.made_ns)
                except OSError as error:
                    self._complain(error)
                    break
                self._memory_bytes -= parcel.memory_bytes
                self._disk_bytes += parcel.stored.size
                parcel.body = None
            self._shrink_disk()
        while self._memory_bytes > self._memory_limit:
            self._lose(next(parcel for parcel in self._parcels if parcel.body is not None), BUFFER_FULL)

    def _shrink_disk(self) -> None:
        while self._disk_bytes > self._disk_limit:
            self._lose(next(parcel for parcel in self._parcels if parcel.stored is not None), BUFFER_FULL)

    def _lose(self, parcel: Parcel, reason: str, detail: str = "") -> None:
        items = parcel.items
        if not items and parcel.stored and reason != CORRUPT:
            try:
                items = SpanFiles.read(parcel.stored)[1]
            except CorruptFileError:
                items = 0
        guard.dropped("spans", reason, items or 1, detail=detail)
        self._on_dropped(items or 1)
        self._forget(parcel)

    def _forget(self, parcel: Parcel) -> None:
        try:
            self._parcels.remove(parcel)
        except ValueError:
            return
        self._memory_bytes -= parcel.memory_bytes
        if parcel.stored:
            self._disk_bytes -= parcel.stored.size
            SpanFiles.remove(parcel.stored)

    @staticmethod
    def _complain(error: OSError) -> None:
        guard.warn("span buffer", f"otelkit cannot keep spans on disk: {error}. It keeps a few in memory instead.")
