# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Dask's distributed client and workers: the context that a graph carries, and the span of each run.

A client makes sure that scheduler and workers are observed, by plugins that
also configure those processes as its own is, unless they are configured
already. Both load otelkit only where it is installed: a worker without it works
on, unobserved.
"""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

from opentelemetry import context
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit._core._guard import guard
from otelkit.jobs import JobSpan, flush_worker, headers_of, is_suppressed, parent_of, setup_of_this_process, start_span
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch._dask_scheduler import _NOT_JOBS, ANNOTATION, BATCH, ENGINE, NAME, observe_scheduler

START = "otelkit-start"
"""Name of the plugin that has the scheduler observed."""

_single = threading.local()
"""Set while ``Client.submit`` runs in this thread: one job is no batch."""


# -- the client ---------------------------------------------------------------------


def patch_client(patches: Patches, client: ModuleType) -> None:
    """Observe clients, also those that are connected already."""
    patches.wrap(client.Client, "_graph_to_futures", _graph_to_futures)
    patches.wrap(client.Client, "submit", _submit)
    patches.wrap(client.Client, "_start", _start)
    for known in list(client.Client._instances):
        with guard.shield("dask's client"):
            if known.status == "running":
                known.loop.add_callback(_reach_out, known)
    patches.on_restore(lambda: _withdraw_all(client))


def _submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    def observed(client: Any, *args: Any, **kwargs: Any) -> Any:
        before = getattr(_single, "on", False)
        _single.on = True
        try:
            return submit(client, *args, **kwargs)
        finally:
            _single.on = before

    return observed


def _graph_to_futures(graph_to_futures: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``Client._graph_to_futures``, which all ways of computing come to."""

    def observed(client: Any, *args: Any, **kwargs: Any) -> Any:
        note: dict[str, Any] = {}
        with guard.shield("dask's client"):
            if not is_suppressed(context.get_current()):
                note = headers_of()
                if not getattr(_single, "on", False):
                    note[BATCH] = True
        if not note:
            return graph_to_futures(client, *args, **kwargs)
        dask: Any = sys.modules["dask"]
        with dask.annotate(**{ANNOTATION: note}):
            return graph_to_futures(client, *args, **kwargs)

    return observed


def _start(start: Callable[..., Any]) -> Callable[..., Any]:
    async def observed(client: Any, *args: Any, **kwargs: Any) -> Any:
        result = await start(client, *args, **kwargs)
        await _reach_out(client)
        return result

    return observed


async def _reach_out(client: Any) -> None:
    """Have the cluster observed, wherever it is; without that, the program goes on."""
    with guard.shield("dask's client"):
        if client.status != "running" or _in_worker():
            return
        setup = setup_of_this_process()
        payload = pickle.dumps(setup)
        scheduler, worker = _plugins(payload)
        await client._register_scheduler_plugin(scheduler, scheduler.name, True)
        await client._register_worker_plugin(worker, worker.name, True)


def _withdraw_all(client: ModuleType) -> None:
    for known in list(client.Client._instances):
        with guard.shield("dask's client"):
            if known.status == "running":
                known.loop.add_callback(_withdraw, known)


async def _withdraw(client: Any) -> None:
    """Have scheduler and workers observed no more."""
    with guard.shield("dask's client"):
        if client.status == "running" and not _in_worker():
            for name in (START, NAME):
                with suppress(ValueError):  # the second is not there where otelkit is not
                    await client.scheduler.unregister_scheduler_plugin(name=name)
            await client._unregister_worker_plugin(NAME)


def _in_worker() -> bool:
    try:
        sys.modules["distributed.worker"].get_worker()
    except ValueError:
        return False
    return True


