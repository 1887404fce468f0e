# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A call that needs more than a tick and a duration: a span, or labels given while it runs.

Plain calls never come here; see `_recorder`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Token
from dataclasses import dataclass
from time import perf_counter

from otelkit._core._call_cell import ActiveCell, CallCell
from otelkit._core._family import ActiveFamily, CallFamily
from otelkit._core._guard import guard
from otelkit._core._labels import text_of
from otelkit.decorators._failures import ErrorTypes, Judge, error_type_of, failed, is_cancellation
from otelkit.decorators._labels import LabelScope, current_scope
from otelkit.decorators._spans import ActiveSpan, SpanSpec


@dataclass(frozen=True, slots=True)
class FramePlan:
    """
    What the frames of one decorated function do.

    Args:
        family: Where calls are recorded; None for spans only.
        cell: The only cell, if there are no labels.
        active: Where calls under way are counted if there are late labels.
        early: Labels that are known when a call starts.
        late: Labels that `add_label` gives.
        order: For each label of ``family``, in its order, the place of its
            value among the early and then the late ones.
        span: The span to make, if any.
        judge: Asks `record_error_if`.
        ignored: Exceptions that are no errors.
        after: Called when a call has succeeded.
    """

    family: CallFamily | None = None
    cell: CallCell | None = None
    active: ActiveFamily | None = None
    early: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    order: tuple[int, ...] = ()
    span: SpanSpec | None = None
    judge: Judge | None = None
    ignored: ErrorTypes = ()
    after: Callable[[], None] | None = None

    def open(self, early: tuple[object, ...]) -> Frame:
        """Start a call."""
        return Frame(self, early)


class Frame:
    """One call under way. Its methods never raise."""

    __slots__ = ("active", "cell", "done", "early", "plan", "scope", "span", "started", "token")

    def __init__(self, plan: FramePlan, early: tuple[object, ...]) -> None:
        self.plan = plan
        self.early = early
        self.cell = None if plan.late else plan.cell
        self.active: ActiveCell | None = None
        self.scope: LabelScope | None = None
        self.token: Token[LabelScope | None] | None = None
        self.done = False
        self.span: ActiveSpan | None = None
        if plan.span is not None:
            self.span = ActiveSpan(plan.span, dict(zip(plan.early, map(text_of, early), strict=True)))
        if plan.late:
            self.scope = LabelScope(plan.late, current_scope.get())
        if plan.active is not None:
            self.active = plan.active.find(early)
            next(self.active.tick)
        elif plan.family is not None:
            if self.cell is None:
                self.cell = plan.family.find(early)
            self._tick(self.cell)
        self.started = perf_counter()

    @staticmethod
    def _tick(cell: CallCell) -> None:
        if not next(cell.tick) % 100:
            cell.flush()

    def resume(self) -> Frame:
        """Make the call's span and labels current."""
        if self.span is not None:
            self.span.attach()
        if self.scope is not None:
            self.token = current_scope.set(self.scope)
        return self

    def pause(self) -> None:
        """Put back what was current before; a generator's caller must not see its callee's span."""
        token, self.token = self.token, None
        if token is not None:
            with suppress(ValueError):  # closed in another context: there is nothing to put back there
                current_scope.reset(token)
        if self.span is not None:
            self.span.detach()

    def succeed(self, *result: object) -> None:
        """Record that the call succeeded; a generator that was closed, or is asynchronous, has no ``result``."""
        seconds = perf_counter() - self.started
        try:
            judge = self.plan.judge
            verdict = judge(*result) if judge is not None and result else None
            cell = self._final_cell()
            if self.span is not None and verdict is not None:
                self.span.label("error.type", verdict)
                self.span.mark_failed(verdict)
            if cell is not None and verdict is None and seconds > cell.floor:
                seconds = cell.capture(seconds)
            target = cell if cell is None or verdict is None else cell.failure(verdict)
            # As in a plain wrapper: nothing that may be interrupted between these two.
            self.done = True
            if target is not None:
                target.buffer.append(seconds)
            if self.plan.after is not None and verdict is None:
                self.plan.after()
        except Exception as error:
            self._end_plainly(seconds)
            guard.failed("recording a call", error)

    def fail(self, error: BaseException) -> None:
        """Record that the call raised, unless it had succeeded."""
        if self.done:
            return
        seconds = perf_counter() - self.started
        try:
            cell = self._final_cell()
            target = None
            if cell is not None:
                target, seconds = failed(cell, error, seconds, self.plan.ignored)
            self.done = True
            if target is not None:
                target.buffer.append(seconds)
            if self.span is not None and not isinstance(error, self.plan.ignored):
                self.span.label("error.type", error_type_of(error))
                if not is_cancellation(error):
                    self.span.fail(error)
        except Exception as own:
            self._end_plainly(seconds)
            guard.failed("recording a failure", own)

    def _end_plainly(self, seconds: float) -> None:
        # No room on the stack to name a failure, or a span that raises: the call must not be active for ever.
        if not self.done and self.cell is not None:
            self.done = True
            self.cell.buffer.append(seconds)

    def close(self) -> None:
        """End the span; the call is over, however it went."""
        if self.active is not None:
            next(self.active.ended)
        if self.span is not None:
            self.span.end()

    def _final_cell(self) -> CallCell | None:
        """Return the cell of the call's labels, now that all are known."""
        if self.scope is None or self.cell is not None:
            return self.cell
        given = self.scope.values
        if self.span is not None:
            for label, value in given.items():
                self.span.label(label, text_of(value))
        family = self.plan.family
        if family is None:
            return None
        values = (*self.early, *[given.get(label, "") for label in self.plan.late])
        # Kept before it is ticked: a call that is interrupted in here must not start twice.
        self.cell = family.find(tuple([values[place] for place in self.plan.order]))
        self._tick(self.cell)
        return self.cell
