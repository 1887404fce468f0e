# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Timers as decorators: one wrapper for each kind of function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._timing import Timing
from otelkit.exceptions import DeclarationError

Function = Callable[..., Any]


def timed(function: Any, cell: HistogramCell | None) -> Any:
    """
    Return ``function`` with every call's seconds recorded, however it ends.

    A generator is one call, from the first item asked for to its end.

    Raises:
        DeclarationError: Not a function.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return type(function)(timed(function.__func__, cell))
    if inspect.isclass(function) or not callable(function):
        raise DeclarationError("a function", function, "a timer as decorator")
    make = _function
    if inspect.iscoroutinefunction(function):
        make = _coroutine
    elif inspect.isgeneratorfunction(function):
        make = _generator
    elif inspect.isasyncgenfunction(function):
        make = _async_generator
    return functools.update_wrapper(make(function, cell), function)


def _function(function: Function, cell: HistogramCell | None) -> Function:
    def call(*args: Any, **kwargs: Any) -> Any:
        with Timing(cell):
            return function(*args, **kwargs)

    return call


def _coroutine(function: Function, cell: HistogramCell | None) -> Function:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with Timing(cell):
            return await function(*args, **kwargs)

    return call


def _generator(function: Function, cell: HistogramCell | None) -> Function:
    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with Timing(cell):
            return (yield from function(*args, **kwargs))

    return call


def _async_generator(function: Function, cell: HistogramCell | None) -> Function:
    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        with Timing(cell):
            generator = function(*args, **kwargs)
            resume, value = generator.asend, None
            try:
                while True:  # what `yield from` would be for async generators (PEP 380)
                    item = await resume(value)
                    try:
                        value = yield item
                        resume = generator.asend
                    except GeneratorExit:
                        await generator.aclose()
                        raise
                    except BaseException as error:
                        resume, value = generator.athrow, error
            except StopAsyncIteration:
                pass

    return call
