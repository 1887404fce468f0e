# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Dask's distributed scheduler: what becomes of the tasks that it is given.

The scheduler alone knows of every task's start and end, of retries, of workers
that die and of futures that are taken back. So it counts, whichever process it
runs in, and nothing is lost with a worker. The span of a run is made where the
task runs (`otelkit_instrumentation.batch._dask_worker`).
"""

from __future__ import annotations

import builtins
import pickletools
import time
from importlib import import_module
from typing import Any

from otelkit._core._guard import guard
from otelkit.jobs import Engine, Job, Run, parent_of, start_span

ENGINE = Engine("dask")
ANNOTATION = "otelkit"
"""Of a task: the submitter's context, and whether it came with a batch."""
BATCH = "batch"
NAME = "otelkit"
"""Of the plugins."""

_NOT_JOBS = ("Alias", "DataNode")
"""Nodes of a graph that call no function."""


class Progress:
    """One task on its way through the scheduler."""

    __slots__ = ("_pending", "_run", "_started_ns", "_submitted_at", "job")

    def __init__(self, job: Job) -> None:
        self.job = job
        self._run: Run | None = None
        self._pending = True
        self._submitted_at = time.time()
        self._started_ns = 0
        job.submit()

    def start(self) -> None:
        """It was sent to a worker."""
        if self._pending:
            self._pending = False
            self.job.leave()
        if self._run is None:
            self._started_ns = time.time_ns()
            self._run = self.job.start()

    def end(self, error_type: str | None, steps: Any) -> None:
        """It has ended; the steps that its worker reports say when it was computed."""
        computed = [step for step in steps or () if step.get("action") == "compute"]
        run = self._end(computed[-1]["start"] if computed else None)
        if run is None:
            return
        if computed:
            run.backdate(max(0.0, computed[-1]["stop"] - computed[-1]["start"]))
        if error_type is None:
            run.succeed()
        else:
            run.fail_as(error_type)

    def _end(self, computed_at: float | None = None) -> Run | None:
        """Take the run that is to be ended, and note how long it waited: until it was computed, or at least sent."""
        run, self._run = self._run, None
        if run is not None:
            started_at = self._started_ns / 1e9 if computed_at is None else computed_at
            self.job.queue.observe(max(0.0, started_at - self._submitted_at))
        return run

    def mourn(self, task: Any, error_type: str) -> None:
        """Make the span of a run that ended with its worker, for the last time; no worker can have made it."""
        note = (task.annotations or {}).get(ANNOTATION)
        span = start_span(self.job.name, self.job.attributes, parent_of(note), start_ns=self._started_ns)
        span.mark_failed(error_type)
        span.end()

    def give_back(self) -> None:
        """It waits once more: it failed and may be retried, or its worker died."""
        run = self._end()
        if run is not None:
            run.retry()

    def drop(self) -> None:
        """Nobody wants it any more, or what it needs has failed."""
        run = self._end()
        if run is not None:
            run.cancel()
        elif self._pending:
            self._pending = False
            self.job.cancel()


