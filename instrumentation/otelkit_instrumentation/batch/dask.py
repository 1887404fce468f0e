# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Dask: local schedulers (synchronous, threads, processes) and distributed.

A job is a task of a graph that calls a function; a batch is one graph
(compute, persist, get, Client.map). Names are the task's prefix (`key_split`).

Who counts what: with the local schedulers, the process that calls ``compute``
counts batches, jobs submitted, and those cancelled because another one failed;
the thread or process that runs a task counts the run. With distributed, the
scheduler counts everything (`otelkit_instrumentation.batch._dask_scheduler`)
and the worker makes the spans (`otelkit_instrumentation.batch._dask_worker`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from types import ModuleType
from typing import Any

from opentelemetry import context
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otelkit._core._guard import guard
from otelkit.decorators._failures import error_type_of
from otelkit.jobs import Setup, headers_of, is_suppressed, parent_of, setup_of_this_process, start_span
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches, original_of
from otelkit_instrumentation.batch import _dask_worker
from otelkit_instrumentation.batch._dask_scheduler import _NOT_JOBS, ENGINE, observe_scheduler

__all__ = ("DaskInstrumentor",)

_PACK_EXCEPTION = 5
"""Where ``execute_task`` has its function that packs an exception; before it come key, task, dumps, loads, get_id."""

_calls = threading.local()
"""The call that this thread has begun and whose tasks are not known yet."""


class _Call:
    """One call of a local scheduler: its jobs that have not been sent anywhere yet."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.parent = context.get_current()
        self.submitted_at = time.time()
        self._pending: dict[Any, Any] = {}

    def begin(self, state: dict[str, Any], graph: Any) -> None:
        """The scheduler knows which tasks there are."""
        tasks = [*state["waiting"], *state["ready"]]
        self._pending = {key: ENGINE.job(_name_of(key)) for key in tasks if _is_job(graph.get(key))}
        ENGINE.batch(len(self._pending))
        ENGINE.watch_workers(self, lambda call: call.workers)
        for job in self._pending.values():
            job.submit()

    def submit(self, submit: Callable[..., Any]) -> Callable[..., Any]:
        """Return the executor's ``submit``, for tasks that are to run as jobs."""

        def observed(execute: Any, tasks: Any) -> Any:
            chunk: Any = execute
            with guard.shield("dask"):
                jobs = {task[0]: job for task in tasks if (job := self._pending.pop(task[0], None)) is not None}
                for job in jobs.values():
                    job.leave()
                chunk = _Chunk(execute, jobs, self.parent, self.submitted_at)
            with suppress_instrumentation():  # the executor is no second engine
                future = submit(chunk, tasks)
            future.add_done_callback(lambda ended: _mourn(ended, chunk))
            return future

        return observed

    def end(self) -> None:
        """It has returned, or raised what a task raised: then the others will never run."""
        ENGINE.unwatch_workers(self)
        for job in self._pending.values():
            job.cancel()


class _Chunk:
    """
    Runs tasks of a graph as jobs, in a thread or in a process. Pickles, context and all.

    Args:
        execute: Dask's own function for several tasks.
        jobs: By key; what has none is no call of a function.
        parent: The context of whoever wants the result.
        submitted_at: Unix time.
    """

    def __init__(self, execute: Any, jobs: dict[Any, Any], parent: Any, submitted_at: float) -> None:
        self.jobs = jobs
        self._execute = execute
        self._parent = parent
        self._submitted_at = submitted_at

    def __reduce__(self) -> tuple[Any, ...]:
        carried = (headers_of(self._parent), setup_of_this_process())
        return _in_process, (self._execute, self.jobs, self._submitted_at, *carried)

    def __call__(self, tasks: Any) -> list[Any]:
        return [result for task in tasks for result in self._run(task)]

    def _run(self, task: Any) -> Any:
        job = self.jobs.get(task[0])
        if job is None:
            return self._execute([task])
        span = start_span(job.name, job.attributes, self._parent)
        run = job.start(time.time() - self._submitted_at, span)
        pack = task[_PACK_EXCEPTION]

        def pack_exception(error: BaseException, dumps: Any) -> Any:
            run.fail(error)
            return pack(error, dumps)

        with run:
            return self._execute([(*task[:_PACK_EXCEPTION], pack_exception, *task[_PACK_EXCEPTION + 1 :])])


def _in_process(execute: Any, jobs: dict[Any, Any], submitted_at: float, headers: Any, setup: Setup | None) -> _Chunk:
    """Return a chunk in the process that is to run it, which reports as the submitter does."""
    if setup is not None:
        setup.apply()
    return _Chunk(execute, jobs, parent_of(headers), submitted_at)


def _mourn(future: Any, chunk: Any) -> None:
    """Count the jobs of a chunk whose process died with them."""
    with guard.shield("dask"):
        error = None if future.cancelled() else future.exception()
        if isinstance(error, BrokenExecutor):
            for job in chunk.jobs.values():
                job.lose(error_type_of(error))


def _is_job(node: Any) -> bool:
    return type(node).__name__ not in _NOT_JOBS


def _name_of(key: Any) -> str:
    return sys.modules["dask.utils"].key_split(key)


class DaskInstrumentor(Instrumentor):
    """Dask's local schedulers, and the clients, schedulers and workers of distributed."""

    title = "Dask"
    requires = ("dask >= 2025.1",)
    signals = "graphs and their tasks; a span per run; retries, cancelled futures and lost workers of distributed"

    def patch(self, patches: Patches, **options: Any) -> None:
        """Wrap the one function of all local schedulers; add plugins to distributed's processes."""
        for name in ("dask.local", "dask.threaded", "dask.multiprocessing"):
            patches.when_imported(name, lambda module: _patch_get_async(patches, module))
        patches.when_imported("distributed.scheduler", lambda module: _patch_scheduler(patches, module))
        patches.when_imported("distributed.client", lambda module: _dask_worker.patch_client(patches, module))
        patches.when_imported("distributed.worker", lambda module: _dask_worker.patch_worker(patches, module))


def _patch_get_async(patches: Patches, module: ModuleType) -> None:
    # Imported from dask.local after that was patched, it has our wrapper, which is not what is to come back.
    module.get_async = original_of(module.get_async)  # type: ignore[attr-defined]
    patches.wrap(module, "get_async", _get_async)
    if module.__name__ == "dask.local":
        patches.wrap(module, "start_state_from_dask", _start_state)


def _get_async(get_async: Callable[..., Any]) -> Callable[..., Any]:
    def observed(submit: Any, num_workers: Any, dsk: Any, result: Any, *args: Any, **kwargs: Any) -> Any:
        if is_suppressed(context.get_current()):
            return get_async(submit, num_workers, dsk, result, *args, **kwargs)
        call = _calls.begun = _Call(num_workers)
        try:
            return get_async(call.submit(submit), num_workers, dsk, result, *args, **kwargs)
        finally:
            _calls.begun = None
            with guard.shield("dask"):
                call.end()

    return observed


def _start_state(start_state: Callable[..., Any]) -> Callable[..., Any]:
    """
    Around what `get_async` calls once, in the same thread, to find out which tasks there are.

    Dask's callbacks would say it too, but they are one set for all threads, and off where the program gives its own.
    """

    def observed(graph: Any, *args: Any, **kwargs: Any) -> Any:
        state = start_state(graph, *args, **kwargs)
        call, _calls.begun = getattr(_calls, "begun", None), None
        if call is not None:
            with guard.shield("dask"):
                call.begin(state, graph)
        return state

    return observed


def _patch_scheduler(patches: Patches, module: ModuleType) -> None:
    def init(original: Callable[..., Any]) -> Callable[..., Any]:
        def observed(scheduler: Any, *args: Any, **kwargs: Any) -> None:
            original(scheduler, *args, **kwargs)
            with guard.shield("dask's scheduler"):
                observe_scheduler(scheduler, lambda: patches.active)

        return observed

    patches.wrap(module.Scheduler, "__init__", init)
