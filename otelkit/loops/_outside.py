# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Who records already: how nested calls are recorded once.

A step under way is known to the context it runs in: a thread's own, an asyncio
task's, and those of the tasks started from there. An instrumentor asks
`recorded_outside` first, and if so runs the call as if it were not there.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol


class Recording(Protocol):
    """What records, for as long as ``running``."""

    @property
    def running(self) -> bool: ...


class Mark(weakref.ref[Any]):
    """
    Stands for a step in the context, so that the context does not keep the step alive.

    A signal handler that raises just as a step ends leaves the mark behind, and it must not hide all that comes later.
    """

    __slots__ = ()

    @property
    def running(self) -> bool:
        """Whether the step is there and has not ended."""
        step = self()
        return step is not None and step.running


outside: ContextVar[Recording | None] = ContextVar("otelkit_inference", default=None)


def recorded_outside() -> bool:
    """
    Tell whether a step around this call records it. Cost: 50 ns.

    A task that outlives the step it was started in is on its own again.
    """
    recording = outside.get()
    return recording is not None and recording.running


class Inside:
    """
    A function that runs inside a step, wherever it runs: another thread's context, or process, does not know of it.

    Survives pickling if the function does.
    """

    __slots__ = ("function",)

    running = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        token = outside.set(self)
        try:
            return self.function(*args, **kwargs)
        finally:
            outside.reset(token)
