# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What travels to a worker process in place of the user's function.

Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic, perf_counter
from typing import Any

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.decorators._failures import failed
from otelkit.jobs import Job, Setup, flush_worker, headers_of, parent_of, setup_of_this_process, start_span

__all__ = ("Chunk", "Initializer", "Task", "call_all")


class Task:
    """
    One job: called in the worker in place of the function, with its arguments.

    Attributes:
        is_here: Whether the worker is a thread of the submitter's process, whose pending jobs it then knows of.
        started: Whether it was called, as far as this process knows.
    """

    __slots__ = ("function", "headers", "is_here", "job", "started", "submitted")

    def __init__(self, job: Job, function: Callable[..., Any], headers: Any = None, submitted: float = 0.0) -> None:
        self.job = job
        self.function = function
        self.headers = headers_of() if headers is None else headers
        self.submitted = submitted or monotonic()
        self.is_here = True
        self.started = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (type(self), self.job, self.function, self.headers, self.submitted)

    def start(self, jobs: int) -> None:
        """Note that it is called."""
        self.started = True
        if self.is_here:
            self.job.leave(jobs)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        job = self.job
        waited = monotonic() - self.submitted
        self.start(1)
        with job.start(waited, start_span(job.name, job.attributes, parent_of(self.headers))):
            return self.function(*args, **kwargs)


def _arrived(kind: type[Task], *args: Any) -> Task:
    task = kind(*args)
    task.is_here = False
    return task


class Chunk(Task):
    """
    Several jobs in one span.

    Args:
        star: Whether each item is a tuple of arguments, or the only argument.
    """

    __slots__ = ("star",)

    def __init__(
        self, job: Job, function: Callable[..., Any], headers: Any = None, submitted: float = 0.0, star: bool = True
    ) -> None:
        super().__init__(job, function, headers, submitted)
        self.star = star

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (Chunk, self.job, self.function, self.headers, self.submitted, self.star)

    def __call__(self, items: Sequence[Any]) -> list[Any]:  # type: ignore[override]
        job = self.job
        self.start(len(items))
        attributes = {**job.attributes, semconv.CHUNK_SIZE: len(items)}
        with start_span(job.name, attributes, parent_of(self.headers)):
            calls = items if self.star else zip(items)
            return call_all(job, self.function, calls, len(items), self.submitted)


def call_all(
    job: Job, function: Callable[..., Any], calls: Iterable[Sequence[Any]], size: int, submitted: float
) -> list[Any]:
    """
    Call ``function`` with each of ``size`` arguments; the first exception ends it, as it does without otelkit.

    The calls that are not made then were cancelled by the engine.
    """
    cell, queue = job.cell, job.queue
    results: list[Any] = []
    until_start = submitted - monotonic() + perf_counter()
    for arguments in calls:
        done = False
        start = perf_counter()
        try:
            waited = start - until_start
            if waited > queue.floor:
                waited = queue.capture(waited)
            queue.buffer.append(waited)
            if not next(cell.tick) & 63:
                cell.flush()
                queue.flush()
            results.append(function(*arguments))
            seconds = perf_counter() - start
            if seconds > cell.floor:
                seconds = cell.capture(seconds)
            done = True
            cell.buffer.append(seconds)
        except BaseException as error:
            if not done:
                target, seconds = failed(cell, error, perf_counter() - start)
                target.buffer.append(seconds)
            with guard.shield("a chunk"):
                job.skip(size - len(results) - 1)
            raise
    return results


class Initializer:
    """
    Configures a worker as its submitter is, then calls the program's own initializer.

    What the submitter's configuration is, is asked when a worker that has not inherited it is started.
    """

    __slots__ = ("_own", "_setup")

    def __init__(self, own: Callable[..., object] | None, setup: Setup | None = None) -> None:
        self._own = own
        self._setup = setup

    def __reduce__(self) -> tuple[Any, ...]:
        return Initializer, (self._own, setup_of_this_process())

    def __call__(self, *args: Any) -> None:
        if self._setup is not None:
            self._setup.apply()
        if self._own is not None:
            try:
                self._own(*args)
            except BaseException:
                flush_worker()  # the worker ends
                raise
