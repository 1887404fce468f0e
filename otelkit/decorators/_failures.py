# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How a call failed: the name of the error, and whether it was one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otelkit._core._call_cell import OTHER_ERROR, CallCell
from otelkit._core._guard import guard
from otelkit._core._histogram_cell import HistogramCell

ErrorTypes = tuple[type[BaseException], ...]

_CANCELLATIONS = frozenset({"CancelledError", "Cancelled", "GeneratorExit"})
"""asyncio's, concurrent.futures', trio's and a closed coroutine's, by name: importing none of them."""


def error_type_of(error: BaseException) -> str:
    """Return the conventions' error.type: the qualified class, builtins bare."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def is_cancellation(error: BaseException) -> bool:
    """Tell whether ``error`` means that the caller lost interest, not that the call failed."""
    return type(error).__name__ in _CANCELLATIONS


def failed(
    cell: CallCell, error: BaseException, seconds: float, ignored: ErrorTypes = ()
) -> tuple[HistogramCell, float]:
    """
    Return where the duration of a call that ended with ``error`` belongs, and the duration, maybe as an exemplar.

    An ignored error is a success. The caller appends, so that an asynchronous
    exception cannot land between the record and the note that it was made.
    """
    target: HistogramCell = cell
    try:
        if not (ignored and isinstance(error, ignored)):
            target = cell.failure(error_type_of(error), is_cancellation(error))
    except Exception as own:
        guard.failed("naming a failure", own)
        target = cell.failure(OTHER_ERROR)
    if target is not cell and not next(target.tick) % 100:
        target.flush()
    if seconds > target.floor:
        seconds = target.capture(seconds)
    return target, seconds


class Judge:
    """
    Asks the user's ``record_error_if`` about a result.

    The predicate returns a false value for success, text for an error type of
    its own, anything else true for an error without a name.
    """

    __slots__ = ("predicate",)

    def __init__(self, predicate: Callable[[Any], Any]) -> None:
        self.predicate = predicate

    def __call__(self, result: Any) -> str | None:
        """Return the error type, or None for success; a predicate that raises is counted and means success."""
        try:
            verdict = self.predicate(result)
            if not verdict:
                return None
            return verdict if isinstance(verdict, str) else OTHER_ERROR
        except Exception as error:
            guard.failed("record_error_if", error)
            return None
