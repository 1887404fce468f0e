# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The executors of concurrent.futures: what is counted, and that nothing else about them changes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.utils import suppress_instrumentation
from support.otlp_receiver import OtlpReceiver
from support.program import Program

import otelkit
from otelkit.testing import Telemetry, capture, strict

THREADS = {"batch.engine": "concurrent.futures.thread"}
PROCESSES = {"batch.engine": "concurrent.futures.process"}


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    with strict():
        otelkit.instrument("concurrent_futures")
        yield
        otelkit.uninstrument("concurrent_futures")


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
    raise KeyError(number)


def end_the_worker() -> None:
    os._exit(1)


def test_jobs_of_threads(telemetry: Telemetry) -> None:
    """Each of them, with its result or its exception as they are."""
    with ThreadPoolExecutor(2) as pool:
        good = [pool.submit(double, number=number) for number in range(5)]
        bad = pool.submit(refuse, 1)
        assert [future.result() for future in good] == [0, 2, 4, 6, 8]
        with pytest.raises(KeyError) as raised:
            bad.result()
        assert raised.value.args == (1,)
        assert telemetry.value("batch.workers", **THREADS) == len(pool._threads)
    assert statuses(telemetry, THREADS) == {"submitted": 6, "running": 6, "completed": 5, "failed": 1}
    assert telemetry.value("job.errors", **THREADS, **{"error.type": "KeyError"}) == 1
    assert telemetry.value("job.pending", **THREADS) == 0
    assert telemetry.value("job.active", **THREADS) == 0
    assert telemetry.value("job.queue_time", **THREADS) == 6


def test_a_batch_is_as_large_as_what_is_mapped(telemetry: Telemetry) -> None:
    """Also of an iterable whose length nobody knows."""
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(double, (number for number in range(7)))) == [number * 2 for number in range(7)]
        assert list(pool.map(divmod, [7, 8, 9], itertools.repeat(2))) == [(3, 1), (4, 0), (4, 1)]
    assert telemetry.value("batch.created", **THREADS) == 2
    assert telemetry.value("batch.size", **THREADS) == 2
    assert statuses(telemetry, THREADS) == {"submitted": 10, "running": 10, "completed": 10}


def test_cancelled_futures(telemetry: Telemetry) -> None:
    """One by one, twice the same one, or by the end of the pool: each counts once."""
    release = threading.Event()
    pool = ThreadPoolExecutor(1)
    first = pool.submit(release.wait)
    rest = [pool.submit(double, number) for number in range(5)]
    assert telemetry.value("job.pending", **THREADS) >= 5
    assert rest[0].cancel()
    assert rest[0].cancel()
    pool.shutdown(wait=False, cancel_futures=True)
    release.set()
    assert first.result(30)
    assert not first.cancel()
    pool.shutdown()
    assert statuses(telemetry, THREADS) == {"submitted": 6, "running": 1, "completed": 1, "cancelled": 5}
    assert telemetry.value("job.pending", **THREADS) == 0


def test_a_job_is_in_its_submitter_s_trace(telemetry: Telemetry) -> None:
    """Its span is the submitter's child, and the parent of what the function does."""

    def inside() -> None:
        with trace.get_tracer("test").start_as_current_span("inside"):
            pass

    with ThreadPoolExecutor(1) as pool, trace.get_tracer("test").start_as_current_span("submitter"):
        pool.submit(inside).result()
    spans = {span.name: span for span in telemetry.spans}
    job = next(span for name, span in spans.items() if name.endswith("<locals>.inside"))
    assert spans["inside"].parent.span_id == job.context.span_id
    assert job.parent.span_id == spans["submitter"].context.span_id
    assert dict(job.attributes) == {**THREADS, "job.name": job.name}


def test_a_thread_s_job_begins_no_trace(telemetry: Telemetry) -> None:
    """It is counted; the spans of what it calls are their traces' first."""

    def inside() -> None:
        with trace.get_tracer("test").start_as_current_span("inside"):
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(inside).result()
    assert [(span.name, span.parent) for span in telemetry.spans] == [("inside", None)]
    assert statuses(telemetry, THREADS) == {"submitted": 1, "running": 1, "completed": 1}


