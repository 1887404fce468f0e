# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``multiprocessing.Pool`` and ``multiprocessing.pool.ThreadPool``.

A pool does not notice that a worker died in mid-job: its caller waits for ever,
and so the job stays pending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from opentelemetry import context

from otelkit._core._guard import guard
from otelkit.decorators._failures import error_type_of
from otelkit.jobs import Engine, Job, headers_of, is_suppressed
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch._names import Names
from otelkit_instrumentation.batch._payload import Chunk, Initializer, Task

__all__ = ("MultiprocessingInstrumentor",)

_SENT = "_otelkit_sent"
"""Attribute of a pool's result: what was sent for it."""


class MultiprocessingInstrumentor(Instrumentor):
    """Jobs of pools of processes and of threads."""

    title = "multiprocessing"
    signals = "batches of map; jobs: status, queue time, duration, errors, pending; workers; spans of chunks"

    def patch(self, patches: Patches, **options: Any) -> None:
        """Patch pools when the program imports them."""
        patches.when_imported("multiprocessing.pool", lambda module: _Pools(module).patch(patches))


class _Sent:
    """
    What was sent for one result: how many jobs at which index.

    The pool's threads may hear of an end before the submitter has noted what it sent. Every step is one operation on a
    dictionary: whoever takes a note away acts upon it.
    """

    __slots__ = ("_ended", "_tasks")

    def __init__(self) -> None:
        self._tasks: dict[int, tuple[Task, int]] = {}
        self._ended: dict[int, BaseException | None] = {}

    def add(self, task: Task, index: int, jobs: int) -> None:
        """Count jobs as submitted."""
        task.job.submit(jobs)
        self._tasks[index] = (task, jobs)
        if index in self._ended:
            self._end(index)

    def end(self, index: int, unsent: BaseException | None) -> None:
        """Note that the jobs of ``index`` are over; ``unsent``: why they never reached a worker."""
        self._ended[index] = unsent
        if index in self._tasks:
            self._end(index)

    def _end(self, index: int) -> None:
        task, jobs = self._tasks.pop(index, (None, 0))
        unsent = self._ended.pop(index, None)
        if task is not None and not task.started:
            task.job.leave(jobs)
            if unsent is not None:
                task.job.lose(error_type_of(unsent), jobs)

    def cancel(self) -> None:
        """Count what is left as cancelled: the pool is no more. What a thread has begun it also ends."""
        for index in list(self._tasks):
            task, jobs = self._tasks.pop(index, (None, 0))
            if task is not None and not task.started:
                task.job.cancel(jobs)


