# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Cells: where observations land without a lock, and are folded when somebody reads.

The algorithm, once for all of them:

- A writer ticks (``next`` on an ``itertools.count``) and appends to a list.
  Both are one C call under the interpreter lock: nothing is lost between
  threads, signal handlers and finalisers.
- Whoever folds first takes the *token* (``del token[0]``: one bytecode, so an
  asynchronous exception cannot land between taking it and the ``try`` that
  gives it back; ``lock.acquire(False)`` leaked 33,922 times in 39,997
  interrupts). It copies what is in the list, computes the new state, and then,
  with no call in between, deletes what it copied and stores the state.
- A writer folds at each 100th tick, so the list stays short without readers.
- A reader takes the state: one tuple, always whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count as ticks
from time import time_ns
from typing import TYPE_CHECKING, Any

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._snapshot import Attributes

if TYPE_CHECKING:
    from otelkit._core._family import Family
    from otelkit._core._labels import Key

MISS_BUDGET = 3
"""Look-ups a chunk of 100 may spend on calls that are in no sampled span."""

_TOKEN_WAIT_S = 0.1


def ticked(tick: ticks[int]) -> int:
    """Return how often ``tick`` was advanced; reading does not advance it."""
    return int(repr(tick)[6:-1]) - 1  # "count(5)": pickling of counts, the other way to read one, ends with 3.14


class Cell:
    """One series. Subclasses say what a batch of items means."""

    __slots__ = ("attributes", "buffer", "family", "key", "misses", "start_ns", "tick", "token")

    def __init__(self, family: Family, key: Key, attributes: Attributes) -> None:
        self.family = family
        self.key = key
        self.attributes = attributes
        self.reset()

    def reset(self) -> None:
        """Start from zero; the state of a new cell and of a forked child's."""
        self.tick = ticks(1)
        self.buffer: list[Any] = []
        self.token: list[None] = [None]
        self.start_ns = time_ns()
        self.misses = 0

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # By definition, never by content: a detached copy would record to nobody.
        return _restore, (self.family, self.key)

    def flush(self) -> None:
        """Fold what is buffered, unless somebody is doing so already."""
        forks.notice()
        try:
            del self.token[0]
        except IndexError:
            return
        try:
            self.drain()
        except Exception as error:
            guard.failed("folding", error)
        finally:
            self.token.append(None)
        self.rearm()

    def settle(self) -> None:
        """Fold what is buffered, waiting for whoever is doing so; for readers."""
        if not self.buffer and self.token:  # in this order: a token means that what was deleted is in the state
            return
        if self.take_token():
            try:
                self.drain()
            finally:
                self.token.append(None)

    def take_token(self) -> bool:
        """Wait for the token; False if it does not come."""
        deadline = 0.0
        while True:
            try:
                del self.token[0]
            except IndexError:
                # Bounded: the folder may be the very thread that a signal handler interrupted to get here.
                now = time.monotonic()
                deadline = deadline or now + _TOKEN_WAIT_S
                if now > deadline:
                    return False
                time.sleep(0)
            else:
                return True

    def drain(self) -> None:
        """Fold the buffer; only while holding the token."""
        raise NotImplementedError  # abstract

    def rearm(self) -> None:
        """Allow look-ups for exemplars again, within the budget of one chunk."""


def _restore(family: Family, key: Key) -> Cell:
    return family.hold(key)
