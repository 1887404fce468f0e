# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A part of the machine: what it can tell, and how one look at it serves all its instruments.

A part (host, process, runtime, GPU) reads everything it knows in one go. Each
of its instruments has a callback of its own, so a collection asks once per
instrument; `Sampled` answers them all from a single reading.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from otelkit._core._guard import guard
from otelkit._core._snapshot import Metric

Labels = Mapping[str, str | int]
Reading = dict[Metric, list[tuple[float, Labels]]]

KEEP_S = 0.25
"""How long a reading answers for: longer than one collection takes, shorter than any sensible interval."""


class Part(Protocol):
    """One part of the machine. Used under `Sampled`'s lock only, in one process only."""

    metrics: tuple[Metric, ...]

    def read(self) -> Reading:
        """Return every value that can be read now; what cannot be read is left out."""
        ...

    def close(self) -> None:
        """Give back what the part holds."""
        ...


class Sampled:
    """
    One reading of a part for all who ask within ``KEEP_S``.

    Thread-safe. A forked child builds the part anew, with a fresh lock: file
    handles, earlier values and the process looked at were the parent's.
    """

    def __init__(self, name: str, make: Callable[[], Part], clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._make = make
        self._clock = clock
        self._renew()

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._part: Part | None = None
        self._reading: Reading = {}
        self._read_at = -float("inf")
        self._pid = os.getpid()

    def __call__(self) -> Reading:
        """Return the current reading, at most ``KEEP_S`` old; empty if it failed. Never raises."""
        if self._pid != os.getpid():
            self._renew()
        with self._lock:
            if self._clock() - self._read_at >= KEEP_S:
                self._reading = {}
                with guard.shield(f"devices.{self._name}"):
                    self._part = self._part or self._make()
                    self._reading = self._part.read()
                self._read_at = self._clock()
            return self._reading

    def close(self) -> None:
        """Let the part go; the next call builds it anew."""
        if self._pid != os.getpid():
            return self._renew()  # what the parent holds is the parent's to give back
        with self._lock:
            part, self._part = self._part, None
            self._reading, self._read_at = {}, -float("inf")
            if part is not None:
                with guard.shield(f"devices.{self._name}"):
                    part.close()
        return None


@contextmanager
def quietly(where: str) -> Iterator[None]:
    """
    Leave out what the platform refuses: counted as a failure, never logged.

    A container without permission for one figure refuses it at every
    collection; psutil's complaints would fill the log (python-contrib#1206).
    """
    import psutil

    try:
        yield
    except (psutil.Error, OSError, NotImplementedError) as error:
        guard.tally("failures", (("otelkit.where", where), ("error.type", type(error).__name__)))
    except Exception as error:
        guard.failed(where, error)


def add(reading: Reading, metric: Metric, value: float | None, labels: Labels | None = None) -> None:
    """Put ``value`` into ``reading``; ``None`` means that there is none and is left out."""
    if value is not None:
        reading.setdefault(metric, []).append((value, labels or {}))
