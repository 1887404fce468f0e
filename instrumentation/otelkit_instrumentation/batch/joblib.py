# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
joblib: ``Parallel`` on processes (loky, multiprocessing), on threads, or in sequence; scikit-learn's ``n_jobs``, too.

joblib's own backends only: what it hands to Dask or Ray, these count. A call
that fails ends the whole ``Parallel``: loky then kills its workers, which lose
what they had not yet delivered; the one that failed delivers before it says so.
"""

from __future__ import annotations

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
    """A user's function in a batch; counts its runs."""

    __slots__ = ("batch", "function", "job")

    def __init__(self, batch: _Batch, job: Job, function: Callable[..., Any]) -> None:
        self.batch = batch
        self.job = job
        self.function = function

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        self.batch.begun += 1
        self.job.queue.observe(monotonic() - self.batch.submitted)
        return self.job.call(self.function, *args, **kwargs)


class _Batch:
    """What goes to a worker in place of joblib's ``BatchedCalls``."""

    def __init__(
        self,
        calls: Any,
        jobs: list[Job],
        headers: dict[str, str],
        submitted: float,
        setup: Setup | None,
        sent: _Sent | None = None,
    ) -> None:
        self.calls = calls
        self.jobs = jobs
        self.headers = headers
        self.submitted = submitted
        self.setup = setup
        self.sent = sent
        self.begun = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _Batch, (self.calls, self.jobs, self.headers, self.submitted, self.setup)

    def __len__(self) -> int:
        return len(self.jobs)

    def __call__(self) -> list[Any]:
        if self.sent is not None:
            self.sent.started = True
        elsewhere = self.setup is not None and self.setup.is_elsewhere()
        if elsewhere:
            self.setup.apply()  # type: ignore[union-attr]
        first = self.jobs[0]
        try:
            with start_span(
                first.name, {**first.attributes, semconv.CHUNK_SIZE: len(self.jobs)}, parent_of(self.headers)
            ):
                self.calls.items = [
                    (_Call(self, job, function), args, kwargs)
                    for job, (function, args, kwargs) in zip(self.jobs, self.calls.items, strict=True)
                ]
                return self.calls()
        except BaseException:
            with guard.shield("a batch that failed"):
                for job in self.jobs[self.begun :]:
                    job.skip()
            if elsewhere:
                flush_worker()  # joblib is about to kill it
            raise


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
                batch = _Batch(func, jobs, headers_of(), monotonic(), setup_of_this_process(), sent)
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
