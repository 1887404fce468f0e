# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
joblib: ``Parallel`` on processes (loky, multiprocessing), on threads, or in sequence; scikit-learn's ``n_jobs``, too.

joblib's own backends only: what it hands to Dask or Ray, these count. Jobs
that ran in a process are recorded by the submitter, when their batch comes
back: a call that fails ends the whole ``Parallel``, and loky then kills its
workers. So none of those is ever seen active, and all are pending until then.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any

from opentelemetry import context

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.decorators._failures import error_type_of
from otelkit.jobs import (
    Engine,
    Job,
    Setup,
    flush_worker,
    headers_of,
    is_suppressed,
    parent_of,
    setup_of_this_process,
    start_span,
)
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches

__all__ = ("JoblibInstrumentor",)

ENGINE = "joblib"
_SENT = "_otelkit_sent"
_OUTSTANDING = "_otelkit_outstanding"

_LOST = ("BrokenProcessPool", "PicklingError", "TerminatedWorkerError")
"""Errors by which joblib says that no worker has run a job, or none that could tell of it."""


class JoblibInstrumentor(Instrumentor):
    """Jobs of ``joblib.Parallel``."""

    title = "joblib"
    requires = ("joblib >= 1.5",)
    signals = "batches; jobs: status, queue time, duration, errors, pending; workers; a span per joblib's own batch"

    def patch(self, patches: Patches, **options: Any) -> None:
        """Patch joblib when the program imports it."""
        patches.when_imported("joblib.parallel", lambda module: _patch_parallel(patches, module))
        patches.when_imported("joblib._parallel_backends", lambda module: _patch_backends(patches, module))


def _patch_parallel(patches: Patches, module: Any) -> None:
    patches.wrap(module.Parallel, "__call__", _counted_batch)
    patches.wrap(module.Parallel, "_get_sequential_output", _counted_sequence)
    patches.wrap(module.Parallel, "_terminate_and_reset", _counted_end)
    patches.wrap(module.BatchCompletionCallBack, "_register_outcome", _counted_outcome)
    patches.wrap(module.BatchCompletionCallBack, "get_status", _noted_timeout)


def _patch_backends(patches: Patches, module: Any) -> None:
    for name in ("PoolManagerMixin", "LokyBackend"):
        patches.wrap(getattr(module, name), "submit", _counted_submit)
        patches.wrap(getattr(module, name), "retrieve_result_callback", _recorded_result)


class _Sent:
    """One batch of joblib's that was handed to a backend. Ends once, whoever says so."""

    __slots__ = ("_jobs", "_lock", "started")

    def __init__(self, jobs: dict[Job, int]) -> None:
        self._jobs: dict[Job, int] | None = jobs
        self._lock = threading.Lock()
        self.started = False

    def _take(self) -> dict[Job, int]:
        with self._lock:
            jobs, self._jobs = self._jobs, None
        return jobs or {}

    def end(self, lost_as: str = "") -> None:
        for job, number in self._take().items():
            job.leave(number)
            if lost_as:
                job.lose(lost_as, number)

    def cancel(self) -> None:
        """Count it as cancelled, unless a thread of this process runs it, and so counts it itself."""
        for job, number in self._take().items():
            if self.started:
                job.leave(number)
            else:
                job.cancel(number)


class _Call:
    """A user's function in a batch that runs in this process; counts its runs."""

    __slots__ = ("batch", "function", "job")

    def __init__(self, batch: _Batch, job: Job, function: Callable[..., Any]) -> None:
        self.batch = batch
        self.job = job
        self.function = function

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        self.batch.begun += 1
        self.job.queue.observe(monotonic() - self.batch.submitted)
        return self.job.call(self.function, *args, **kwargs)


