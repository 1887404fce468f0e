# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a question is answered from."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from otelkit.viewer.api import filters, timing
from otelkit.viewer.api.about import About
from otelkit.viewer.api.filters import Term
from otelkit.viewer.api.judge import Judge
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.reader import Reader
from otelkit.viewer.api.shapes.axis import Ignored, Range
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Reading

MOST_REMEMBERED = 200
COST_TIMES, LONGEST_S = 8.0, 15.0
"""What took long is kept for so many times as long."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Context:
    """
    Everything that answers need.

    Attributes:
        reader: The store, with what was worked out of it.
        judge: What is usual, and what is not.
        about: The server itself.
    """

    reader: Reader
    judge: Judge
    about: About
    _memory: dict[object, tuple[float, object]] = field(default_factory=dict)

    @property
    def store(self) -> Reading:
        """The store itself."""
        return self.reader.store

    def span(self, window: Window, columns: int = 90) -> Span:
        """Return the range of a request on its steps."""
        return timing.resolve(window.from_, window.to, self.reader.clock(), window.columns, window.step, columns)

    def terms(self, window: Window) -> tuple[Term, ...]:
        """Return the terms of its filter."""
        return filters.parse(window.q)

    def range(self, span: Span, ignored: list[Ignored] | None = None) -> Range:
        """Return the range as it is sent."""
        oldest = self.store.statistics().oldest_ns
        return Range(
            start=span.start,
            end=span.end,
            now=span.now,
            live=span.live,
            retained=oldest / SECOND if oldest else None,
            axis=span.axis,
            ignored=ignored or [],
        )

    def remembered(self, question: object, answer: Callable[[], Value], for_s: float = 3.0) -> Value:
        """Return an answer that may be a few seconds old; what is given back must not be changed."""
        now = time.monotonic()
        known = self._memory.get(question)
        if known is not None and now < known[0]:
            return known[1]  # type: ignore[return-value]
        if len(self._memory) > MOST_REMEMBERED:
            self._memory.clear()
        value = answer()
        done = time.monotonic()
        self._memory[question] = (done + min(LONGEST_S, max(for_s, COST_TIMES * (done - now))), value)
        return value

    @property
    def is_empty(self) -> bool:
        """Whether nothing was stored yet."""
        return not self.store.statistics().oldest_ns

    def kept(self, trace_ids: Collection[str]) -> set[str]:
        """Return which of these traces can be opened."""
        return self.store.held(trace_ids)
