# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Timers as decorators."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest

import otelkit
from otelkit.exceptions import DeclarationError
from otelkit.instruments.registry import default_registry

PAUSE_S = 0.01


def seconds_of(name: str) -> tuple[int, float]:
    """Return how many durations ``name`` has, and their sum."""
    point = next(found.points[0] for found in default_registry.snapshot() if found.metric.name == name)
    return point.count, point.sum


def test_a_generator_is_timed_until_its_end() -> None:
    """What a generator does between its items is in its duration, and sent values and results pass."""

    @otelkit.timer("timed.generator")
    def echo() -> Generator[Any, Any, str]:
        got = yield "first"
        time.sleep(PAUSE_S)
        yield got
        return "result"

    assert inspect.isgeneratorfunction(echo)
    items = echo()
    assert (next(items), items.send("sent")) == ("first", "sent")
    with pytest.raises(StopIteration, match="result"):
        next(items)
    count, total = seconds_of("timed.generator")
    assert count == 1
    assert total >= PAUSE_S


def test_an_async_generator_is_timed_until_its_end() -> None:
    """An async generator's awaits are in its duration; what is sent or thrown in reaches it."""

    @otelkit.timer("timed.async_generator")
    async def echo() -> AsyncGenerator[Any, Any]:
        try:
            got = yield "first"
            await asyncio.sleep(PAUSE_S)
            yield got
        except ValueError:
            yield "caught"

    async def use() -> list[Any]:
        items = echo()
        return [
            await anext(items),
            await items.asend("sent"),
            await items.athrow(ValueError()),
            *[i async for i in items],
        ]

    assert inspect.isasyncgenfunction(echo)
    assert asyncio.run(use()) == ["first", "sent", "caught"]
    count, total = seconds_of("timed.async_generator")
    assert count == 1
    assert total >= PAUSE_S


def test_static_and_class_methods_stay_what_they_are() -> None:
    """A timer above @staticmethod or @classmethod leaves calls on class and instance as they were."""

    class Shop:
        @otelkit.timer("timed.static")
        @staticmethod
        def price(amount: int) -> int:
            return amount

        @otelkit.timer("timed.class")
        @classmethod
        def open(cls) -> type:
            return cls

    assert (Shop.price(3), Shop().price(4), Shop.open(), Shop().open()) == (3, 4, Shop, Shop)
    assert (seconds_of("timed.static")[0], seconds_of("timed.class")[0]) == (2, 2)


@pytest.mark.parametrize("target", [int, 5, property(lambda self: 1)])
def test_what_is_no_function_is_refused(target: Any) -> None:
    """A timer decorates functions only, and says so."""
    with pytest.raises(DeclarationError, match="Expected a function"):
        otelkit.timer("timed.nothing")(target)