def test_nothing_is_recorded_where_nothing_is_wanted(telemetry: Telemetry) -> None:
    """Inside suppress_instrumentation; and of otelkit's own or another engine's calls."""
    from otelkit.jobs import headers_of

    with ThreadPoolExecutor(1) as pool:
        with suppress_instrumentation():
            assert pool.submit(double, 2).result() == 4
            assert list(pool.map(double, [1])) == [2]
        assert pool.submit(headers_of).result() == {}
    assert statuses(telemetry, THREADS) == {}


def test_asyncio_s_default_executor_is_one(telemetry: Telemetry) -> None:
    """Under the name of the function that the program gave to it."""

    async def main() -> int:
        return await asyncio.to_thread(double, 4) + await asyncio.get_running_loop().run_in_executor(None, double, 1)

    assert asyncio.run(main()) == 10
    assert telemetry.value("job.status", status="completed", **THREADS, **{"job.name": f"{__name__}.double"}) == 2


def test_a_pool_that_is_shut_down_counts_nothing(telemetry: Telemetry) -> None:
    """What is refused was not submitted."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(double, 1)
    assert statuses(telemetry, THREADS) == {}


def test_a_dead_worker_fails_the_jobs_that_it_takes_along(telemetry: Telemetry) -> None:
    """The submitter says so, for nobody else can."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool, pytest.raises(BrokenProcessPool):
        pool.submit(end_the_worker).result(60)
    lost = {"error.type": "concurrent.futures.process.BrokenProcessPool"}
    assert telemetry.value("job.errors", **PROCESSES, **lost) == 1
    assert statuses(telemetry, PROCESSES) == {"submitted": 1, "failed": 1}
    assert telemetry.value("job.pending", **PROCESSES) == 0


def test_what_cannot_be_sent_has_failed(telemetry: Telemetry) -> None:
    """No worker has ever seen it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        future: Future[Any] = pool.submit(double, threading.Lock())  # type: ignore[arg-type]
        assert isinstance(future.exception(60), TypeError)
    assert statuses(telemetry, PROCESSES) == {"submitted": 1, "failed": 1}


def test_uninstrumenting_puts_the_originals_back() -> None:
    """Exactly, however often it was instrumented."""
    otelkit.uninstrument("concurrent_futures")
    owners = (ThreadPoolExecutor, ProcessPoolExecutor, Future, concurrent.futures.process._SafeQueue)
    before = [dict(vars(owner)) for owner in owners]
    otelkit.instrument("concurrent_futures")
    otelkit.instrument("concurrent_futures")
    assert [dict(vars(owner)) for owner in owners] != before
    otelkit.uninstrument("concurrent_futures")
    assert [dict(vars(owner)) for owner in owners] == before


_PROGRAM = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
import otelkit

def double(number):
    if number == 13:
        raise ValueError
    return number * 2

def prepare(path):
    open(path, "a").close()

if __name__ == "__main__":
    otelkit.configure(file=os.devnull)
    otelkit.instrument("concurrent_futures")
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, context, prepare, (os.environ["PREPARED"],)) as pool:
        assert list(pool.map(double, range(10), chunksize=4)) == [number * 2 for number in range(10)]
        futures = [pool.submit(double, number) for number in range(10, 20)]
        assert sum(bool(future.exception()) for future in futures) == 1
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_report_by_themselves(tmp_path: Path, method: str) -> None:
    """Spawned ones, which know nothing of the submitter's configuration, are given it; the initializer runs, too."""
    with OtlpReceiver() as receiver:
        prepared = tmp_path / "prepared"
        Program(tmp_path, _PROGRAM).run(receiver, method, PREPARED=str(prepared))
        assert prepared.exists()
        assert receiver.total("job.duration") == 20
        assert receiver.total("job.errors") == 1
        assert receiver.total("job.pending") == 0
        assert len(receiver.spans()) == 13  # three chunks, ten jobs
        assert len(receiver.instances()) >= 2
