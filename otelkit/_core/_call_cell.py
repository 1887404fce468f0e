# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The cell of a call: one tick when it starts, one duration when it ends.

Requests, active, errors and duration are all derived from these when somebody
reads; a call pays for none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otelkit._core._cell import Cell, ticked
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._snapshot import Attributes, ExponentialPoint, HistogramPoint, NumberPoint

if TYPE_CHECKING:
    from otelkit._core._family import CallFamily
    from otelkit._core._labels import Key

OTHER_ERROR = "_OTHER"
"""The conventions' error.type for failures without a class, or beyond `ERROR_TYPES`."""

ERROR_TYPES = 50
"""Error types that one cell tells apart; more are counted as `OTHER_ERROR`."""

DurationPoint = HistogramPoint | ExponentialPoint


class FailureCell(HistogramCell):
    """The durations of a call's failures of one error type."""

    __slots__ = ("cancelled",)

    def __init__(self, family: CallFamily, key: Key, attributes: Attributes, cancelled: bool) -> None:
        self.cancelled = cancelled
        super().__init__(family, key, attributes)


class CallCell(HistogramCell):
    """
    One decorated function's, action's or job's calls with one set of labels.

    The buffer holds the durations of calls that succeeded; failures have
    cells of their own, by error type.
    """

    __slots__ = ("failures", "offset")

    family: CallFamily

    def reset(self) -> None:
        super().reset()
        self.failures: dict[str, FailureCell] | None = None
        self.offset = 0

    def failure(self, error_type: str, cancelled: bool = False) -> FailureCell:
        """Return the cell for calls that end with ``error_type``; a cancelled one is no error."""
        failures = self.failures
        cell = None if failures is None else failures.get(error_type)
        return self._create_failure(error_type, cancelled) if cell is None else cell

    def _create_failure(self, error_type: str, cancelled: bool) -> FailureCell:
        # Locked: of two threads that each made the dictionary one would record into nowhere.
        with self.family.lock:
            failures = self.failures
            if failures is None:
                failures = self.failures = {}
            if len(failures) >= ERROR_TYPES and not cancelled and error_type not in failures:
                error_type = OTHER_ERROR
            attributes = Attributes(self.attributes)
            attributes["error.type"] = error_type
            return failures.setdefault(error_type, FailureCell(self.family, self.key, attributes, cancelled))

    def started(self) -> int:
        """Return how many calls were started."""
        return ticked(self.tick)

    def points(
        self, now_ns: int, reader: int | None
    ) -> tuple[NumberPoint, NumberPoint, list[NumberPoint], list[DurationPoint]]:
        """Return calls, active calls, errors by type, and durations."""
        durations = [self.point(now_ns, reader)]
        ended = self.count
        errors: list[NumberPoint] = []
        for failure in list((self.failures or {}).values()):
            durations.append(failure.point(now_ns, reader))
            ended += failure.count
            if not failure.cancelled:
                exemplar = next(reversed((failure.exemplars or {}).values()), None)
                errors.append(NumberPoint(failure.attributes, failure.start_ns, now_ns, failure.count, exemplar))
        # Read last: a call that starts meanwhile is then active, never the reverse.
        started = self.started()
        if started + self.offset < ended:  # a call that forked ends in the child, too, where it never started
            self.offset = ended - started
        active = started + self.offset - ended
        return (
            NumberPoint(self.attributes, self.start_ns, now_ns, started),
            NumberPoint(self.attributes, self.start_ns, now_ns, active),
            errors,
            [point for point in durations if point is not None],
        )


class ActiveCell(Cell):
    """Calls under way whose last labels are not known before they end: started and ended, nothing else."""

    __slots__ = ("ended", "offset")

    def reset(self) -> None:
        super().reset()
        self.ended = type(self.tick)(1)
        self.offset = 0

    def drain(self) -> None:
        """Nothing is ever buffered."""

    def point(self, now_ns: int) -> NumberPoint:
        """Return started less ended."""
        ended = ticked(self.ended)
        started = ticked(self.tick)
        if started + self.offset < ended:
            self.offset = ended - started
        return NumberPoint(self.attributes, self.start_ns, now_ns, started + self.offset - ended)
