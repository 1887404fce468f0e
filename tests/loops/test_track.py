# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`otelkit.track`: any loop, its waits and its work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.metrics import fresh

import otelkit
from otelkit._core._guard import guard
from otelkit.exceptions import DeclarationError
from otelkit.testing import Telemetry, capture


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What a test records."""
    with capture() as captured:
        yield captured


@pytest.fixture
def name() -> str:
    """A loop that no other test has."""
    return fresh("loop")


def of(name: str, **more: str) -> dict[str, str]:
    """Return labels."""
    return {"inference.engine": "loop", "inference.model": name, **more}


def amount(telemetry: Telemetry, metric: str, name: str) -> float:
    """Return the sum of a histogram."""
    return sum(point.sum for point in telemetry.points(f"inference.{metric}", of(name)))  # type: ignore[union-attr]


def test_each_iteration_is_a_step(telemetry: Telemetry, name: str) -> None:
    """Elements come through as they are, and are counted with their items."""
    batches = [[1, 2], [3], [], [4, 5, 6]]
    assert list(otelkit.track(batches, name=name, batch_size=len)) == batches
    assert telemetry.value("inference.requests", of(name)) == 4
    assert telemetry.value("inference.duration", of(name)) == 4
    assert telemetry.value("inference.wait_time", of(name)) == 4
    assert telemetry.value("inference.items", of(name)) == 6
    assert telemetry.value("inference.active_requests", of(name)) == 0
    assert telemetry.value("inference.errors", of(name)) == 0


@pytest.mark.parametrize(("size", "items"), [(None, 3), (32, 96), (lambda element: element, 6)])
def test_items_by_number_callable_or_one_each(telemetry: Telemetry, name: str, size: Any, items: int) -> None:
    """A number for all batches, a callable for each, or one item an element."""
    for _ in otelkit.track([1, 2, 3], name=name, batch_size=size):
        pass
    assert telemetry.value("inference.items", of(name)) == items


def test_waiting_is_told_from_working(telemetry: Telemetry, name: str) -> None:
    """What the iterable takes is waiting, what the body takes is work."""

    def slow() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.02)
            yield number

    loop = otelkit.track(slow(), name=name)
    for _ in loop:
        time.sleep(0.05)
    assert amount(telemetry, "wait_time", name) >= 0.06
    assert amount(telemetry, "duration", name) >= 0.15
    assert loop.work_s == pytest.approx(amount(telemetry, "duration", name))
    assert loop.wait_s >= 0.06
    assert (loop.iterations, loop.items, loop.errors) == (3, 3, 0)


def test_the_first_iterations_can_be_warm_up(telemetry: Telemetry, name: str) -> None:
    """As many as are said; none by default."""
    for _ in otelkit.track(range(10), name=name, warmup=3):
        pass
    assert telemetry.value("inference.requests", of(name, **{"inference.warmup": "true"})) == 3
    assert telemetry.value("inference.requests", of(name, **{"inference.warmup": "false"})) == 7


def test_leaving_early_ends_the_last_iteration(telemetry: Telemetry, name: str) -> None:
    """`break` is a good end."""
    for number in otelkit.track(range(10), name=name):
        if number == 3:
            break
    assert telemetry.value("inference.requests", of(name)) == 4
    assert telemetry.value("inference.duration", of(name)) == 4
    assert telemetry.value("inference.active_requests", of(name)) == 0


def test_an_error_of_the_body_is_seen_by_a_with_block(telemetry: Telemetry, name: str) -> None:
    """By type; the iterations before it were good ones."""
    error = KeyError("mine")
    loop = otelkit.track(range(10), name=name)

    def run() -> None:
        with loop:
            for number in loop:
                if number == 2:
                    raise error

    with pytest.raises(KeyError) as caught:
        run()
    assert caught.value is error
    assert telemetry.value("inference.errors", of(name, **{"error.type": "KeyError"})) == 1
    assert telemetry.value("inference.requests", of(name)) == telemetry.value("inference.duration", of(name)) == 3
    assert telemetry.value("inference.items", of(name)) == 2
    assert loop.errors == 1


def test_a_with_block_that_is_left_well_has_no_error(telemetry: Telemetry, name: str) -> None:
    """By `break`, or at the end."""
    with otelkit.track(range(5), name=name) as loop:
        for number in loop:
            if number == 1:
                break
    with otelkit.track(range(5), name=name) as loop:
        for _ in loop:
            pass
    assert telemetry.value("inference.requests", of(name)) == telemetry.value("inference.duration", of(name)) == 7
    assert telemetry.value("inference.errors", of(name)) == 0


def test_an_error_that_the_body_handles_can_be_said(telemetry: Telemetry, name: str) -> None:
    """The iteration is counted as failed, the next one is not."""
    loop = otelkit.track(range(4), name=name)
    for number in loop:
        try:
            1 / number
        except ZeroDivisionError as error:
            loop.failed(error)
    assert telemetry.value("inference.errors", of(name, **{"error.type": "ZeroDivisionError"})) == 1
    assert telemetry.value("inference.items", of(name)) == 3
    assert loop.errors == 1


def test_an_error_of_the_iterable_passes_and_is_counted(telemetry: Telemetry, name: str) -> None:
    """As a request that failed while it was waited for."""

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        list(otelkit.track(broken(), name=name))
    assert telemetry.value("inference.errors", of(name, **{"error.type": "OSError"})) == 1
    assert telemetry.value("inference.requests", of(name)) == 2
    assert telemetry.value("inference.items", of(name)) == 1
    assert telemetry.value("inference.active_requests", of(name)) == 0


def test_nested_loops(telemetry: Telemetry, name: str) -> None:
    """Each is a series of its own."""
    inner = fresh("loop")
    for _ in otelkit.track(range(3), name=name):
        for _ in otelkit.track(range(5), name=inner):
            pass
    assert telemetry.value("inference.requests", of(name)) == 3
    assert telemetry.value("inference.requests", of(inner)) == 15


def test_a_loop_hides_nothing_that_happens_in_it(telemetry: Telemetry, name: str) -> None:
    """What an engine records in the body is recorded beside the loop, and so are its spans where they belong."""
    inner = fresh("model")
    for _ in otelkit.track(range(3), name=name):
        with otelkit.inference(inner):
            pass
    assert telemetry.value("inference.requests", {"inference.model": inner}) == 3
    assert telemetry.value("inference.requests", of(name)) == 3


def test_async_loops(telemetry: Telemetry, name: str) -> None:
    """The same for `async for`, left early and to the end."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(5):
            await asyncio.sleep(0.001)
            yield number

    async def main() -> list[int]:
        found = [number async for number in otelkit.track(numbers(), name=name, batch_size=2)]
        source = numbers()
        async for number in otelkit.track(source, name=name, batch_size=2):
            if number == 1:
                break
        await source.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]
    assert telemetry.value("inference.requests", of(name)) == telemetry.value("inference.duration", of(name)) == 7
    assert telemetry.value("inference.items", of(name)) == 14
    assert amount(telemetry, "wait_time", name) >= 0.007


