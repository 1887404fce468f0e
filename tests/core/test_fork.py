# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Forks: the child counts from zero, the parent's numbers stay the parent's, and nothing hangs."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.metrics import forget, fresh, point, points, total

import otelkit

# Python warns of forks with threads; these tests are about just that.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def _in_child(work: Callable[[], Any], fork: Callable[[], int] = os.fork) -> Any:
    """Return what ``work`` returns in a forked child, as JSON; fail if the child hangs for 20 s."""
    reading, writing = os.pipe()
    child = fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            status = 0
        except BaseException as error:
            os.write(writing, json.dumps(repr(error)).encode())
        finally:
            os._exit(status)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], 20)
        if not ready:
            os.kill(child, signal.SIGKILL)
        data = os.read(reading, 65_536)
        _, status = os.waitpid(child, 0)
        assert ready, "the child hangs"
        assert os.waitstatus_to_exitcode(status) == 0, data
        return json.loads(data)
    finally:
        os.close(reading)


def test_the_child_starts_from_zero_and_the_parent_goes_on() -> None:
    """Held cells live on, from zero; others are found anew; both processes count for themselves."""
    name = fresh("fork")
    counter = otelkit.counter(name, labels=["kind"])
    bound = counter.labels(kind="bound")
    bound.increment(5)
    counter.increment(7, kind="found")

    @otelkit.metered(name=f"{name}.call")
    def call() -> None: ...

    call()

    def work() -> list[Any]:
        before = [total(name, {"kind": "bound"}), len(points(name)), total(f"{name}.call.calls")]
        bound.increment(2)
        counter.increment(3, kind="found")
        call()
        return [*before, total(name, {"kind": "bound"}), total(name, {"kind": "found"}), total(f"{name}.call.calls")]

    assert _in_child(work) == [0, 1, 0, 2, 3, 1]
    assert (total(name, {"kind": "bound"}), total(name, {"kind": "found"})) == (5, 7)
    assert total(f"{name}.call.calls") == 1


def test_an_overflow_cell_that_is_held_stays_the_only_one() -> None:
    """A fork must not make two series of one set of labels."""
    name = fresh("fork")
    counter = otelkit.counter(name, labels=["kind"])
    for kind in range(2_000):
        counter.increment(kind=kind)
    held = counter.labels(kind="one too many")
    held.increment()

    def work() -> list[Any]:
        held.increment(3)
        counter.increment(kind="one too many")
        return sorted((json.dumps(each.attributes), each.value) for each in points(name))

    assert _in_child(work) == [['{"kind": "one too many"}', 1], ['{"otel.metric.overflow": "true"}', 3]]
    forget(name)


def test_a_call_that_forks_is_never_negative_in_the_child() -> None:
    """The child ends a call that it never started."""
    name = fresh("fork")
    results: list[Any] = []

    @otelkit.metered(name=name)
    def call(fork: bool) -> int:
        return os.fork() if fork else -1

    reading, writing = os.pipe()
    if call(True) == 0:
        try:
            call(False)
            os.write(writing, json.dumps([total(f"{name}.calls"), total(f"{name}.active_calls")]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    results = json.loads(os.read(reading, 1_000))
    os.close(reading)
    os.wait()
    assert results == [1, 0]
    assert (total(f"{name}.calls"), total(f"{name}.active_calls")) == (1, 0)


def test_forking_under_recording_threads_never_hangs() -> None:
    """50 forks while four threads record, bind labels and collect: every child can record and read."""
    name = fresh("fork")
    histogram = otelkit.histogram(name, labels=["writer"])
    counter = otelkit.counter(f"{name}.counter")
    otelkit.rate(f"{name}.rate", counter)
    stop = threading.Event()

    def record(writer: int) -> None:
        index = 0
        while not stop.is_set():
            index += 1
            histogram.labels(writer=f"{writer}.{index % 50}").observe(0.1)
            counter.increment()
            if index % 20 == 0:
                total(name)

    threads = [threading.Thread(target=record, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()

    def work() -> float:
        histogram.labels(writer="child").observe(1.0)
        counter.increment(2)
        return total(name) * 100 + total(f"{name}.counter")

    try:
        for _ in range(50):
            assert _in_child(work) == 102
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


def test_a_fork_without_hooks_is_noticed_when_somebody_collects() -> None:
    """libc's fork() runs none of Python's: the process id tells."""
    name = fresh("fork")
    counter = otelkit.counter(name)
    counter.increment(5)
    assert point(name).value == 5

    def work() -> list[float]:
        first = point(name).value
        counter.increment(3)
        return [first, point(name).value]

    # PyDLL, or the child would not hold the interpreter's lock.
    assert _in_child(work, ctypes.PyDLL(None).fork) == [0, 3]
    assert point(name).value == 5
