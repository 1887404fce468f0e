# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The way in: requests wait here for the writer, who commits all that wait together."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Literal, NamedTuple

from google.protobuf.message import DecodeError

from otelkit._core._guard import guard
from otelkit.viewer.ingest.lazy import checked
from otelkit.viewer.ingest.metrics import MetricDecoder
from otelkit.viewer.ingest.outcome import CLOSING, MALFORMED, OVERLOADED, STORAGE, Outcome
from otelkit.viewer.ingest.refusals import Refusals
from otelkit.viewer.ingest.spans import SpanDecoder
from otelkit.viewer.store.store import Store

__all__ = ("Inlet", "Signal")

Signal = Literal["metrics", "traces"]

_QUEUE_BYTES = 32 << 20
_COMMIT_BYTES = 4 << 20
_MAINTENANCE_S = 0.25


class _Request(NamedTuple):
    signal: Signal
    body: bytes
    answer: Future[Outcome]


class Inlet:
    """
    Takes requests in; one thread of its own writes them.

    Thread-safe. A request is answered after its commit, so an answer is a promise; under load many share one.

    Args:
        store: Where they go. Only this writes to it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._metrics = MetricDecoder()
        self._spans = SpanDecoder()
        self._waiting: deque[_Request] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="otelkit-viewer-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits, then stop. What comes later is told to come again."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def count(self, name: str, items: int = 1) -> None:
        """Count what happened on the way here, such as ``refused.requests.too_large``."""
        self._store.counts.add(name, items)

    def submit(self, signal: Signal, body: bytes) -> Future[Outcome]:
        """Hand an encoded request in; the outcome comes when it is on disk, or refused."""
        answer: Future[Outcome] = Future()
        with self._wake:
            refusal = CLOSING if self._closing else None
            # One request alone is always taken: what is larger than the queue was refused before it came here.
            if self._waiting and self._waiting_bytes + len(body) > _QUEUE_BYTES:
                refusal = OVERLOADED
            if refusal is None:
                self._waiting.append(_Request(signal, body, answer))
                self._waiting_bytes += len(body)
                self._wake.notify()
        if refusal is not None:
            self.count("refused.requests.overload" if refusal is OVERLOADED else "refused.requests.closing")
            answer.set_result(refusal)
        return answer

    # -- the writer's thread --------------------------------------------------------

    def _run(self) -> None:
        maintained_at = time.monotonic()
        while True:
            some = self._next()
            if some is None:
                return
            if some:
                self._write(some)
            if time.monotonic() - maintained_at >= _MAINTENANCE_S:
                self._maintain()
                maintained_at = time.monotonic()

    def _next(self) -> list[_Request] | None:
        """Return what waits, up to a commit's worth; nothing after a while; None at the end."""
        with self._wake:
            if not self._waiting and not self._closing:
                self._wake.wait(_MAINTENANCE_S)
            if not self._waiting and self._closing:
                return None
            some: list[_Request] = []
            size = 0
            while self._waiting and (not some or size + len(self._waiting[0].body) <= _COMMIT_BYTES):
                some.append(self._waiting.popleft())
                size += len(some[-1].body)
            self._waiting_bytes -= size
            return some

    def _write(self, requests: list[_Request]) -> None:
        """Commit some requests together; if that fails by one of them, each by itself."""
        sound = [request for request in requests if self._is_sound(request)]
        try:
            outcomes = self._commit(sound)
        except sqlite3.Error as error:
            self._undo(error)
            outcomes = [STORAGE] * len(sound)
            self.count("refused.requests.storage", len(sound))
        except Exception as error:  # whatever a request brings, the next one must be served
            self._undo(error)
            outcomes = [self._commit_alone(request) for request in sound]
        for request, outcome in zip(sound, outcomes, strict=True):
            request.answer.set_result(outcome)

    def _commit_alone(self, request: _Request) -> Outcome:
        try:
            return self._commit([request])[0]
        except sqlite3.Error as error:
            self._undo(error)
            self.count("refused.requests.storage")
            return STORAGE
        except Exception as error:
            self._undo(error)
            self.count("refused.requests.malformed")
            return MALFORMED

    def _is_sound(self, request: _Request) -> bool:
        try:
            checked(request.signal, request.body)
        except DecodeError:
            self.count("refused.requests.malformed")
            request.answer.set_result(MALFORMED)
            return False
        return True

    def _commit(self, requests: list[_Request]) -> list[Outcome]:
        if not requests:
            return []
        batch = self._store.batch()
        brought: list[tuple[Signal, list[tuple[dict[str, object], int]], Refusals]] = []
        for request in requests:
            refused = Refusals()
            decode = self._metrics.decode if request.signal == "metrics" else self._spans.decode
            brought.append((request.signal, decode(request.body, batch, refused), refused))
        self._store.commit(batch)
        for each in brought:
            self._note(*each)
        # Last: the commit, too, refuses spans of traces that are too long.
        return [Outcome(refused=refused.total, message=refused.message) for _, _, refused in brought]

    def _note(self, signal: Signal, came: list[tuple[dict[str, object], int]], refused: Refusals) -> None:
        """Count what a request brought, once it is on disk."""
        items = "points" if signal == "metrics" else "spans"
        for resource, number in came:
            self.count(f"received.{items}", number)
            self._store.saw(resource, number if items == "points" else 0, number if items == "spans" else 0)
        for reason, number in refused.counts.items():
            self.count(f"refused.{items}.{reason}", number)

    def _undo(self, error: Exception) -> None:
        guard.warn("viewer store", f"The viewer could not write what arrived: {type(error).__name__}: {error}.", error)
        try:
            self._store.roll_back()
        except sqlite3.Error as again:  # the disk is full or gone; the next request tries anew
            guard.warn("viewer store", f"The viewer's data cannot be read: {again}.", again)

    def _maintain(self) -> None:
        try:
            self._store.maintain()
        except Exception as error:  # tried again at the next round: a full disk may have room then
            guard.warn("viewer maintenance", f"The viewer could not tidy its data: {error}.", error)
