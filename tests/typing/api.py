# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
User code as pyright sees it; never run.

Right calls must have these types. Wrong calls must be errors: each is ignored by its rule, and an ignore that is not
needed is an error of its own.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true, reportUnusedCoroutine=false, reportUnusedFunction=false

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, assert_type

import otelkit
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._number_cells import CounterCell, GaugeCell, UpDownCell
from otelkit._core._summary_cell import SummaryCell
from otelkit._core._timing import Timing
from otelkit.instruments.histogram import BoundTimer, Timer
from otelkit.loops.by_hand import MarkedStep


@otelkit.metered
def price(order: int, *, currency: str = "EUR") -> float:
    return float(order)


@otelkit.metered(name="discover", prefix="dht_", labels=["tier"], buckets=[0.1, 1], ignore=KeyError)
async def discover(tier: str) -> list[int]:
    return [len(tier)]


def size(items: list[int]) -> int:
    return len(items)


@otelkit.observed(labels={"size": size, "zone": "eu"}, record_error_if=lambda result: not result)
def items(items: list[int]) -> Iterator[int]:
    yield from items


@otelkit.traced(name="stream")
async def stream(count: int) -> AsyncIterator[str]:
    yield str(count)


@otelkit.job(name="cleanup")
def cleanup(days: int = 7) -> None: ...


@otelkit.event_handler("payment.completed", emitted_at=lambda event: event["at"])
async def on_payment(event: dict[str, Any]) -> bool:
    return bool(event)


@otelkit.service(prefix="api_gateway_")
class Orders:
    @otelkit.action(labels=["user_tier"])
    def get(self, order_id: int) -> str:
        otelkit.add_label("user_tier", "free")
        return str(order_id)

    @otelkit.metered
    @staticmethod
    def parse(text: str) -> int:
        return int(text)

    @classmethod
    @otelkit.metered
    def make(cls, size: int) -> Orders:
        return cls()


@otelkit.publisher
class Events:
    def publish(self, event: str) -> None: ...


async def calls() -> None:
    assert_type(price(1, currency="USD"), float)
    assert_type(await discover("gold"), list[int])
    assert_type(items([1]), Iterator[int])
    assert_type(stream(1), AsyncIterator[str])
    assert_type(cleanup(days=1), None)
    assert_type(await on_payment({}), bool)
    assert_type(Orders().get(1), str)
    assert_type(Orders.make(1), Orders)
    assert_type(Events().publish("x"), None)
    loose: Callable[[int], float] = price
    loose(1)


def wrong_calls() -> None:
    price("1")  # pyright: ignore[reportArgumentType]
    price(1, curency="USD")  # pyright: ignore[reportCallIssue]
    discover(5)  # pyright: ignore[reportArgumentType]
    discover()  # pyright: ignore[reportCallIssue]
    Orders().get("1")  # pyright: ignore[reportArgumentType]
    Orders().nothing()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    cleanup("x")  # pyright: ignore[reportArgumentType]
    otelkit.metered(nme="x")  # pyright: ignore[reportCallIssue]
    otelkit.metered(buckets=["x"])  # pyright: ignore[reportArgumentType]


def instruments() -> None:
    counter = otelkit.counter("orders", labels=["source"], unit="{order}")
    assert_type(counter.labels(source="web"), CounterCell)
    assert_type(counter.increment(2, source="web"), None)
    assert_type(otelkit.gauge("ratio", callback=lambda: 0.5).labels(), GaugeCell)
    assert_type(otelkit.up_down_counter("queue").labels(), UpDownCell)
    assert_type(otelkit.histogram("sizes").labels(), HistogramCell)
    assert_type(otelkit.summary("latency").labels(), SummaryCell)
    assert_type(otelkit.rate("orders.rate", counter).value(source="web"), float)
    assert_type(otelkit.timer("fetch", labels=["priority"]), Timer)
    assert_type(otelkit.timer("fetch", priority="high"), BoundTimer)
    with otelkit.timer("fetch", priority="high") as timing:
        assert_type(timing, Timing)
    otelkit.increment("orders", source="web")
    otelkit.observe("sizes", 5)
    otelkit.set("ratio", 0.5)

    counter.increment("1")  # pyright: ignore[reportArgumentType]
    counter.labels(source="web").observe(1)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    otelkit.counter("orders", labels=5)  # pyright: ignore[reportArgumentType]
    otelkit.observe("sizes", "5")  # pyright: ignore[reportArgumentType]
    otelkit.rate("orders.rate", 5)  # pyright: ignore[reportArgumentType]


@otelkit.timer("decorated")
def timed(value: int) -> int:
    return value


def timers() -> None:
    assert_type(timed(1), int)
    timed("1")  # pyright: ignore[reportArgumentType]


@otelkit.inference("ranker", batch_size=len)
def score(rows: list[int]) -> float:
    return float(sum(rows))


async def inferences(batches: list[list[int]], stream: AsyncIterator[str]) -> None:
    assert_type(score([1]), float)
    with otelkit.inference("ranker", batch_size=3) as step:
        assert_type(step, MarkedStep)
        with step.phase("compute"):
            step.device_time(0.1)
    async with otelkit.inference("ranker"):
        pass
    for batch in otelkit.track(batches, name="train", batch_size=len):
        assert_type(batch, list[int])
    async for text in otelkit.track(stream, name="stream"):
        assert_type(text, str)
    assert_type(otelkit.instrument("celery", "torch"), tuple[str, ...])
    assert_type(otelkit.uninstrument(), tuple[str, ...])

    score("x")  # pyright: ignore[reportArgumentType]
    otelkit.inference(7)  # pyright: ignore[reportArgumentType]
    otelkit.track(7)  # pyright: ignore[reportArgumentType]
    otelkit.track(batches, batch_size="len")  # pyright: ignore[reportArgumentType]
    otelkit.instrument(7)  # pyright: ignore[reportArgumentType]
