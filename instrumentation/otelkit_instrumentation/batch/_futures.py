# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the executors of ``concurrent.futures`` have in common: futures that may be cancelled, and ``map``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otelkit._core._guard import guard
from otelkit.jobs import Engine
from otelkit_instrumentation._patching import Patches

JOB = "_otelkit_job"
"""Attribute of a future that may still be cancelled: its `Job`, or the job and how many."""


def patch(patches: Patches, module: Any) -> None:
    """Patch ``concurrent.futures._base``."""
    patches.wrap(module.Future, "cancel", _counted_cancel)


def _counted_cancel(original: Callable[..., bool]) -> Callable[..., bool]:
    def cancel(self: Any) -> bool:
        cancelled = original(self)
        if cancelled:
            with guard.shield("cancelling a job"):
                found = vars(self).pop(JOB, None)  # atomic: of several that cancel, one counts
                if found is not None:
                    job, size = found if isinstance(found, tuple) else (found, 1)
                    job.cancel(size)
        return cancelled

    return cancel


class Mapped:
    """The function given to one ``map``: `submit` takes it out again and says of how many jobs the batch is."""

    __slots__ = ("function", "jobs")

    def __init__(self, function: Any) -> None:
        self.function = function
        self.jobs = 0


def instrumented_map(original: Callable[..., Any], engine: Engine) -> Callable[..., Any]:
    """Return an executor's ``map`` that counts its batches; their jobs are counted by ``submit``."""

    def counted(self: Any, fn: Any, /, *iterables: Any, **options: Any) -> Any:
        mapped = Mapped(fn)
        results = original(self, mapped, *iterables, **options)
        with guard.shield("a batch"):
            # With a buffersize (Python 3.14) jobs are submitted as results are taken.
            engine.batch(mapped.jobs if options.get("buffersize") is None else None)
        return results

    return counted