def _plugins(payload: bytes) -> tuple[Any, Any]:
    """Return plugins for scheduler and workers: local classes travel by value, to where otelkit may be absent."""
    plugin: Any = import_module("distributed.diagnostics.plugin")

    class Scheduler(plugin.SchedulerPlugin):
        name = START
        idempotent = True

        async def start(self, scheduler: Any) -> None:
            try:
                from otelkit_instrumentation.batch import _dask_worker
            except ImportError:
                return
            _dask_worker.begin_in_scheduler(payload, scheduler)

    class Worker(plugin.WorkerPlugin):
        name = NAME
        idempotent = True
        instrumentor: Any = None

        def setup(self, worker: Any) -> None:
            try:
                from otelkit_instrumentation.batch import _dask_worker
            except ImportError:
                return
            self.instrumentor = _dask_worker.begin_in_worker(payload)

        def teardown(self, worker: Any) -> None:
            try:
                from otelkit_instrumentation.batch import _dask_worker
            except ImportError:
                return
            _dask_worker.end_in_worker(self.instrumentor)

    return Scheduler(), Worker()


# -- in the scheduler, and in a worker ---------------------------------------------------


def begin_in_scheduler(payload: bytes, scheduler: Any) -> None:
    """Configure the scheduler's process as the client's is, and observe it."""
    with guard.shield("dask's scheduler"):
        _apply(payload)
        observe_scheduler(scheduler)


def begin_in_worker(payload: bytes) -> Any:
    """Configure a worker's process as the client's is, and instrument it; return what `end_in_worker` is to undo."""
    with guard.shield("dask's worker"):
        from otelkit_instrumentation.batch.dask import DaskInstrumentor

        _apply(payload)
        instrumentor = DaskInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=True)
            return instrumentor
    return None


def end_in_worker(instrumentor: Any) -> None:
    """Deliver what there is; a worker that is being closed may be killed before it ends by itself."""
    from multiprocessing import parent_process

    if instrumentor is not None:
        instrumentor.uninstrument()
    if parent_process() is not None:
        flush_worker()


def _apply(payload: bytes) -> None:
    setup = pickle.loads(payload)  # noqa: S301 - from the program's own client, over Dask's own wire
    if setup is not None:
        setup.apply()


def patch_worker(patches: Patches, worker: ModuleType) -> None:
    """Make a span of each run."""
    patches.wrap(worker, "_run_task", _run_task)
    patches.wrap(worker, "_run_task_async", _run_task_async)
    patches.wrap(worker, "run_in_executor_with_context", _run_in_executor)


def _run_in_executor(run: Callable[..., Any]) -> Callable[..., Any]:
    async def observed(*args: Any, **kwargs: Any) -> Any:
        with suppress_instrumentation():  # a worker's threads are no second engine
            coroutine = run(*args, **kwargs)
            return await coroutine

    return observed


def _run_task(run: Callable[..., Any]) -> Callable[..., Any]:
    def observed(task: Any, data: Any, execution_state: Any, key: Any, *args: Any, **kwargs: Any) -> Any:
        span = _span_of(task, execution_state["worker"], key)
        return _ended(span, lambda: run(task, data, execution_state, key, *args, **kwargs))

    return observed


def _run_task_async(run: Callable[..., Any]) -> Callable[..., Any]:
    async def observed(task: Any, *args: Any, **kwargs: Any) -> Any:
        worker: Any = sys.modules["distributed.worker"]
        span = _span_of(task, worker._worker_cvar.get(), task.key)
        try:
            outcome = await run(task, *args, **kwargs)
        except BaseException as error:
            span.fail(error)
            raise
        else:
            _judge(span, outcome)
            return outcome
        finally:
            span.end()

    return observed


def _ended(span: JobSpan, run: Callable[[], Any]) -> Any:
    with span:
        outcome = run()
        _judge(span, outcome)
        return outcome


def _judge(span: JobSpan, outcome: Any) -> None:
    """Mark the span of a run that failed; Dask gives the exception in a message."""
    with guard.shield("dask's worker"):
        if outcome.get("op") == "task-erred":
            span.fail(outcome["actual_exception"])


def _span_of(task: Any, worker: Any, key: Any) -> JobSpan:
    """Start the span of a run, as the child of what submitted it; none for what calls no function."""
    with guard.shield("dask's worker"):
        if type(task).__name__ not in _NOT_JOBS:
            state = worker.state.tasks.get(key)
            note = (state.annotations if state is not None else None) or {}
            job = ENGINE.job(_name_of(key))
            return start_span(job.name, job.attributes, parent_of(note.get(ANNOTATION)))
    return JobSpan(None, None)


def _name_of(key: Any) -> str:
    return sys.modules["dask.utils"].key_split(key)
