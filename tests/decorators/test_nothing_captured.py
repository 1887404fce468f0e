# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""No decorator records an argument or a result that was not asked for by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import otelkit
from otelkit.testing import Telemetry, capture

_ARGUMENT = "argument-7f3a"
_RESULT = "result-7f3a"

DECORATORS: dict[str, Callable[[Any], Any]] = {
    "metered": otelkit.metered,
    "metered by name": otelkit.metered(name="t.captured.named", labels=["tier"]),
    "traced": otelkit.traced,
    "observed": otelkit.observed,
    "observed with labels": otelkit.observed(name="t.captured.observed", labels=["tier", "late"]),
    "record_error_if": otelkit.observed(record_error_if=lambda result: _RESULT in str(result)),
    "job": otelkit.job(name="t.captured.job"),
    "event_handler": otelkit.event_handler("t.captured.event"),
}


def everything(telemetry: Telemetry) -> str:
    """Return all that was recorded, as text."""
    spans = "".join(span.to_json() for span in telemetry.spans)
    return f"{telemetry.snapshot()!r} {spans}"


@pytest.mark.parametrize("name", DECORATORS)
def test_functions(name: str) -> None:
    """Functions, coroutines, generators and async generators, called by position, keyword and default."""

    def plain(payload: Any, *more: Any, tier: str = "free", **rest: Any) -> Any:
        return [_RESULT, payload]

    async def coroutine(payload: Any, *more: Any, tier: str = "free", **rest: Any) -> Any:
        return [_RESULT, payload]

    def generator(payload: Any, *more: Any, tier: str = "free", **rest: Any) -> Iterator[Any]:
        yield _RESULT

    async def async_generator(payload: Any, *more: Any, tier: str = "free", **rest: Any) -> AsyncIterator[Any]:
        yield _RESULT

    async def drained(call: Callable[..., Any]) -> list[Any]:
        return [item async for item in call({"id": _ARGUMENT}, _ARGUMENT, other=_ARGUMENT)]

    decorate = DECORATORS[name]
    with capture() as telemetry:
        assert decorate(plain)({"id": _ARGUMENT}, _ARGUMENT, other=_ARGUMENT)[0] == _RESULT
        assert asyncio.run(decorate(coroutine)({"id": _ARGUMENT}, _ARGUMENT, other=_ARGUMENT))[0] == _RESULT
        assert list(decorate(generator)({"id": _ARGUMENT}, _ARGUMENT, other=_ARGUMENT)) == [_RESULT]
        assert asyncio.run(drained(decorate(async_generator))) == [_RESULT]
        recorded = everything(telemetry)
    assert len(recorded) > 200
    assert _ARGUMENT not in recorded
    assert _RESULT not in recorded


def test_services() -> None:
    """Neither of a method's arguments, nor of the object's own state."""

    @otelkit.service(prefix="t_captured_")
    class Orders:
        def __init__(self, dsn: str) -> None:
            self.dsn = dsn

        def __repr__(self) -> str:
            return f"Orders({self.dsn})"

        def get(self, order_id: str) -> str:
            return _RESULT

        @otelkit.action(labels=["tier"])
        async def find(self, order_id: str, tier: str) -> str:
            return _RESULT

    with capture() as telemetry:
        orders = Orders(_ARGUMENT)
        assert orders.get(_ARGUMENT) == _RESULT
        assert asyncio.run(orders.find(_ARGUMENT, tier="gold")) == _RESULT
        recorded = everything(telemetry)
    assert "gold" in recorded
    assert _ARGUMENT not in recorded
    assert _RESULT not in recorded


def test_publishers() -> None:
    """An event's name is recorded, its contents are not."""

    class Paid:
        def __init__(self, card: str) -> None:
            self.card = card

        def __repr__(self) -> str:
            return f"Paid({self.card})"

    @otelkit.publisher
    class Bus:
        def publish(self, event: Any, payload: str = "") -> str:
            return _RESULT

    with capture() as telemetry:
        assert Bus().publish("t.captured.paid", _ARGUMENT) == _RESULT
        assert Bus().publish(Paid(_ARGUMENT), payload=_ARGUMENT) == _RESULT
        recorded = everything(telemetry)
    assert "t.captured.paid" in recorded
    assert _ARGUMENT not in recorded
    assert _RESULT not in recorded


def test_what_is_asked_for_is_recorded() -> None:
    """A label is: so the tests above look at the right place."""

    @otelkit.observed(name="t.captured.asked", labels=["payload", "late"])
    def ask(payload: str) -> str:
        otelkit.add_label("late", _RESULT)
        return _RESULT

    with capture() as telemetry:
        ask(_ARGUMENT)
        recorded = everything(telemetry)
    assert _ARGUMENT in recorded
    assert _RESULT in recorded


def test_exceptions_are_told_by_their_message_only() -> None:
    """The message is the program's own words; arguments of the call are no part of it."""

    @otelkit.observed
    def fail(payload: str) -> None:
        raise ValueError("refused")

    with capture() as telemetry:
        with pytest.raises(ValueError, match="refused"):
            fail(_ARGUMENT)
        recorded = everything(telemetry)
    assert "refused" in recorded
    assert _ARGUMENT not in recorded
