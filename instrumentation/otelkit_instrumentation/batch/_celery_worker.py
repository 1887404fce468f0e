# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A Celery worker's main process: what becomes of the tasks that it receives.

The main process hears of every task's start and end, whichever pool it has and
however a pool process ends, and it outlives all of them. So it counts, and
nothing is lost with a pool process that is killed. The span of a run is made
where the task runs (`otelkit_instrumentation.batch.celery`), but for one whose
process died.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime
from threading import local
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind

from otelkit._core._guard import guard
from otelkit.jobs import Engine, Job, Run, parent_of, start_span

ENGINE = Engine("celery")
SUBMITTED_AT = "otelkit_submitted_at"
"""Header: Unix time of submission."""
ERROR_TYPE = "_otelkit_error_type"
"""On an exception that stands for one that cannot be pickled."""

_now = local()
"""The request whose failure this thread is being told of, and what Celery made of it."""


class Progress:
    """
    One request on its way through a worker. Lives as long as the request; each step counts at most once.

    The pool tells of a task that ran into its time limit twice, of one that was revoked while it ran perhaps later
    still, and of one whose process died before it was accepted only that it failed.
    """

    __slots__ = ("_ended", "_mourned", "_pending", "_run", "_started_ns", "job")

    def __init__(self, job: Job) -> None:
        self.job = job
        self._pending = True
        self._ended = False
        self._run: Run | None = None
        self._started_ns = 0
        self._mourned = False
        job.receive()

    def __del__(self) -> None:
        # The broker took it back: the connection was lost, or the worker ended.
        self._leave()

    def _leave(self) -> None:
        if self._pending:
            self._pending = False
            self.job.leave()

    def accept(self, request: Any, accepted_at: float) -> None:
        """It has started, at ``accepted_at`` of the monotonic clock, in a process of this machine."""
        if self._run is not None or self._ended:
            return
        ago = max(0.0, time.monotonic() - accepted_at)
        now = time.time()
        self._started_ns = int((now - ago) * 1e9)
        self._leave()
        self._run = self.job.start(_queued_s(request, now - ago))
        self._run.backdate(ago)

    def succeed(self, seconds: float | None) -> None:
        """It has ended well, after so many seconds."""
        run = self._end()
        if run is not None:
            if seconds is not None:
                run.backdate(seconds)
            run.succeed()

    def retry(self, error: BaseException | None) -> None:
        """It has ended, to be run again."""
        run = self._end()
        if run is not None:
            run.retry(error)

    def fail(self, error: BaseException) -> None:
        """It has failed; if it never started, with the process that it was meant for."""
        ended = self._ended
        run = self._end()
        kind = _type_of(error)
        if run is None:
            if not ended:
                self._leave()
                self.job.lose(kind or type(error).__name__)
        elif kind is not None:
            run.fail_as(kind)
        else:
            run.fail(error)

    def cancel(self) -> None:
        """It was revoked, before or while it ran."""
        ended = self._ended
        run = self._end()
        if run is not None:
            run.cancel()
        elif not ended and self._pending:
            self._pending = False
            self.job.cancel()

    def mourn(self, request: Any, error: BaseException) -> None:
        """Make the span of a run whose process died with it."""
        if not self._started_ns or self._mourned:
            return
        self._mourned = True
        parent = parent_of(request.request_dict)
        attributes = self.job.attributes
        span = start_span(self.job.name, attributes, parent, SpanKind.CONSUMER, self._started_ns)
        span.mark_failed(f"{type(error).__name__}: {error}")
        span.end()

    def _end(self) -> Run | None:
        if self._ended:
            return None
        self._ended = True
        return self._run


_progress: WeakKeyDictionary[Any, Progress] = WeakKeyDictionary()


def progress_of(request: Any) -> Progress:
    """Return how far ``request`` is; from its first mention, it is pending."""
    known = _progress.get(request)
    if known is None:
        known = _progress[request] = Progress(ENGINE.job(request.type))
    return known


def _queued_s(request: Any, started_at: float) -> float | None:
    """Return how long it waited: from when it was sent, or was meant to start at the earliest."""
    submitted_at = request.request_dict.get(SUBMITTED_AT)
    if not isinstance(submitted_at, (int, float)):
        return None
    eta = request.eta
    if isinstance(eta, datetime):
        submitted_at = max(submitted_at, eta.timestamp())
    return started_at - submitted_at


def _type_of(error: BaseException) -> str | None:
    """Return the type of the exception that ``error`` stands for; None if that is itself."""
    kind = getattr(error, ERROR_TYPE, None)
    if kind is None and type(error).__name__ == "UnpickleableExceptionWrapper":
        kind = f"{error.exc_module}.{error.exc_cls_name}"  # type: ignore[attr-defined]
    return kind


