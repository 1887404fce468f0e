# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``ThreadPoolExecutor``: jobs that are submitted and run in one process.

To submit an empty function takes nine microseconds in all. So a job without a
span is recorded by the code in `_instrumented_submit` alone, written out as
`otelkit.decorators` writes its wrappers: three counts, two durations.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context

from otelkit._core._guard import guard
from otelkit.decorators._failures import failed
from otelkit.jobs import Engine, Job, is_suppressed, start_span
from otelkit.jobs.span import wanted
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch._futures import JOB, Mapped, instrumented_map
from otelkit_instrumentation.batch._names import Names

ENGINE = "concurrent.futures.thread"

Call = Callable[[], Any]
"""The function with its arguments."""


def patch(patches: Patches, module: Any) -> None:
    """Patch ``concurrent.futures.thread``."""
    engine = Engine(ENGINE)
    executor = module.ThreadPoolExecutor
    patches.wrap(executor, "submit", lambda original: _instrumented_submit(original, Names(engine)))
    patches.wrap(executor, "map", lambda original: instrumented_map(original, engine))
    patches.wrap(executor, "__init__", lambda original: _instrumented_init(original, engine))


def _instrumented_init(original: Callable[..., None], engine: Engine) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - takes its place
        original(self, *args, **kwargs)
        engine.watch_workers(self, _workers)

    return __init__


def _workers(executor: Any) -> int:
    return sum(thread.is_alive() for thread in list(executor._threads))


def _instrumented_submit(original: Callable[..., Any], names: Names) -> Callable[..., Any]:
    known = names.known
    current_context = context.get_current
    # Not `get_tracer_provider`: without one, that looks at the environment each time, for 0.9 µs.
    of_trace, no_such_name = vars(trace), True

    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        try:
            if type(fn) is Mapped:
                fn.jobs += 1
                fn = fn.function
            try:
                job = known[fn.__module__, fn.__qualname__]
            except (KeyError, AttributeError, TypeError):
                job = names.find(fn)
            parent = current_context()
            if job is None or (parent and is_suppressed(parent)):
                return original(self, fn, *args, **kwargs)
            if of_trace.get("_TRACER_PROVIDER", no_such_name) is not None and wanted(parent):
                call = _with_span(job, fn, args, kwargs, parent)
            else:
                call = _call(job, fn, args, kwargs)
                if parent:
                    call = _in_context(call, parent)
        except Exception as error:
            guard.failed("submitting a job", error)
            return original(self, fn, *args, **kwargs)
        future = original(self, call)
        next(job.cell.submitted)
        setattr(future, JOB, job)
        return future

    return submit


def _call(job: Job, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Return what is called in a thread in place of ``function``."""
    cell, queue = job.cell, job.queue
    submitted = perf_counter()

    def call() -> Any:
        done = False
        start = perf_counter()
        try:
            next(cell.left)
            queue.buffer.append(start - submitted)
            if not next(cell.tick) & 63:
                cell.flush()
                queue.flush()
            result = function(*args, **kwargs) if kwargs else function(*args)
            seconds = perf_counter() - start
            if seconds > cell.floor:
                seconds = cell.capture(seconds)
            done = True
            cell.buffer.append(seconds)
            return result
        except BaseException as error:
            if not done:
                target, seconds = failed(cell, error, perf_counter() - start)
                target.buffer.append(seconds)
            raise

    return call


def _in_context(call: Call, parent: Context) -> Call:
    """Return ``call`` in the submitter's context."""
    attach, detach = context.attach, context.detach

    def call_in_context() -> Any:
        token = attach(parent)
        try:
            return call()
        finally:
            detach(token)

    return call_in_context


def _with_span(
    job: Job, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], parent: Context
) -> Call:
    """Return what is called in place of ``function`` where it has a span."""
    submitted = perf_counter()

    def call() -> Any:
        job.leave()
        waited = perf_counter() - submitted
        with job.start(waited, start_span(job.name, job.attributes, parent)):
            return function(*args, **kwargs)

    return call
