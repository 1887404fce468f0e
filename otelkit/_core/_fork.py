# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What a forked child does before it goes on: start from zero, with fresh locks.

Everything of otelkit that a fork concerns has a step here, and the steps run
once per child, in the order in which they were given. Python's hook runs them
at once. A fork that runs no hook (uWSGI's, or any made in C) is noticed by the
process id: at a snapshot, a flush, the end, a new series, or a cell's 100th call.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any

from otelkit._core._guard import guard
from otelkit._core._signals import signals_blocked

Step = Callable[[], object]


class Forks:
    """
    The steps of a child.

    Attributes:
        pid: The process whose numbers these are.
        forked: Whether this process is a child of one that had otelkit loaded.
        hooked: Whether Python ran its hooks at the last fork, those of other libraries included.
    """

    def __init__(self) -> None:
        self._steps: list[Callable[[], Step | None]] = []
        self.pid = os.getpid()
        self.forked = False
        self.hooked = True

    def in_child(self, step: Step) -> None:
        """Have ``step`` run in each child. A method does not keep its object alive."""
        reference: Any = weakref.WeakMethod(step) if isinstance(step, MethodType) else lambda: step
        self._steps = [*(known for known in self._steps if known() is not None), reference]

    def notice(self) -> None:
        """Run the steps if this is a child in which no hook ran. Cost: 50 ns where it is not."""
        pid = os.getpid()
        if pid != self.pid:
            self.pid = pid
            self._begin_anew(hooked=False)

    def after_fork(self) -> None:
        """Run the steps."""
        self.pid = os.getpid()
        self._begin_anew(hooked=True)

    def _begin_anew(self, *, hooked: bool) -> None:
        self.forked = True
        self.hooked = hooked
        guard.reset()  # first: what fails below is counted
        with signals_blocked():
            for reference in self._steps:
                with guard.shield("a fork's child"):
                    step = reference()
                    if step is not None:
                        step()


forks = Forks()

if hasattr(os, "register_at_fork"):
    # Registered when otelkit is imported, so before the hooks of what it makes: readers and processors of the SDK start
    # their threads in theirs, and find all locks free.
    os.register_at_fork(after_in_child=forks.after_fork)
