# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Work that must be over by a given time, whatever a network does.

The SDK's own shutdown waits for requests under way (6.5 s were measured with
a collector that never answers). Here each job has a daemon thread, all share
one deadline, and who is late is left behind.
"""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections.abc import Callable, Collection
from queue import SimpleQueue
from typing import NamedTuple

from otelkit._core._fork import forks
from otelkit._core._guard import guard

# Between two looks whether jobs have ended.
_SHORTEST_PAUSE_S = 0.000_2
_LONGEST_PAUSE_S = 0.01

_START_S = 0.5


class Job(NamedTuple):
    """Something to do; ``work`` takes the seconds it has, and False or an exception means that it failed."""

    name: str
    work: Callable[[float], object]


class Jobs:
    """Jobs under way. Any number of threads may `wait` for them, none beyond the one deadline."""

    def __init__(self, jobs: Collection[Job], timeout_s: float) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._failed: list[str] = []
        self._late = [job.name for job in jobs]
        for job in jobs:
            self._start(job)

    def _start(self, job: Job) -> None:
        def run() -> None:
            done: object = False
            with guard.shield(job.name):
                done = job.work(max(0.0, self._deadline - time.monotonic()))
            if done is False:
                self._failed.append(job.name)
            self._late.remove(job.name)

        try:
            # Not threading.Thread: its start takes a lock, and this may be a signal handler that interrupted whoever
            # holds it.
            _thread.start_new_thread(run, ())
        except RuntimeError:  # too many threads, or the interpreter is ending
            if not _reserve.take(run):
                run()

    def wait(self, timeout_s: float) -> list[str]:
        """Wait until all have ended, and return the names of those that failed or are late."""
        end = min(time.monotonic() + timeout_s, self._deadline)
        pause_s = _SHORTEST_PAUSE_S
        while self._late and time.monotonic() < end:  # no Event: it has a lock; see above
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return [*self._failed, *self._late]


class _Reserve:
    """Threads that sleep until the end, when no new one may be started any more; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._free = 0
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def have(self, threads: int) -> None:
        with self._lock:
            while self._free < threads:
                threading.Thread(target=self._serve, args=(self._work,), name="otelkit reserve", daemon=True).start()
                self._free += 1

    def take(self, work: Callable[[], None]) -> bool:
        """Have ``work`` done by one of them; False if none is left."""
        with self._lock:
            if not self._free:
                return False
            self._free -= 1
        self._work.put(work)
        return True

    @staticmethod
    def _serve(queue: SimpleQueue[Callable[[], None]]) -> None:
        queue.get()()


_reserve = _Reserve()


def reserve(threads: int) -> None:
    """
    Keep ``threads`` threads for `Jobs` that are made while the interpreter ends.

    Since Python 3.12 no thread can be started then (python/cpython#113964); before, this does nothing.
    """
    if sys.version_info >= (3, 12):
        _reserve.have(threads)


def _after_fork_in_child() -> None:
    global _reserve
    _reserve = _Reserve()


forks.in_child(_after_fork_in_child)


def prepare_to_end(exporter: object) -> None:
    """Tell an exporter of ours that its next delivery is the last; others have no such notion."""
    prepare = getattr(exporter, "prepare_to_end", None)
    if prepare is not None:
        prepare()


def await_start(thread: threading.Thread | None) -> None:
    """
    Wait, half a second at most, for the start of ``thread``, which can be joined only then.

    A child that is terminated amid its fork's hooks ends while the SDK has made its threads but not started them.
    """
    end = time.monotonic() + _START_S
    while thread is not None and thread.ident is None and time.monotonic() < end:
        time.sleep(_SHORTEST_PAUSE_S)
