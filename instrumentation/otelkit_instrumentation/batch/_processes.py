# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``ProcessPoolExecutor``: submitted here, run there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from opentelemetry import context

from otelkit._core._guard import guard
from otelkit.decorators._failures import error_type_of
from otelkit.jobs import Engine, Job, is_suppressed
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch._futures import JOB, Mapped, instrumented_map
from otelkit_instrumentation.batch._names import Names
from otelkit_instrumentation.batch._payload import Chunk, Initializer, Task

ENGINE = "concurrent.futures.process"

_UNSENT = "_otelkit_unsent"
"""Attribute of a future whose job never reached a worker: it could not be pickled."""


def patch(patches: Patches, module: Any) -> None:
    """Patch ``concurrent.futures.process``."""
    engine = Engine(ENGINE)
    executor = module.ProcessPoolExecutor
    submitter = _Submitter(Names(engine), getattr(module, "_process_chunk", None), module.BrokenProcessPool)
    patches.wrap(executor, "submit", submitter.instrumented)
    patches.wrap(executor, "map", lambda original: instrumented_map(original, engine))
    patches.wrap(executor, "__init__", lambda original: _instrumented_init(original, engine))
    if hasattr(module, "_SafeQueue"):
        patches.wrap(module._SafeQueue, "_on_queue_feeder_error", _noted_feeder_error)


def _instrumented_init(original: Callable[..., None], engine: Engine) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - takes its place
        original(self, *args, **kwargs)
        with guard.shield("set-up of workers"):
            self._initializer = Initializer(self._initializer)
            engine.watch_workers(self, _workers)

    return __init__


def _workers(executor: Any) -> int:
    return sum(process.is_alive() for process in list((executor._processes or {}).values()))


def _noted_feeder_error(original: Callable[..., None]) -> Callable[..., None]:
    def _on_queue_feeder_error(self: Any, e: BaseException, obj: Any) -> None:
        with guard.shield("a job that cannot be sent"):
            item = self.pending_work_items.get(getattr(obj, "work_id", None))
            if item is not None:
                setattr(item.future, _UNSENT, True)
        original(self, e, obj)

    return _on_queue_feeder_error


class _Submitter:
    """Makes the ``submit`` that sends a `Task` or a `Chunk`."""

    def __init__(self, names: Names, process_chunk: Any, broken: type[BaseException]) -> None:
        self._names = names
        self._process_chunk = process_chunk
        self._broken = broken

    def instrumented(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def submit(self_: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            job, size, payload = None, 1, fn
            with guard.shield("submitting a job"):
                job, size, payload = self._payload(fn, args)
            future = original(self_, payload, *args, **kwargs)
            if job is not None:
                with guard.shield("submitting a job"):
                    job.submit(size)
                    setattr(future, JOB, (job, size))
                    future.add_done_callback(functools.partial(self._ended, job, size))
            return future

        return submit

    def _payload(self, function: Any, args: tuple[Any, ...]) -> tuple[Job | None, int, Any]:
        """Return the job, how many, and what to send; it takes a `Mapped` out in any case."""
        chunked = isinstance(function, functools.partial) and function.func is self._process_chunk
        inner, size = (function.args[0], len(args[0])) if chunked else (function, 1)
        if type(inner) is Mapped:
            inner.jobs += size
            inner = inner.function
        job = self._names.find(inner)
        if job is None or is_suppressed(context.get_current()):
            return None, size, functools.partial(self._process_chunk, inner) if chunked else inner
        return job, size, Chunk(job, inner) if chunked else Task(job, inner)

    def _ended(self, job: Job, size: int, future: Any) -> None:
        if future.cancelled():
            return  # counted by `cancel`
        vars(future).pop(JOB, None)
        job.leave(size)
        error = future.exception()
        if error is not None and (isinstance(error, self._broken) or hasattr(future, _UNSENT)):
            job.lose(error_type_of(error), size)
