# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``ThreadPoolExecutor``: jobs that are submitted and run in one process.

To submit an empty function takes nine microseconds in all. So a job without a
span is recorded by `_instrumented_submit` and `_run` alone, written out as
`otelkit.decorators` writes its wrappers: three counts, two durations.

A job has a span where it is submitted within a trace. By itself it begins
none: libraries use threads for what is no work of the program's (to load one
transformers model makes a hundred jobs), and asyncio for every blocking call.
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
        job, parent, with_span = None, None, False
        try:
            if type(fn) is Mapped:
                fn.jobs += 1
                fn = fn.function
            try:
                job = known[fn.__module__, fn.__qualname__]
            except (KeyError, AttributeError, TypeError):
                job = names.find(fn)
            parent = current_context()
            if parent and is_suppressed(parent):
                job = None
            if parent and of_trace.get("_TRACER_PROVIDER", no_such_name) is not None:
                with_span = wanted(parent, root=False)
        except Exception as error:
            guard.failed("submitting a job", error)
        if job is None:
            return original(self, fn, *args, **kwargs)
        # As arguments: an object of ours for each job would double what the garbage collector has to do.
        if with_span:
            future = original(self, _run_with_span, job, perf_counter(), parent, fn, *args, **kwargs)
        else:
            future = original(self, _run, job, perf_counter(), parent, fn, *args, **kwargs)
        next(job.cell.submitted)
        setattr(future, JOB, job)
        return future

    return submit


def _run(job: Job, submitted: float, parent: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` in a thread, in the submitter's context."""
    cell = job.cell
    token = context.attach(parent) if parent else None
    done = False
    start = perf_counter()
    try:
        next(cell.left)
        job.queue.buffer.append(start - submitted)
        if not next(cell.tick) & 63:
            cell.flush()
            job.queue.flush()
        result = function(*args, **kwargs)
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
    finally:
        if token is not None:
            context.detach(token)


def _run_with_span(job: Job, submitted: float, parent: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call ``function`` in a span that is a child of the submitter's."""
    job.leave()
    waited = perf_counter() - submitted
    with job.start(waited, start_span(job.name, job.attributes, parent)):
        return function(*args, **kwargs)
