# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Celery: tasks, groups and chords, on any broker and any pool.

Who counts what: the process that publishes a task counts it as submitted, and
a group, chord or chunks as a batch. The worker's main process counts
everything else (`otelkit_instrumentation.batch._celery_worker`). The span of a
run is made where the task runs, as the child of what published it; retries are
children of the same, the next of a chain is the child of the one before. Tasks
that run eagerly are counted where they run.

A worker is a program of its own, with a configuration of its own: configure
otelkit where the Celery application is defined, or start the worker under
``otelkit run``. What is configured in ``worker_process_init`` alone leaves the
main process, which counts, without exporters.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from opentelemetry import context
from opentelemetry.trace import SpanKind

from otelkit._core._guard import guard
from otelkit.decorators._failures import error_type_of
from otelkit.jobs import JobSpan, Run, headers_of, is_suppressed, parent_of, start_span
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch import _celery_worker as worker
from otelkit_instrumentation.batch._celery_worker import ENGINE, ERROR_TYPE, SUBMITTED_AT

__all__ = ("CeleryInstrumentor",)

_ATTRIBUTE = "_otelkit_span"
"""On a task's request while it runs."""


# -- the process that publishes -----------------------------------------------------


def _before_publish(headers: Any = None, body: Any = None, **_: object) -> None:
    """Send the context along; a retry has it already."""
    with guard.shield("celery"):
        if not isinstance(headers, dict) or is_suppressed(context.get_current()):
            return
        headers[SUBMITTED_AT] = time.time()
        if not _retries(headers, body):
            headers.update(headers_of())


def _after_publish(sender: Any = None, headers: Any = None, body: Any = None, **_: object) -> None:
    """Count it as submitted. Whether it is pending, only a worker can tell."""
    with guard.shield("celery"):
        if _retries(headers, body) or is_suppressed(context.get_current()):
            return
        ENGINE.job(str(sender)).send()


def _retries(headers: Any, body: Any) -> int:
    """Return how often a message's task was tried; protocol 1 says it in the body."""
    found = (headers or {}).get("retries")
    return found if found is not None else body.get("retries", 0) if isinstance(body, dict) else 0


def _batch(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``group.apply_async``, which chords and chunks come to as well, and ``group.apply``."""

    def counted(group: Any, *args: Any, **kwargs: Any) -> Any:
        with guard.shield("celery"):
            tasks = getattr(group, "tasks", ())
            if not is_suppressed(context.get_current()) and not _is_eager(group, apply):
                ENGINE.batch(len(tasks) if hasattr(tasks, "__len__") else None)
        return apply(group, *args, **kwargs)

    return counted


def _is_eager(group: Any, apply: Callable[..., Any]) -> bool:
    """Tell whether ``apply`` is about to hand ``group`` on to its other way, which counts it."""
    return apply.__name__ == "apply_async" and bool(group.app.conf.task_always_eager)


# -- the process that runs ------------------------------------------------------------


class _Running:
    """A task that runs here: its span and, if it is eager, its run."""

    __slots__ = ("run", "span")

    def __init__(self, task: Any, request: Any) -> None:
        self.run: Run | None = None
        job = ENGINE.job(task.name)
        if request.is_eager:
            if not request.retries:
                job.send()
            self.span = start_span(job.name, job.attributes)
            self.run = job.start(0.0)
        else:
            self.span: JobSpan = start_span(job.name, job.attributes, parent_of(request.headers), SpanKind.CONSUMER)

    def end(self, state: str | None, value: Any) -> None:
        """End it, by what Celery says; nothing, if the process is being made to exit."""
        if state is None and isinstance(value, (SystemExit, KeyboardInterrupt)) and worker.is_pool_process():
            return  # in all likelihood killed before anything can be delivered: the main process makes the span
        if state in ("FAILURE", None) and isinstance(value, BaseException):
            self.span.fail(value)
        if self.run is not None:
            if state == "RETRY":
                self.run.retry(getattr(value, "exc", None))
            elif isinstance(value, BaseException) and state in ("FAILURE", "REJECTED", None):
                self.run.fail(value)
            else:
                self.run.succeed()
        self.span.end()


def _before_run(task: Any = None, **_: object) -> None:
    with guard.shield("celery"):
        request = task.request
        if not (request.is_eager and is_suppressed(context.get_current())):
            setattr(request, _ATTRIBUTE, _Running(task, request))


def _after_run(task: Any = None, state: str | None = None, retval: Any = None, **_: object) -> None:
    with guard.shield("celery"):
        running = task.request.__dict__.pop(_ATTRIBUTE, None)
        if running is not None:
            # What Celery lets through, with task_eager_propagates or because it ends the process, has no state.
            running.end(state, sys.exc_info()[1] if state is None else retval)


def _name_failure(exception: Any = None, **_: object) -> None:
    """Have an exception that takes the place of one that cannot be pickled say which one that was."""
    with guard.shield("celery"):
        original = sys.exc_info()[1]
        if isinstance(exception, BaseException) and original is not None and type(original) is not type(exception):
            setattr(exception, ERROR_TYPE, error_type_of(original))


# -- the instrumentor -------------------------------------------------------------------


class CeleryInstrumentor(Instrumentor):
    """Celery's tasks, where they are published and where they run."""

    title = "Celery"
    requires = ("celery >= 5.4",)
    signals = "jobs, groups and chords; a span per run, retry and lost worker; queue time from message headers"

    def patch(self, patches: Patches, **options: Any) -> None:
        """Listen to Celery's signals, in whatever process they are sent; wrap what has none."""

        def connect(signals: ModuleType) -> None:
            for name, receiver in _RECEIVERS:
                signal = getattr(signals, name)
                signal.connect(receiver, weak=False)
                patches.on_restore(lambda signal=signal, receiver=receiver: signal.disconnect(receiver))

        def count_batches(canvas: ModuleType) -> None:
            patches.wrap(canvas.group, "apply_async", _batch)
            patches.wrap(canvas.group, "apply", _batch)

        patches.when_imported("celery.signals", connect)
        patches.when_imported("celery.canvas", count_batches)
        patches.when_imported(
            "celery.concurrency.base", lambda pool: patches.wrap(pool.BasePool, "apply_async", worker.apply_async)
        )
        patches.when_imported(
            "celery.worker.request",
            lambda module: patches.wrap(module.Request, "_announce_revoked", worker.announce_revoked),
        )


_RECEIVERS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("before_task_publish", _before_publish),
    ("after_task_publish", _after_publish),
    ("task_prerun", _before_run),
    ("task_postrun", _after_run),
    ("task_failure", _name_failure),
    ("task_failure", worker.failed),
    ("task_retry", worker.retried),
    ("task_received", worker.received),
    ("worker_ready", worker.worker_ready),
)