def _unwrapped(error: Any) -> BaseException:
    """Return the exception of an ExceptionInfo of billiard's."""
    error = getattr(error, "exception", error)
    return error.exc if type(error).__name__ == "ExceptionWithTraceback" else error


# -- what is patched --------------------------------------------------------------


def apply_async(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``BasePool.apply_async``: listen to what the pool tells of a request."""

    def observed(pool: Any, *args: Any, **kwargs: Any) -> Any:
        request = getattr(kwargs.get("accept_callback"), "__self__", None)
        with guard.shield("celery"):
            if hasattr(request, "request_dict"):
                kwargs |= _listening(request, progress_of(request), kwargs)
        with suppress_instrumentation():  # a pool of threads is no second engine
            return apply(pool, *args, **kwargs)

    return observed


def announce_revoked(announce: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``Request._announce_revoked``."""

    def observed(request: Any, *args: Any, **kwargs: Any) -> Any:
        result = announce(request, *args, **kwargs)
        with guard.shield("celery"):
            progress_of(request).cancel()
        return result

    return observed


def received(request: Any = None, **_: object) -> None:
    """On ``task_received``: it is pending."""
    with guard.shield("celery"):
        progress_of(request)


def failed(task_id: str = "", **_: object) -> None:
    """On ``task_failure``, which also the main process sends."""
    if getattr(_now, "task_id", None) == task_id:
        _now.outcome = "failed"


def retried(request: Any = None, **_: object) -> None:
    """On ``task_retry``, which also the main process sends."""
    if getattr(_now, "task_id", None) == getattr(request, "id", ""):
        _now.outcome = "retried"


def worker_ready(sender: Any = None, **_: object) -> None:
    """On ``worker_ready``: its pool has workers."""
    with guard.shield("celery"):
        ENGINE.watch_workers(sender.pool, _processes)


def _processes(pool: Any) -> int:
    try:
        return pool.num_processes
    except AttributeError:  # a prefork pool that has stopped
        return 0


def is_pool_process() -> bool:
    """Tell whether this is a process of a prefork pool; what happens to such a one, its parent tells."""
    process: Any = sys.modules.get("billiard.process")
    return process is not None and process.current_process()._parent_pid is not None


def _listening(request: Any, progress: Progress, callbacks: dict[str, Any]) -> dict[str, Any]:
    """Return a request's callbacks, with ours behind them."""
    return {
        "accept_callback": _after(callbacks["accept_callback"], lambda _, at: progress.accept(request, at)),
        "callback": _after(callbacks.get("callback"), lambda outcome, *_: _returned(progress, outcome)),
        "error_callback": _around_failure(callbacks.get("error_callback"), request, progress),
    }


def _after(callback: Any, observe: Any) -> Any:
    """Return ``callback``, observed; the pool's own comes first."""

    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs) if callback is not None else None
        finally:
            with guard.shield("celery"):
                observe(*args)

    return called


def _returned(progress: Progress, outcome: Any) -> None:
    """A task has ended, and its process could say how."""
    has_failed, value, seconds = outcome
    if not has_failed:
        progress.succeed(seconds)
        return
    error: Any = _unwrapped(value)
    exceptions: Any = sys.modules["celery.exceptions"]
    if isinstance(error, exceptions.Retry):
        progress.retry(error.exc if isinstance(error.exc, BaseException) else None)
    elif isinstance(error, exceptions.Reject) and error.requeue:
        progress.retry(error)
    elif isinstance(error, exceptions.Ignore):
        progress.succeed(None)
    else:
        progress.fail(error)


def _around_failure(callback: Any, request: Any, progress: Progress) -> Any:
    """Return the callback for tasks that could not end; the signals that Celery sends say what it makes of them."""

    def called(failure: Any, *args: Any, **kwargs: Any) -> Any:
        _now.task_id, _now.outcome = request.id, None
        try:
            return callback(failure, *args, **kwargs)
        finally:
            outcome = _now.outcome
            _now.task_id = _now.outcome = None
            with guard.shield("celery"):
                _could_not_end(request, progress, _unwrapped(failure), outcome)

    return called


def _could_not_end(request: Any, progress: Progress, error: BaseException, outcome: str | None) -> None:
    """Its process has died, of a signal, the time limit or ``sys.exit``, or is about to."""
    progress.mourn(request, error)
    if type(error).__name__ == "Terminated":
        progress.cancel()
    elif outcome == "retried":
        progress.retry(error)
    elif outcome == "failed" or type(error).__name__ == "TimeLimitExceeded":
        progress.fail(error)
    elif request.task.acks_late and request.task.reject_on_worker_lost:
        progress.retry(error)  # back to the broker
    else:
        progress.succeed(None)  # that was stored before the process died
