# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Measuring a block: seconds from start to stop, recorded in a cell."""

from __future__ import annotations

from time import perf_counter
from typing import Protocol


class Observing(Protocol):
    """A cell that takes observations."""

    def observe(self, value: float) -> None: ...


class Timing:
    """
    Records the seconds between ``start`` and ``stop``.

    A context manager; also a pair of calls for code that cannot be a block.
    One at a time: for nested or concurrent blocks take one each.
    """

    __slots__ = ("_cell", "_started")

    def __init__(self, cell: Observing | None) -> None:
        self._cell = cell
        self._started: float | None = None

    def start(self) -> Timing:
        """Start, or start again."""
        self._started = perf_counter()
        return self

    def stop(self) -> float:
        """Record and return the seconds since `start`; 0.0, recording nothing, if there was none."""
        if self._started is None:
            return 0.0
        seconds = perf_counter() - self._started
        self._started = None
        if self._cell is not None:
            self._cell.observe(seconds)
        return seconds

    __enter__ = start

    def __exit__(self, *_: object) -> None:
        self.stop()
