# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Generators and async generators: one call each, however they end, and a span that never leaks to the consumer."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry import trace
from support.metrics import fresh, series, total

import otelkit
from otelkit import testing

DECORATORS = pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.observed])


def _counts(name: str) -> tuple[float, ...]:
    return tuple(total(f"{name}.{part}") for part in ("calls", "active_calls", "errors", "duration"))


def _span() -> Any:
    return trace.get_current_span().get_span_context().span_id


@DECORATORS
def test_a_generator_behaves_as_undecorated(decorator: Any) -> None:
    """Items, sent values, thrown exceptions, ``close`` and the returned value pass through."""
    name = fresh("generator")
    log: list[object] = []

    @decorator(name=name)
    def echo(count: int) -> Any:
        try:
            for index in range(count):
                try:
                    log.append((yield index))
                except KeyError as error:
                    log.append(error)
        finally:
            log.append("closed")
        return "result"

    def delegating() -> Any:
        return (yield from echo(1))

    assert list(echo(3)) == [0, 1, 2]
    generator = echo(9)
    assert next(generator) == 0
    assert generator.send("sent") == 1
    thrown = KeyError("thrown")
    assert generator.throw(thrown) == 2
    generator.close()
    assert log == [None, None, None, "closed", "sent", thrown, "closed"]
    outer = delegating()
    next(outer)
    with pytest.raises(StopIteration) as stopped:
        next(outer)
    assert stopped.value.value == "result"
    assert _counts(name) == (3, 0, 0, 3)


@DECORATORS
def test_a_generator_that_raises_is_an_error_and_one_never_advanced_is_no_call(decorator: Any) -> None:
    """The exception is the same object; a generator that nobody asked for an item did not start."""
    name = fresh("generator")
    error = ValueError()

    @decorator(name=name)
    def items() -> Iterator[int]:
        yield 1
        raise error

    items()
    items().close()
    assert total(f"{name}.calls") == 0
    generator = items()
    next(generator)
    assert total(f"{name}.active_calls") == 1
    with pytest.raises(ValueError) as caught:
        next(generator)
    assert caught.value is error
    assert _counts(name) == (1, 0, 1, 1)


@DECORATORS
def test_an_exception_thrown_in_and_not_caught_is_an_error(decorator: Any) -> None:
    """It comes out as the very object that went in, without a context of ours."""
    name = fresh("generator")

    @decorator(name=name)
    def items() -> Iterator[int]:
        yield 1

    generator = items()
    next(generator)
    error = ValueError()
    with pytest.raises(ValueError) as caught:
        generator.throw(error)  # type: ignore[attr-defined]
    assert caught.value is error
    assert error.__context__ is None
    assert _counts(name) == (1, 0, 1, 1)


@DECORATORS
def test_labels_of_generators(decorator: Any) -> None:
    """From the argument, and given between two items."""
    name = fresh("generator")

    @decorator(name=name, labels=["kind", "late"])
    def items(kind: str) -> Iterator[int]:
        yield 1
        otelkit.add_label("late", "x")
        yield 2

    for _ in items("a"):
        pass
    assert series(f"{name}.calls") == {(("kind", "a"), ("late", "x")): 1}
    assert total(f"{name}.active_calls") == 0


def test_a_generator_s_span_is_current_inside_and_never_outside() -> None:
    """Between two items the consumer sees its own span, also with generators interleaved and left open."""
    inside: list[int] = []

    @otelkit.traced
    def items() -> Iterator[int]:
        inside.append(_span())
        yield 1
        inside.append(_span())
        yield 2

    @otelkit.traced
    def consume() -> None:
        outside = _span()
        one, two = items(), items()
        for _ in range(2):
            next(one)
            assert _span() == outside
            next(two)
            assert _span() == outside
        del one
        gc.collect()
        assert _span() == outside
        two.close()  # type: ignore[attr-defined]

    with testing.capture() as telemetry:
        consume()
        assert _span() == 0
    spans = {span.name.rpartition(".")[2]: span for span in telemetry.spans}
    assert len(telemetry.spans) == 3
    assert inside[0] == inside[2] != inside[1] == inside[3]
    assert spans["items"].parent is not None
    assert spans["items"].parent.span_id == spans["consume"].context.span_id


# -- async generators -------------------------------------------------------------


@DECORATORS
def test_an_async_generator_behaves_as_undecorated(decorator: Any) -> None:
    """Items, sent values, thrown exceptions and ``aclose``."""
    name = fresh("asyncgen")
    log: list[object] = []

    @decorator(name=name)
    async def echo(count: int) -> Any:
        try:
            for index in range(count):
                await asyncio.sleep(0)
                try:
                    log.append((yield index))
                except KeyError as error:
                    log.append(error)
        finally:
            log.append("closed")

    async def main() -> None:
        assert [item async for item in echo(3)] == [0, 1, 2]
        generator = echo(9)
        assert await anext(generator) == 0
        assert await generator.asend("sent") == 1
        thrown = KeyError("thrown")
        assert await generator.athrow(thrown) == 2
        await generator.aclose()
        assert log == [None, None, None, "closed", "sent", thrown, "closed"]
        error = ValueError()
        generator = echo(2)
        await anext(generator)
        with pytest.raises(ValueError) as caught:
            await generator.athrow(error)
        assert caught.value is error
        echo(5)

    asyncio.run(main())
    assert _counts(name) == (3, 0, 1, 3)


@DECORATORS
def test_an_exception_after_a_caught_one_has_no_false_context(decorator: Any) -> None:
    """A generator that dealt with what was thrown in, and fails later, fails for itself."""

    @decorator(name=fresh("asyncgen"))
    async def items() -> AsyncIterator[int]:
        with suppress(KeyError):
            yield 1
        raise ValueError

    async def main() -> ValueError:
        generator: Any = items()
        await anext(generator)
        with pytest.raises(ValueError) as caught:
            await generator.athrow(KeyError())
        return caught.value

    assert asyncio.run(main()).__context__ is None


def test_an_async_generator_s_span_is_current_inside_and_never_outside(caplog: pytest.LogCaptureFixture) -> None:
    """Also when another task closes it, or nobody does: no span leaks, and nothing is logged about contexts."""
    inside: list[int] = []

    @otelkit.traced
    async def items() -> AsyncIterator[int]:
        inside.append(_span())
        yield 1
        await asyncio.sleep(0)
        inside.append(_span())
        yield 2

    async def main() -> None:
        one: Any = items()
        two: Any = items()
        await anext(one)
        assert _span() == 0
        await anext(two)
        await anext(two)
        assert _span() == 0
        await asyncio.create_task(two.aclose())
        del one
        gc.collect()
        await asyncio.sleep(0.01)
        async for _ in items():
            assert _span() == 0
            break

    with caplog.at_level(logging.DEBUG), testing.capture() as telemetry:
        asyncio.run(main())
    assert len(telemetry.spans) == 3
    assert len(set(inside)) == 3
    assert "Failed to detach context" not in caplog.text


def test_a_cancelled_async_generator_is_no_error() -> None:
    """The cancellation reaches the generator inside, and is a duration."""
    name = fresh("asyncgen")

    @otelkit.observed(name=name)
    async def items() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(10)

    async def consume() -> None:
        async for _ in items():
            pass

    async def main() -> None:
        task = asyncio.create_task(consume())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert _counts(name) == (1, 0, 0, 1)