class _Pools:
    """The patches of ``multiprocessing.pool``."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._processes = Names(Engine("multiprocessing.pool"))
        self._threads = Names(Engine("multiprocessing.threadpool"))

    def patch(self, patches: Patches) -> None:
        pool = self._module.Pool
        patches.wrap(pool, "__init__", self._init)
        patches.wrap(pool, "terminate", self._terminate)
        patches.wrap(pool, "apply_async", self._apply_async)
        patches.wrap(pool, "_guarded_task_generation", self._tasks)
        for name in ("ApplyResult", "MapResult", "IMapIterator", "IMapUnorderedIterator"):
            result = getattr(self._module, name)
            if "_set" in vars(result):
                patches.wrap(result, "_set", self._set)

    def _names(self, pool: Any) -> Names:
        return self._threads if isinstance(pool, self._module.ThreadPool) else self._processes

    def _job(self, pool: Any, function: Any) -> Job | None:
        if is_suppressed(context.get_current()) or type(pool).__module__.partition(".")[0] == "joblib":
            return None
        return self._names(pool).find(function)

    # -- the pool -------------------------------------------------------------------

    def _init(self, original: Callable[..., None]) -> Callable[..., None]:
        def __init__(  # noqa: N807 - takes its place
            pool: Any, processes: Any = None, initializer: Any = None, initargs: Any = (), *args: Any, **kwargs: Any
        ) -> None:
            if not isinstance(pool, self._module.ThreadPool) and (initializer is None or callable(initializer)):
                initializer = Initializer(initializer)
            original(pool, processes, initializer, initargs, *args, **kwargs)
            if type(pool).__module__.partition(".")[0] != "joblib":
                self._names(pool).engine.watch_workers(pool, _workers)

        return __init__

    def _terminate(self, original: Callable[..., None]) -> Callable[..., None]:
        def terminate(pool: Any) -> None:
            original(pool)
            with guard.shield("the end of a pool"):
                for result in list(pool._cache.values()):
                    sent = vars(result).get(_SENT)
                    if sent is not None:
                        sent.cancel()

        return terminate

    # -- what is sent ---------------------------------------------------------------

    def _apply_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def apply_async(pool: Any, func: Any, args: Any = (), kwds: Any = None, *more: Any, **options: Any) -> Any:
            kwds = {} if kwds is None else kwds
            job, task = None, func
            with guard.shield("submitting a job"):
                job = self._job(pool, func)
                task = func if job is None else Task(job, func)
            if job is None:
                return original(pool, func, args, kwds, *more, **options)
            result = original(pool, task, args, kwds, *more, **options)
            with guard.shield("submitting a job"):
                vars(result).setdefault(_SENT, _Sent()).add(task, 0, 1)
            return result

        return apply_async

    def _tasks(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def _guarded_task_generation(pool: Any, result_job: Any, func: Any, iterable: Any) -> Any:
            tasks = original(pool, result_job, func, iterable)
            with guard.shield("submitting a batch"):
                if is_suppressed(context.get_current()) or type(pool).__module__.partition(".")[0] == "joblib":
                    return tasks
                result = pool._cache[result_job]
                return self._sent(self._names(pool), result, tasks, headers_of(), monotonic())
            return tasks

        return _guarded_task_generation

    def _sent(self, names: Names, result: Any, tasks: Any, headers: dict[str, str], submitted: float) -> Iterator[Any]:
        """Return the tasks of a batch as they are sent, one by one, by the pool's own thread."""
        sent = _Sent()
        setattr(result, _SENT, sent)
        names.engine.batch()
        return self._payloads(names, sent, tasks, headers, submitted)

    def _payloads(self, names: Names, sent: _Sent, tasks: Any, headers: dict[str, str], submitted: float) -> Any:
        size = 0
        for task in tasks:
            payload = task
            with guard.shield("submitting a job"):
                payload, jobs = self._payload(names, sent, task, headers, submitted)
                size += jobs
            yield payload
        names.engine.size(size)

    def _payload(
        self, names: Names, sent: _Sent, task: Any, headers: dict[str, str], submitted: float
    ) -> tuple[Any, int]:
        number, index, func, args, kwargs = task
        module = self._module
        if func is module._helper_reraises_exception:
            return task, 0
        star = func is module.starmapstar
        chunked = star or func is module.mapstar
        function, items = args[0] if chunked else (func, (None,))
        job = names.find(function)
        if job is None:
            return task, 0
        if chunked:
            payload, args = Chunk(job, function, headers, submitted, star), (items,)
        else:
            payload = Task(job, function, headers, submitted)
        sent.add(payload, index, len(items))
        return (number, index, payload, args, kwargs), len(items)

    # -- what comes back ------------------------------------------------------------

    def _set(self, original: Callable[..., None]) -> Callable[..., None]:
        def _set(result: Any, i: Any, obj: Any) -> None:
            with guard.shield("the end of a job"):
                pool = getattr(result, "_pool", None)
                # Only what could not be sent is reported by the thread that sends.
                in_sender = pool is not None and threading.current_thread() is pool._task_handler
                vars(result).setdefault(_SENT, _Sent()).end(i, obj[1] if in_sender else None)
            original(result, i, obj)

        return _set


def _workers(pool: Any) -> int:
    return sum(worker.is_alive() for worker in list(pool._pool))