class _MeasuredCall(_Call):
    """The same in a worker process: it notes what the submitter will record."""

    __slots__ = ()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        batch = self.batch
        batch.begun += 1
        start = monotonic()
        error_type = ""
        try:
            return self.function(*args, **kwargs)
        except BaseException as error:
            error_type = error_type_of(error)
            raise
        finally:
            batch.measured.append((start - batch.submitted, monotonic() - start, error_type))


class _Result:
    """
    What comes back from a worker process: the values, or the error, and what the runs took.

    Recorded by the submitter: loky kills all of its workers when one call fails, and with them what they have counted.
    """

    __slots__ = ("error", "jobs", "measured", "values")

    def __init__(self, jobs: list[Job], measured: list[tuple[float, float, str]], values: Any, error: Any) -> None:
        self.jobs = jobs
        self.measured = measured
        self.values = values
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _Result, (self.jobs, self.measured, self.values, self.error)

    def record(self) -> None:
        for job, (queued_s, seconds, error_type) in zip(self.jobs, self.measured, strict=False):
            run = job.start(queued_s)
            run.backdate(seconds)
            if error_type:
                run.fail_as(error_type)
            else:
                run.succeed()
        for job in self.jobs[len(self.measured) :]:
            job.skip()


class _Batch:
    """What goes to a worker in place of joblib's ``BatchedCalls``."""

    def __init__(
        self,
        calls: Any,
        jobs: list[Job],
        headers: dict[str, str],
        submitted: float,
        submitter: int,
        setup: Setup | None,
        sent: _Sent | None = None,
    ) -> None:
        self.calls = calls
        self.jobs = jobs
        self.headers = headers
        self.submitted = submitted
        self.submitter = submitter
        self.setup = setup
        self.sent = sent
        self.begun = 0
        self.measured: list[tuple[float, float, str]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _Batch, (self.calls, self.jobs, self.headers, self.submitted, self.submitter, self.setup)

    def __len__(self) -> int:
        return len(self.jobs)

    def __call__(self) -> Any:
        if self.sent is not None:
            self.sent.started = True
        if os.getpid() != self.submitter:
            return self._call_elsewhere()
        try:
            return self._call(_Call)
        except BaseException:
            with guard.shield("a batch that failed"):
                for job in self.jobs[self.begun :]:
                    job.skip()
            raise

    def _call(self, kind: type[_Call]) -> list[Any]:
        first = self.jobs[0]
        self.calls.items = [
            (kind(self, job, function), args, kwargs)
            for job, (function, args, kwargs) in zip(self.jobs, self.calls.items, strict=True)
        ]
        attributes = {**first.attributes, semconv.CHUNK_SIZE: len(self.jobs)}
        with start_span(first.name, attributes, parent_of(self.headers)):
            return self.calls()

    def _call_elsewhere(self) -> _Result:
        from joblib.externals.loky.process_executor import _ExceptionWithTraceback  # pyright: ignore[reportMissingImports]

        if self.setup is not None:
            self.setup.apply()
        try:
            return _Result(self.jobs, self.measured, self._call(_MeasuredCall), None)
        except BaseException as error:
            flush_worker()  # joblib is about to kill it
            # As loky and joblib's pools send it: with the worker's traceback as its cause.
            return _Result(self.jobs, self.measured, None, _ExceptionWithTraceback(error))


def _recorded_result(original: Callable[..., Any]) -> Callable[..., Any]:
    def retrieve_result_callback(backend: Any, out: Any) -> Any:
        result = original(backend, out)
        if type(result) is not _Result:
            return result
        with guard.shield("a batch's result"):
            result.record()
        if result.error is not None:
            raise result.error
        return result.values

    return retrieve_result_callback


def _counted_submit(original: Callable[..., Any]) -> Callable[..., Any]:
    def submit(backend: Any, func: Any, callback: Any = None) -> Any:
        sent, batch = None, func
        with guard.shield("submitting a batch"):
            if hasattr(func, "items") and callback is not None and not is_suppressed(context.get_current()):
                engine = Engine(ENGINE)
                jobs = [engine.job_of(function) for function, _, _ in func.items]
                numbers: dict[Job, int] = {}
                for job in jobs:
                    numbers[job] = numbers.get(job, 0) + 1
                    job.submit()
                sent = _Sent(numbers)
                setattr(callback, _SENT, sent)
                vars(callback.parallel).setdefault(_OUTSTANDING, set()).add(sent)
                batch = _Batch(func, jobs, headers_of(), monotonic(), os.getpid(), setup_of_this_process(), sent)
                engine.watch_workers(backend, _workers)
        try:
            return original(backend, batch, callback)
        except BaseException as error:
            if sent is not None:
                sent.end(error_type_of(error))
            raise

    return submit


def _workers(backend: Any) -> int:
    pool, executor = getattr(backend, "_pool", None), getattr(backend, "_workers", None)
    if executor is not None:
        return len(getattr(executor, "_processes", None) or ())
    return 0 if pool is None else len(pool._pool)


def _counted_batch(original: Callable[..., Any]) -> Callable[..., Any]:
    def __call__(parallel: Any, iterable: Any) -> Any:  # noqa: N807 - takes its place
        recorded, engine = False, Engine(ENGINE)
        sized = hasattr(iterable, "__len__")
        with guard.shield("a batch"):
            recorded = not is_suppressed(context.get_current())
            if recorded:
                engine.batch(len(iterable) if sized else None)
        try:
            return original(parallel, iterable)
        finally:
            if recorded and not sized and not parallel.return_generator:
                engine.size(parallel.n_dispatched_tasks)

    return __call__


def _counted_sequence(original: Callable[..., Any]) -> Callable[..., Any]:
    def _get_sequential_output(parallel: Any, iterable: Iterable[Any]) -> Any:
        return original(parallel, iterable if is_suppressed(context.get_current()) else _in_sequence(iterable))

    return _get_sequential_output


def _in_sequence(iterable: Iterable[Any]) -> Iterator[Any]:
    engine = Engine(ENGINE)
    for function, args, kwargs in iterable:
        job = engine.job_of(function)
        job.submit()
        job.leave()
        yield _InSequence(job, function), args, kwargs


class _InSequence:
    """A user's function that joblib calls on the spot, because ``n_jobs`` is 1."""

    __slots__ = ("function", "job")

    def __init__(self, job: Job, function: Callable[..., Any]) -> None:
        self.job = job
        self.function = function

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        with self.job.start(0.0, start_span(self.job.name, self.job.attributes)):
            return self.function(*args, **kwargs)


def _counted_outcome(original: Callable[..., None]) -> Callable[..., None]:
    def _register_outcome(tracker: Any, outcome: dict[str, Any]) -> None:
        with guard.shield("the end of a batch"):
            sent = vars(tracker).pop(_SENT, None)
            if sent is not None:
                vars(tracker.parallel).get(_OUTSTANDING, set()).discard(sent)
                result = outcome["result"]
                kind = type(result).__name__ if isinstance(result, BaseException) else ""
                lost = kind in _LOST or (kind == "TimeoutError" and vars(tracker).get(_TIMING))
                sent.end(error_type_of(result) if lost else "")
        original(tracker, outcome)

    return _register_outcome


_TIMING = "_otelkit_timing"


def _noted_timeout(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_status(tracker: Any, timeout: Any) -> Any:
        # What is registered as TimeoutError in here is joblib's own, not one that a job has raised.
        vars(tracker)[_TIMING] = True
        try:
            return original(tracker, timeout)
        finally:
            vars(tracker)[_TIMING] = False

    return get_status


def _counted_end(original: Callable[..., None]) -> Callable[..., None]:
    def _terminate_and_reset(parallel: Any) -> None:
        with guard.shield("the end of a batch"):
            for sent in vars(parallel).pop(_OUTSTANDING, ()):
                sent.cancel()
        original(parallel)

    return _terminate_and_reset