class SchedulerObserver:
    """
    What `scheduler_plugin` hands the scheduler's news to. All of it happens in the scheduler's event loop.

    Args:
        active: Tells whether dask is still instrumented here.
    """

    def __init__(self, active: Any = None) -> None:
        self._active = active
        self._known: dict[Any, Progress] = {}

    def update_graph(self, scheduler: Any, tasks: Any, annotations: Any) -> None:
        """A graph came in."""
        found = [key for key in tasks if key not in self._known and self._is_new(scheduler.tasks.get(key))]
        for key in found:
            self._known[key] = Progress(ENGINE.job(scheduler.tasks[key].prefix.name))
        if any(note.get(BATCH) for note in annotations.get(ANNOTATION, {}).values()):
            ENGINE.batch(len(found))

    def transition(self, scheduler: Any, key: Any, start: str, finish: str, news: dict[str, Any]) -> None:
        """A task went from one state to another."""
        known = self._known.get(key)
        if known is None:
            if start == "released" and finish == "waiting" and _is_job(scheduler.tasks.get(key)):
                self._known[key] = Progress(ENGINE.job(scheduler.tasks[key].prefix.name))  # its result was lost
            return
        if finish == "waiting":
            known.give_back()
        elif finish == "processing":
            known.start()
        elif finish == "memory":
            known.end(None, news.get("startstops"))
        elif finish == "erred" and start == "processing":
            error_type, steps = _error_type(news), news.get("startstops")
            if steps is None:
                known.mourn(scheduler.tasks[key], error_type)
            known.end(error_type, steps)
        elif finish in ("forgotten", "erred"):
            known.drop()
        if finish in ("memory", "erred", "forgotten"):
            del self._known[key]

    @property
    def active(self) -> bool:
        """Whether to look at all."""
        return self._active is None or self._active()

    def _is_new(self, task: Any) -> bool:
        return task is not None and task.state == "released" and _is_job(task)


def scheduler_plugin(active: Any = None) -> Any:
    """Return a plugin for a scheduler in this process."""
    base: Any = import_module("distributed.diagnostics.plugin").SchedulerPlugin

    class OtelkitScheduler(base):
        """Tells `SchedulerObserver`."""

        name = NAME
        idempotent = True

        def __init__(self) -> None:
            self.observer = SchedulerObserver(active)
            self.scheduler: Any = None

        def update_graph(self, scheduler: Any, *, tasks: Any, annotations: Any, **_: Any) -> None:
            self.scheduler = scheduler
            if self.observer.active:
                with guard.shield("dask's scheduler"):
                    self.observer.update_graph(scheduler, tasks, annotations)

        def transition(self, key: Any, start: Any, finish: Any, *_: Any, stimulus_id: str, **news: Any) -> None:
            if self.observer.active and self.scheduler is not None:
                with guard.shield("dask's scheduler"):
                    self.observer.transition(self.scheduler, key, start, finish, news)

    return OtelkitScheduler()


def observe_scheduler(scheduler: Any, active: Any = None) -> None:
    """Have a scheduler of this process observed, once."""
    known = scheduler.plugins.get(NAME)
    if known is not None and known.observer.active:
        return
    if known is not None:  # left behind by an instrumentation that has ended
        scheduler.remove_plugin(NAME)
    scheduler.add_plugin(scheduler_plugin(active), name=NAME)
    ENGINE.watch_workers(scheduler, lambda scheduler: len(scheduler.workers))


def _is_job(task: Any) -> bool:
    return task is not None and type(task.run_spec).__name__ not in _NOT_JOBS


def _error_type(news: dict[str, Any]) -> str:
    """Return the class of a task's exception, of which the scheduler has text and a pickle that is not for it."""
    text = str(news.get("exception_text") or "").partition("(")[0].strip()
    module, name = _pickled_class(news.get("exception"))
    if not text:
        return f"{module}.{name}" if module and name else "_OTHER"
    if hasattr(builtins, text):
        return text
    return f"{module}.{name}" if name and name.split(".")[-1] == text else text


def _pickled_class(exception: Any) -> tuple[str, str]:
    """Return module and name of the first class in a pickle, without loading it: a scheduler runs no user's code."""
    data = exception
    frames = getattr(exception, "frames", None)
    if frames:
        data = b"".join(bytes(frame) for frame in frames)
    texts: list[str] = []
    try:
        for operation, argument, _ in pickletools.genops(data):
            if operation.name in ("SHORT_BINUNICODE", "BINUNICODE"):
                texts.append(str(argument))
            elif operation.name == "STACK_GLOBAL" and len(texts) > 1:
                return texts[-2], texts[-1]
            elif operation.name == "GLOBAL":
                module, _, name = str(argument).partition(" ")
                return module, name
    except Exception:  # not a pickle
        return "", ""
    return "", ""
