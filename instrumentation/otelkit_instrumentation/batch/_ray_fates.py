# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs that a Ray process has submitted, and what became of those of which no worker can tell."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from otelkit._core._fork import forks
from otelkit.decorators._failures import error_type_of
from otelkit.jobs import Job

_LOST = frozenset(
    {"WorkerCrashedError", "ActorDiedError", "ActorUnavailableError", "NodeDiedError", "OutOfMemoryError"}
)
_INTENDED = "INTENDED_USER_EXIT"
"""In Ray's text about an actor that ended itself: its method has ended, and was counted there."""
_REMEMBERED = 100_000
"""Jobs whose result nobody asked for yet: 200 bytes each. Beyond, the oldest are forgotten."""


class Fates:
    """
    One fate of each job, known by its task; thread-safe.

    An exception that the task itself raised, the interrupt of `ray.cancel` included, its worker has counted.
    """

    def __init__(self) -> None:
        self.reset()
        forks.in_child(self.reset)

    def reset(self) -> None:
        """Know of no job."""
        self._lock = threading.Lock()
        self._jobs: OrderedDict[Any, Job] = OrderedDict()

    def remember(self, submitted: Any, job: Job) -> None:
        """Note what was submitted: a reference, several, or a generator of them."""
        references = submitted if isinstance(submitted, (list, tuple)) else (submitted,)
        for reference in references[:1]:
            task = _task_of(reference)
            with self._lock:
                if task is not None:
                    self._jobs[task] = job
                if len(self._jobs) > _REMEMBERED:
                    self._jobs.popitem(last=False)

    def learn(self, references: Iterable[Any], results: Iterable[Any]) -> None:
        """Results are here."""
        for reference, result in zip(references, results, strict=False):
            with self._lock:
                job = self._jobs.pop(_task_of(reference), None)
            if job is not None and isinstance(result, Exception):
                _count(job, result)


def _task_of(reference: Any) -> Any:
    find = getattr(reference, "task_id", None)
    return find() if find is not None else None


def _count(job: Job, result: Exception) -> None:
    kind = type(result).__name__
    if kind == "TaskCancelledError":
        job.skip()
    elif kind in _LOST and _INTENDED not in str(result):
        job.lose(error_type_of(result))


fates = Fates()
