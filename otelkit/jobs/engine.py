# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The recorder of one batch engine: its batches, its jobs, and the calls that run them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cache
from time import perf_counter, time_ns
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from otelkit import semconv
from otelkit._core._family import OVERFLOW_KEY
from otelkit._core._guard import guard
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._snapshot import Attributes, Metric, NumberPoint
from otelkit.decorators._failures import error_type_of, failed, is_cancellation
from otelkit.instruments.counter import counter
from otelkit.instruments.histogram import histogram
from otelkit.instruments.registry import default_registry
from otelkit.jobs._cell import JobCell, create_family
from otelkit.jobs.span import JobSpan

__all__ = ("Engine", "Job", "Run")

T = TypeVar("T")

_engines: dict[str, Engine] = {}


class Engine:
    """
    One batch engine of this process; ``Engine("celery")`` is the same object each time.

    Thread-safe. Nothing here raises into the program, and nothing blocks.

    Args:
        name: Value of ``batch.engine``.
    """

    name: str

    def __new__(cls, name: str) -> Engine:
        known = _engines.get(name)
        return _engines.setdefault(name, super().__new__(cls)) if known is None else known

    def __init__(self, name: str) -> None:
        if hasattr(self, "name"):
            return
        self.name = name
        self._jobs: dict[str, Job] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Engine, (self.name,)

    def batch(self, size: int | None = None) -> None:
        """Count a batch that was handed to the engine, of ``size`` jobs; None if nobody knows yet."""
        with guard.shield("a batch"):
            created, sizes = _batches()
            created.increment(1, **{semconv.BATCH_ENGINE: self.name})
            if size is not None:
                sizes.observe(size, **{semconv.BATCH_ENGINE: self.name})

    def size(self, size: int) -> None:
        """Record the size of a batch that was counted when nobody knew it yet."""
        with guard.shield("a batch"):
            _batches()[1].observe(size, **{semconv.BATCH_ENGINE: self.name})

    def job(self, name: str) -> Job:
        """
        Return the handle of all jobs named ``name``; there is one for each name.

        Args:
            name: Of low cardinality: the function's or task's name, never a job's id.

        Cost: a dictionary look-up for a known name.
        """
        job = self._jobs.get(name)
        if job is None:
            job = Job(self, name)
            if job.cell.key != OVERFLOW_KEY:  # beyond the limit of label sets, names are not remembered
                job = self._jobs.setdefault(name, job)
        return job

    def job_of(self, function: Any) -> Job:
        """Return the handle of the jobs that call ``function``."""
        return self.job(name_of(function))

    def watch_workers(self, owner: Any, count: Callable[[Any], int]) -> None:
        """
        Publish ``count(owner)`` workers for as long as ``owner`` lives.

        Args:
            owner: A pool, an executor, a cluster; is not kept alive. Owners of one engine are added up.
            count: Called at each collection; must be quick. Its failures are guarded.
        """
        _workers.watch(self.name, owner, count)

    def unwatch_workers(self, owner: Any) -> None:
        """Publish an owner's workers no longer."""
        _workers.unwatch(owner)


def name_of(function: Any) -> str:
    """Return a job's name for what is called: ``module.qualname``, of a partial's function, never of its arguments."""
    for _ in range(8):
        if hasattr(function, "func") and hasattr(function, "args"):  # functools.partial
            inner = function.func
            if getattr(inner, "__qualname__", "") == "Context.run" and function.args:  # asyncio.to_thread
                inner = function.args[0]
            function = inner
        else:
            break
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if not isinstance(name, str):
        function = type(function)
        name = function.__qualname__
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else name


