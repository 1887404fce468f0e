# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
One synchronous call as an inference: for engines whose own call takes microseconds.

It records what a step records, except for span and phases, at half of a step's cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from otelkit._core._guard import guard
from otelkit.decorators._failures import failed
from otelkit.loops._outside import outside

if TYPE_CHECKING:
    from otelkit._core._call_cell import CallCell
    from otelkit.loops.recorder import Inference

__all__ = ("plain_call",)


class _UnderWay:
    """What is recording while a plain call runs; one for all, as no call outlives itself."""

    running = True


_under_way = _UnderWay()


def plain_call(
    recorder: Inference,
    batch_size: float | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """
    Call ``function(*args, **kwargs)`` and record it; returns and raises what it does.

    Args:
        recorder: Of the model.
        batch_size: Items in it, >= 0; None if not known.
        function, args, kwargs: The call. It runs, and ends, in this thread and context.
    """
    series = recorder.series(None) if recorder.on else None
    if series is None or not series.usable:
        return function(*args, **kwargs)
    calls = series.calls
    outer = outside.get()
    done = False
    started = perf_counter()
    try:
        # Set and put back without a token: a signal handler of the program's may raise before that could be kept.
        outside.set(_under_way)
        if not next(calls.tick) % 100:
            calls.flush()
        result = function(*args, **kwargs)
        seconds = perf_counter() - started
        if seconds > calls.floor:
            seconds = calls.capture(seconds)
        # As in a decorated function: nothing that may be interrupted between these two.
        done = True
        calls.buffer.append(seconds)
        if batch_size is not None:
            series.sizes.observe(batch_size)
        return result
    except BaseException as error:
        if not done:
            _fail(calls, error, perf_counter() - started)
        raise
    finally:
        outside.set(outer)


def _fail(calls: CallCell, error: BaseException, seconds: float) -> None:
    with guard.shield("recording a failed inference"):
        target, seconds = failed(calls, error, seconds)
        target.buffer.append(seconds)
