# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""multiprocessing's pools: what is counted, and that nothing else about them changes."""

from __future__ import annotations

import multiprocessing.pool
import threading
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest
from support.otlp_receiver import OtlpReceiver
from support.program import Program

import otelkit
from otelkit.testing import Telemetry, capture, strict

THREADS = {"batch.engine": "multiprocessing.threadpool"}
PROCESSES = {"batch.engine": "multiprocessing.pool"}


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    with strict():
        otelkit.instrument("multiprocessing")
        yield
        otelkit.uninstrument("multiprocessing")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What a test records."""
    with capture() as captured:
        yield captured


def statuses(telemetry: Telemetry, engine: dict[str, str]) -> dict[str, float]:
    """Return jobs by status."""
    found: dict[str, float] = {}
    for status in ("submitted", "running", "completed", "failed", "cancelled"):
        number = telemetry.value("job.status", status=status, **engine)
        if number:
            found[status] = number
    return found


def double(number: int) -> int:
    return number * 2


def refuse(number: int) -> int:
    if number == 3:
        raise KeyError(number)
    return number


WAYS: dict[str, Any] = {
    "map": lambda pool: pool.map(double, range(10)),
    "map in chunks": lambda pool: pool.map(double, iter(range(10)), chunksize=4),
    "map_async": lambda pool: pool.map_async(double, range(10)).get(),
    "starmap": lambda pool: pool.starmap(double, [(number,) for number in range(10)]),
    "imap": lambda pool: list(pool.imap(double, iter(range(10)))),
    "imap in chunks": lambda pool: list(pool.imap(double, range(10), chunksize=3)),
    "imap_unordered": lambda pool: sorted(pool.imap_unordered(double, range(10))),
    "imap_unordered in chunks": lambda pool: sorted(pool.imap_unordered(double, range(10), chunksize=3)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_mapping_is_a_batch(telemetry: Telemetry, way: str) -> None:
    """Of ten jobs, whatever the chunks; with the same results as ever."""
    with ThreadPool(2) as pool:
        assert WAYS[way](pool) == [number * 2 for number in range(10)]
        pool.close()
        pool.join()
    assert statuses(telemetry, THREADS) == {"submitted": 10, "running": 10, "completed": 10}
    assert telemetry.value("batch.created", **THREADS) == 1
    assert telemetry.value("job.pending", **THREADS) == 0
    assert telemetry.value("job.queue_time", **THREADS) == 10


def test_apply_is_a_job(telemetry: Telemetry) -> None:
    """With keywords, callbacks, and its own exception."""
    heard: list[Any] = []
    with ThreadPool(1) as pool:
        assert pool.apply(double, (), {"number": 2}) == 4
        assert pool.apply_async(double, (3,), callback=heard.append).get() == 6
        failed = pool.apply_async(refuse, (3,), error_callback=heard.append)
        with pytest.raises(KeyError):
            failed.get()
        pool.close()
        pool.join()
    assert [type(each) for each in heard] == [int, KeyError]
    assert statuses(telemetry, THREADS) == {"submitted": 3, "running": 3, "completed": 2, "failed": 1}
    assert telemetry.value("batch.created", **THREADS) == 0


def test_a_failure_ends_its_chunk(telemetry: Telemetry) -> None:
    """What comes behind it is not called, and counts as cancelled."""
    with ThreadPool(1) as pool, pytest.raises(KeyError):
        pool.map(refuse, range(10), chunksize=5)
    chunk = {"submitted": 10, "running": 9, "completed": 8, "failed": 1, "cancelled": 1}
    assert statuses(telemetry, THREADS) == chunk


def test_an_iterable_that_raises_is_the_caller_s(telemetry: Telemetry) -> None:
    """It comes out of the iterator as it does without otelkit; what came before it ran."""

    def numbers() -> Iterator[int]:
        yield 1
        raise RuntimeError("no more")

    with ThreadPool(1) as pool:
        results = pool.imap(double, numbers())
        assert next(results) == 2
        with pytest.raises(RuntimeError, match="no more"):
            next(results)
    assert statuses(telemetry, THREADS) == {"submitted": 1, "running": 1, "completed": 1}


def test_terminating_cancels_what_has_not_begun(telemetry: Telemetry) -> None:
    """What a thread has begun, it ends."""
    begun, release = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        release.wait(60)

    pool = ThreadPool(1)
    pool.apply_async(wait)
    for number in range(4):
        pool.apply_async(double, (number,))
    assert begun.wait(60)
    threading.Timer(0.2, release.set).start()  # terminate waits for it
    pool.terminate()
    pool.join()
    found = statuses(telemetry, THREADS)
    assert (found["submitted"], found["running"], found["cancelled"]) == (5, 1, 4)
    assert telemetry.value("job.pending", **THREADS) == 0


def test_what_cannot_be_sent_has_failed(telemetry: Telemetry) -> None:
    """No worker has ever seen it."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        with pytest.raises(TypeError):
            pool.apply_async(double, (threading.Lock(),)).get(60)
        pool.close()
        pool.join()
    assert statuses(telemetry, PROCESSES) == {"submitted": 1, "failed": 1}


def test_uninstrumenting_puts_the_originals_back() -> None:
    """Exactly, however often it was instrumented."""
    otelkit.uninstrument("multiprocessing")
    module = multiprocessing.pool
    owners = (module.Pool, module.ApplyResult, module.MapResult, module.IMapIterator, module.IMapUnorderedIterator)
    before = [dict(vars(owner)) for owner in owners]
    otelkit.instrument("multiprocessing")
    otelkit.instrument("multiprocessing")
    assert [dict(vars(owner)) for owner in owners] != before
    otelkit.uninstrument("multiprocessing")
    assert [dict(vars(owner)) for owner in owners] == before


_PROGRAM = """
import multiprocessing, os, sys
import otelkit

def double(number):
    if number == 13:
        raise ValueError
    return number * 2

if __name__ == "__main__":
    otelkit.configure(file=os.devnull)
    otelkit.instrument("multiprocessing")
    with multiprocessing.get_context(sys.argv[1]).Pool(2, maxtasksperchild=3) as pool:
        assert pool.map(double, range(10), chunksize=2) == [number * 2 for number in range(10)]
        results = [pool.apply_async(double, (number,)) for number in range(10, 20)]
        failed = 0
        for result in results:
            try:
                result.get()
            except ValueError:
                failed += 1
        assert failed == 1
        if sys.argv[2] == "close":
            pool.close()
            pool.join()
"""


@pytest.mark.parametrize("end", ["close", "terminate"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_report_by_themselves(tmp_path: Path, method: str, end: str) -> None:
    """Spawned ones are given the submitter's configuration; all deliver when they are recycled, ended or terminated."""
    with OtlpReceiver() as receiver:
        Program(tmp_path, _PROGRAM).run(receiver, method, end)
        assert receiver.total("job.duration") == 20
        assert receiver.total("job.errors") == 1
        assert receiver.total("job.pending") == 0
        assert receiver.total("job.active") == 0
        assert len(receiver.spans()) == 15  # five chunks, ten jobs
        assert len(receiver.instances()) >= 4