def test_lengths(name: str) -> None:
    """That of the iterable, or as it was said, or none."""
    assert len(otelkit.track([1, 2], name=name)) == 2
    assert len(otelkit.track(iter([1, 2]), name=name, total=2)) == 2
    assert "1 of ?" in repr(_advanced(otelkit.track(iter([1, 2]), name=name)))
    with pytest.raises(TypeError, match="not known"):
        len(otelkit.track(iter([1, 2]), name=name))


def _advanced(loop: otelkit.loops.track.Track[int]) -> Any:  # type: ignore[name-defined]
    for _ in loop:
        break
    return loop


def test_a_wrong_size_costs_only_itself(telemetry: Telemetry, name: str) -> None:
    """The loop goes on, and otelkit counts its failure."""

    def failures() -> int:
        return sum(items for what, _, items in guard.tallies() if what == "failures")

    before = failures()
    assert list(otelkit.track([1, 2], name=name, batch_size=len)) == [1, 2]  # type: ignore[arg-type]
    assert failures() == before + 2
    assert telemetry.value("inference.requests", of(name)) == 2
    assert telemetry.value("inference.items", of(name)) == 0


def test_mistakes_raise_at_once(name: str) -> None:
    """Before the loop begins."""
    with pytest.raises(DeclarationError, match="something to iterate over"):
        otelkit.track(7, name=name)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="batch_size as a number or a callable"):
        otelkit.track([], name=name, batch_size="len")  # type: ignore[arg-type]


def test_ten_thousand_iterations_are_counted_exactly(telemetry: Telemetry, name: str) -> None:
    """And so are their items."""
    for _ in otelkit.track(range(10_000), name=name, batch_size=3):
        pass
    assert telemetry.value("inference.requests", of(name)) == 10_000
    assert telemetry.value("inference.items", of(name)) == 30_000
