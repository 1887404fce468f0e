# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A Ray worker: the run of a task or of an actor's method, its span, and the delivery of both.

Ray kills its workers when the driver shuts down, and asks none of their exit
handlers. So a worker that has something to deliver says so in the cluster's
key-value store, delivers when it has been idle for a second, or when the driver
announces its end, and takes the note back; the driver waits for the notes.
"""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import Any

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit.jobs import Engine, Run, flush_worker, parent_of, start_span

ENGINE = Engine("ray")

UNDELIVERED = "otelkit/undelivered"
ENDING = "otelkit/ending"
IDLE_S = 1.0
LOOK_S = 0.2


class Work:
    """
    One run, from the carrier that came with it. A context manager around the user's function.

    Args:
        name: The job's.
        carrier: W3C headers, Unix time of submission, how often it may be run again, and after which exceptions.
        setup: The submitter's configuration, pickled.
    """

    def __init__(self, name: str, carrier: tuple[Any, ...], setup: bytes) -> None:
        self._run: Run | None = None
        with guard.shield("ray's worker"):
            _begin(setup)
            headers, submitted_at, self._retries, self._retried_for = carrier
            self._attempt = _attempt()
            job = ENGINE.job(name)
            died = self._attempt and not self._retried_for
            if died:
                job.retry()  # the attempt before ended with its process, which could not tell
            self._span = start_span(job.name, job.attributes, parent_of(headers))
            self._run = job.start(time.time() - submitted_at, self._span)
            if died:
                flush_worker()  # nor may this one be able to

    def __enter__(self) -> None:
        """Nothing is left to begin."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        with guard.shield("ray's worker"):
            self._end(error)
            _delivery.owe()

    def _end(self, error: BaseException | None) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if error is None or isinstance(error, (SystemExit, GeneratorExit)) or _is_exit(error):
            run.succeed()
        elif isinstance(error, KeyboardInterrupt):
            run.cancel()  # how ray.cancel reaches a task that runs
        elif self._will_run_again(error):
            self._span.fail(error)
            run.retry(error)
        else:
            run.fail(error)

    def _will_run_again(self, error: BaseException) -> bool:
        wanted = self._retried_for
        if not wanted or not (wanted is True or isinstance(error, tuple(wanted))):
            return False
        return self._retries < 0 or self._attempt < self._retries


def call(work: Work, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call a function as one run."""
    with work:
        return function(*args, **kwargs)


async def call_async(work: Work, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Await a coroutine function as one run."""
    with work:
        return await function(*args, **kwargs)


def iterate(work: Work, function: Callable[..., Any], args: Any, kwargs: Any) -> Iterator[Any]:
    """Exhaust a generator as one run; Ray does that in one go, in one thread."""
    with work:
        return (yield from function(*args, **kwargs))


async def iterate_async(work: Work, function: Callable[..., Any], args: Any, kwargs: Any) -> AsyncIterator[Any]:
    """Exhaust an asynchronous generator as one run."""
    with work:
        async for item in function(*args, **kwargs):
            yield item


def _is_exit(error: BaseException) -> bool:
    """Tell whether an actor ends itself."""
    return type(error).__name__ == "AsyncioActorExit"


def _attempt() -> int:
    """Return how often this task was run before."""
    ray: Any = sys.modules["ray"]
    try:
        return ray._private.worker.global_worker.core_worker.get_current_task_attempt_number()
    except AttributeError:  # of an older Ray
        return 0


# -- the process ------------------------------------------------------------------------


_begun: set[bytes] = set()


def _begin(setup: bytes) -> None:
    """Configure this worker as its submitter is, unless it is already, and instrument what it submits in turn."""
    if setup in _begun:
        return
    _begun.add(setup)
    found = pickle.loads(setup)  # noqa: S301 - from the program's own driver, over Ray's own wire
    if found is not None:
        found.apply()
    from otelkit_instrumentation.batch.ray import RayInstrumentor

    instrumentor = RayInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)
    ENGINE.watch_workers(_delivery, lambda _: 1)


def key_value() -> Any:
    """Return Ray's internal key-value store."""
    return import_module("ray.experimental.internal_kv")


def job_id() -> str:
    """Return the id of the driver that this process works for, or is."""
    ray: Any = sys.modules["ray"]
    return ray._private.worker.global_worker.current_job_id.hex()


class _Delivery:
    """Delivers, in a thread, what runs have recorded."""

    def __init__(self) -> None:
        self.reset()
        forks.in_child(self.reset)
        atexit.register(self.deliver)

    def reset(self) -> None:
        """Owe nothing."""
        self._lock = threading.Lock()
        self._owing = threading.Event()
        self._thread: threading.Thread | None = None
        self._last = 0.0
        self._note = ""
        self._end_note = ""

    def owe(self) -> None:
        """Note that there is something to deliver; before the result is the driver's."""
        self._last = time.monotonic()
        if self._owing.is_set():
            return
        with self._lock:
            if not self._note:
                self._note = f"{UNDELIVERED}/{job_id()}/{os.uname().nodename}/{os.getpid()}"
                self._end_note = f"{ENDING}/{job_id()}"
            key_value()._internal_kv_put(self._note, b"1")
            self._owing.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="otelkit-ray", daemon=True)
                self._thread.start()

    def deliver(self) -> None:
        """Deliver, and take the note back, unless there is more by then."""
        if not self._owing.is_set():
            return
        self._owing.clear()
        flush_worker()
        with guard.shield("ray's worker"), self._lock:
            store = key_value()
            if not self._owing.is_set() and store._internal_kv_initialized():
                store._internal_kv_del(self._note)

    def _serve(self) -> None:
        while True:
            self._owing.wait()
            with guard.shield("ray's worker"):
                self._wait_for_a_moment()
            self.deliver()

    def _wait_for_a_moment(self) -> None:
        while time.monotonic() - self._last < IDLE_S and not self._is_end():
            time.sleep(LOOK_S)

    def _is_end(self) -> bool:
        store = key_value()
        return not store._internal_kv_initialized() or store._internal_kv_get(self._end_note) is not None


_delivery = _Delivery()


def end_of_driver(timeout_s: float) -> None:
    """Tell the driver's workers that the end is near, and wait until they have delivered."""
    store, job = key_value(), job_id()
    if not store._internal_kv_initialized():
        return
    deadline = time.monotonic() + timeout_s
    if _alive(store, job):
        store._internal_kv_put(f"{ENDING}/{job}", b"1")
        while _alive(store, job) and time.monotonic() < deadline:
            time.sleep(0.02)


def _alive(store: Any, job: str) -> bool:
    """Tell whether any worker has something to deliver; one that died on this machine has not."""
    notes = (note.decode().rsplit("/", 2)[1:] for note in store._internal_kv_list(f"{UNDELIVERED}/{job}/"))
    return any(node != os.uname().nodename or os.path.exists(f"/proc/{process}") for node, process in notes)
