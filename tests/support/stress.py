# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One checker for cells: the real one must pass it, each broken variant of it must be caught by it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from otelkit._core._call_cell import CallCell
from otelkit._core._family import CallFamily, Definition
from otelkit._core._store import Store
from otelkit.semconv import call_metrics


class Interrupted(BaseException):
    """What a signal handler raises, as Ctrl-C does."""


class Accounts:
    """The family of one stress run, with a cell class of the test's choice."""

    def __init__(self, cell_type: type[CallCell] = CallCell) -> None:
        self.store = Store(lambda definition: None)
        definition = Definition("call", call_metrics("stress"))
        family: Any = self.store.family(definition)
        family.counts_active = True
        family.cell_type = cell_type
        self.family: CallFamily = family
        self.cell: CallCell = family.hold(())

    def read(self, reader: int | None = None) -> dict[str, float]:
        """Return calls, active calls, errors and ended calls (successful ones: ``ok``)."""
        found = {"calls": 0.0, "active": 0.0, "errors": 0.0, "ended": 0.0, "ok": 0.0}
        for metric, points in self.store.snapshot(reader):
            for point in points:
                if metric.name == "stress.duration":
                    found["ended"] += point.count
                    found["ok"] += point.count * ("error.type" not in point.attributes)
                    assert sum(point.buckets) == point.count
                elif metric.name == "stress.calls":
                    found["calls"] += point.value
                elif metric.name == "stress.active_calls":
                    found["active"] += point.value
                elif metric.name == "stress.errors":
                    found["errors"] += point.value
        return found


@contextmanager
def switching_every(seconds: float) -> Iterator[None]:
    """Let threads take turns this often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def run_threads(*work: Callable[[], None]) -> None:
    """Run all to their end; the first exception of any is raised here."""
    failures: list[BaseException] = []

    def run(part: Callable[[], None]) -> None:
        try:
            part()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(part,)) for part in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def interrupt(work: Callable[[], None], times: int, after_s: float = 2e-5) -> int:
    """
    Run ``work`` again and again on the main thread; return how often a signal's handler raised into it.

    One-shot timers, one at a time: no interrupt can land outside of the ``try`` here.
    """

    def handler(*_: object) -> None:
        raise Interrupted

    hits = 0
    before = signal.signal(signal.SIGALRM, handler)
    try:
        while hits < times:
            try:
                signal.setitimer(signal.ITIMER_REAL, after_s)
                while True:
                    work()
            except Interrupted:
                hits += 1
    finally:
        signal.signal(signal.SIGALRM, before)
    return hits