class Job:
    """
    All jobs of one name of one engine. Thread-safe; no method raises; pickles by name.

    Attributes:
        engine: Whose.
        name: Value of ``job.name``.
        cell, queue: For hot code that ticks by itself, as `otelkit_instrumentation.batch` does for threads.
    """

    __slots__ = ("attributes", "cell", "engine", "name", "queue")

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.attributes: Mapping[str, str] = {semconv.BATCH_ENGINE: engine.name, semconv.JOB: name}
        self.cell: JobCell = create_family().bound((engine.name, name))  # type: ignore[assignment]
        self.queue: HistogramCell = _queue_times().labels(**self.attributes)

    def __reduce__(self) -> tuple[Any, ...]:
        return _job, (self.engine.name, self.name)

    # -- in the process that submits ------------------------------------------------

    def submit(self, jobs: int = 1) -> None:
        """Count jobs that were handed to the engine: they are pending."""
        for _ in range(jobs):
            next(self.cell.submitted)

    def send(self, jobs: int = 1) -> None:
        """Count jobs as submitted that this process cannot follow: they went to a broker, or a cluster's scheduler."""
        for _ in range(jobs):
            next(self.cell.sent)  # first: never pending, at any time
            next(self.cell.submitted)

    def receive(self) -> None:
        """Note that a job came in from a broker: it is pending here, and counted as submitted where it was sent."""
        next(self.cell.received)

    def leave(self, jobs: int = 1) -> None:
        """Note that jobs are pending no more, whatever became of them; never for those that `cancel` was called for."""
        for _ in range(jobs):
            next(self.cell.left)

    def cancel(self, jobs: int = 1) -> None:
        """Count jobs that were taken back before they ran: they are pending no more."""
        for _ in range(jobs):
            next(self.cell.cancelled)
            next(self.cell.left)

    def skip(self, jobs: int = 1) -> None:
        """Count jobs that a worker leaves out, of a chunk whose first failure ends it: cancelled; see `leave`, too."""
        for _ in range(jobs):
            next(self.cell.cancelled)

    def lose(self, error_type: str, jobs: int = 1) -> None:
        """
        Count jobs that failed where nobody could tell: their worker died, or was killed because of a time limit.

        Says nothing about pending; call `leave` too. Failures of a call that ended are the run's.
        """
        with guard.shield("a lost job"):
            for _ in range(jobs):
                self.cell.lose(error_type)

    def retry(self) -> None:
        """Count a job that was given back to be run again, where `Run.retry` cannot."""
        next(self.cell.retried)

    # -- in the process that runs ---------------------------------------------------

    def start(self, queued_s: float | None = None, span: JobSpan | None = None) -> Run:
        """
        Start a run: the job is active until the run ends.

        Args:
            queued_s: Seconds since it was submitted; below 0 (clocks of two machines) counts as 0.
            span: One that was started for this job; the run marks it if it fails, and ends it.
        """
        return Run(self, queued_s, span)

    def call(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """
        Call ``function`` as one run, without a span; whatever it raises comes out untouched.

        For the calls of a chunk. Cost: as a call of a decorated function.
        """
        cell = self.cell
        done = False
        start = perf_counter()
        try:
            if not next(cell.tick) & 63:
                cell.flush()
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


class Run:
    """One run of a job. Exactly one of its ending methods is to be called; further ones do nothing."""

    __slots__ = ("_job", "_span", "_started")

    def __init__(self, job: Job, queued_s: float | None, span: JobSpan | None) -> None:
        self._job: Job | None = job
        self._span = span
        cell = job.cell
        if queued_s is not None:
            job.queue.observe(max(0.0, queued_s))
        if not next(cell.tick) & 63:
            cell.flush()
        self._started = perf_counter()

    def backdate(self, seconds: float) -> None:
        """Say how long it has taken until now, where its start or its end is heard of late."""
        self._started = perf_counter() - seconds

    def succeed(self) -> None:
        """End it: completed."""
        job, seconds = self._end()
        if job is not None:
            cell = job.cell
            cell.buffer.append(cell.capture(seconds) if seconds > cell.floor else seconds)
        self._close()

    def fail(self, error: BaseException) -> None:
        """End it with what was raised: failed, or cancelled if that is what it says."""
        job, seconds = self._end()
        if job is not None:
            if self._span is not None and not is_cancellation(error):
                self._span.fail(error)
            target, seconds = failed(job.cell, error, seconds)
            target.buffer.append(seconds)
        self._close()

    def fail_as(self, error_type: str) -> None:
        """End it: failed, where there is no exception to show; a time limit, say."""
        job, seconds = self._end()
        if job is not None:
            if self._span is not None:
                self._span.mark_failed(error_type)
            with guard.shield("a failed job"):
                job.cell.failure(error_type).observe(seconds)
        self._close()

    def retry(self, error: BaseException | None = None) -> None:
        """End it: to be run again. Counts the retry; ``error`` is why, and no error of the job's."""
        job, seconds = self._end()
        if job is not None:
            with guard.shield("a retried job"):
                next(job.cell.retried)
                job.cell.retry("retry" if error is None else error_type_of(error)).observe(seconds)
        self._close()

    def cancel(self) -> None:
        """End it: cancelled while it ran."""
        job, seconds = self._end()
        if job is not None:
            with guard.shield("a cancelled job"):
                job.cell.failure("cancelled", cancelled=True).observe(seconds)
        self._close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """End it by what its block raised."""
        if error is None:
            self.succeed()
        else:
            self.fail(error)

    def _end(self) -> tuple[Job | None, float]:
        job, self._job = self._job, None
        return job, perf_counter() - self._started

    def _close(self) -> None:
        span, self._span = self._span, None
        if span is not None:
            span.end()


def _job(engine: str, name: str) -> Job:
    return Engine(engine).job(name)


@cache
def _batches() -> tuple[Any, Any]:
    """Return counter and sizes of batches; not before there is one, or every program would have their series."""
    labels = [semconv.BATCH_ENGINE]
    created, size = semconv.BATCH_CREATED, semconv.BATCH_SIZE
    return (
        counter(created.name, labels=labels, unit=created.unit, description=created.description),
        histogram(size.name, labels=labels, unit=size.unit, description=size.description),
    )


def _queue_times() -> Any:
    metric = semconv.JOB_QUEUE_TIME
    return histogram(
        metric.name,
        labels=[semconv.BATCH_ENGINE, semconv.JOB],
        unit=metric.unit,
        description=metric.description,
    )


class _Workers:
    """Asks whoever has workers how many."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owners: WeakKeyDictionary[Any, tuple[str, Callable[[Any], int]]] = WeakKeyDictionary()
        self._series: dict[str, tuple[Attributes, int]] = {}
        default_registry.declare(semconv.BATCH_WORKERS, (semconv.BATCH_ENGINE,), "otelkit.jobs")
        default_registry.add_source(self.points)

    def watch(self, engine: str, owner: Any, count: Callable[[Any], int]) -> None:
        with guard.shield("workers"), self._lock:
            self._owners[owner] = (engine, count)
            self._series.setdefault(engine, (Attributes({semconv.BATCH_ENGINE: engine}), time_ns()))

    def unwatch(self, owner: Any) -> None:
        with guard.shield("workers"), self._lock:
            self._owners.pop(owner, None)

    def points(self, now_ns: int) -> list[tuple[Metric, list[Any]]]:
        with self._lock:
            owners = list(self._owners.items())
        workers = dict.fromkeys(list(self._series), 0)
        for owner, (engine, count) in owners:
            with guard.shield("workers"):
                workers[engine] += count(owner)
        points = [self._point(engine, now_ns, number) for engine, number in workers.items()]
        return [(semconv.BATCH_WORKERS, points)] if points else []

    def _point(self, engine: str, now_ns: int, number: int) -> NumberPoint:
        attributes, start_ns = self._series[engine]
        return NumberPoint(attributes, start_ns, now_ns, number)

    def after_fork(self) -> None:
        """Know of no workers: they are the parent's."""
        self._lock = threading.RLock()
        inherited = self._owners
        self._owners = WeakKeyDictionary()
        self._series = {}
        self._inherited = inherited  # freeing would copy pages and run finalizers


_workers = _Workers()
