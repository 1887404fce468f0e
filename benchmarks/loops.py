# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The calls under test before anything is added to them, and the loops that time them.

Every rival instruments the same empty bodies, so that what is left after the
bare loop is subtracted is the instrumentation and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any

Loop = Callable[[int], float]
Enter = Callable[[], Callable[[], None]]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""The semantic conventions' buckets for durations, in seconds: the 14 bounds all histograms here have."""

TIER = "gold"
THREADS = 4


@dataclass(frozen=True)
class Timing:
    """A loop over the instrumented call and the same loop over the bare one, each ``loops -> seconds``."""

    loop: Loop
    bare: Loop


def plain() -> int:
    return 1


def labelled(tier: str) -> int:
    return 1


def raising() -> int:
    raise ValueError


async def coroutine() -> int:
    return 1


def generator_1() -> Iterator[int]:
    yield 1


def generator_10() -> Iterator[int]:
    for item in range(10):
        yield item + 1


async def async_generator_1() -> AsyncIterator[int]:
    yield 1


def nothing() -> None:
    """What a recording call is compared with: a call of a Python function that does nothing."""


def time_calls(call: Callable[[], Any]) -> Loop:
    """Time ``call()``."""

    def loop(loops: int) -> float:
        iterations = repeat(None, loops)
        start = perf_counter()
        for _ in iterations:
            call()
        return perf_counter() - start

    return loop


def time_calls_with_tier(call: Callable[[str], Any]) -> Loop:
    """Time ``call(TIER)``: the argument becomes a label."""

    def loop(loops: int) -> float:
        iterations = repeat(None, loops)
        tier = TIER
        start = perf_counter()
        for _ in iterations:
            call(tier)
        return perf_counter() - start

    return loop


def time_failures(call: Callable[[], Any]) -> Loop:
    """Time ``call()`` that raises ValueError, and the catching of it."""

    def loop(loops: int) -> float:
        iterations = repeat(None, loops)
        start = perf_counter()
        for _ in iterations:
            try:  # noqa: SIM105 - suppress() would be timed as well
                call()
            except ValueError:
                pass
        return perf_counter() - start

    return loop


def time_generators(call: Callable[[], Iterator[int]]) -> Loop:
    """Time ``for _ in call()`` to its end."""

    def loop(loops: int) -> float:
        iterations = repeat(None, loops)
        start = perf_counter()
        for _ in iterations:
            for _item in call():
                pass
        return perf_counter() - start

    return loop


def time_coroutines(call: Callable[[], Coroutine[Any, Any, int]]) -> Loop:
    """Time ``await call()``."""

    async def main(loops: int) -> float:
        iterations = repeat(None, loops)
        start = perf_counter()
        for _ in iterations:
            await call()
        return perf_counter() - start

    return lambda loops: run(main(loops))


def time_async_generators(call: Callable[[], AsyncIterator[int]]) -> Loop:
    """Time ``async for _ in call()`` to its end."""

    async def main(loops: int) -> float:
        iterations = repeat(None, loops)
        start = perf_counter()
        for _ in iterations:
            async for _item in call():
                pass
        return perf_counter() - start

    return lambda loops: run(main(loops))


def run(main: Coroutine[Any, Any, float]) -> float:
    """Run a coroutine that never waits; no event loop, whose own cost would blur the figures."""
    try:
        main.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a benchmark coroutine waited")


def time_threads(call: Callable[[], Any]) -> Loop:
    """Wall time for ``loops`` calls spread over THREADS threads, from the first call to the last."""
    one = time_calls(call)

    def loop(loops: int) -> float:
        barrier = threading.Barrier(THREADS)
        spans: list[tuple[float, float]] = []

        def work() -> None:
            barrier.wait()
            start = perf_counter()
            one(loops // THREADS)
            spans.append((start, perf_counter()))

        threads = [threading.Thread(target=work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return max(end for _, end in spans) - min(start for start, _ in spans)

    return loop


def time_in_contexts(call: Callable[[], Any], enter_sampled: Enter, enter_unsampled: Enter) -> Loop:
    """
    Time ``call()`` when one call of a hundred is made inside a sampled span.

    Args:
        call: What is timed, together with entering and leaving the contexts.
        enter_sampled: Enters a sampled span's context and returns what leaves it.
        enter_unsampled: The same for a span that is not sampled.
    """

    def loop(loops: int) -> float:
        start = perf_counter()
        for _ in repeat(None, loops // 100):
            leave = enter_sampled()
            call()
            leave()
            leave = enter_unsampled()
            for _ in repeat(None, 99):
                call()
            leave()
        return perf_counter() - start

    return loop


SHAPES: dict[str, tuple[Callable[..., Loop], Callable[..., Any]]] = {
    "sync": (time_calls, plain),
    "sync_label": (time_calls_with_tier, labelled),
    "sync_label_cached": (time_calls_with_tier, labelled),
    "sync_threads": (time_threads, plain),
    "sync_raises": (time_failures, raising),
    "async": (time_coroutines, coroutine),
    "generator_1": (time_generators, generator_1),
    "generator_10": (time_generators, generator_10),
    "async_generator_1": (time_async_generators, async_generator_1),
    "span_sampled": (time_calls, plain),
    "span_unsampled": (time_calls, plain),
    "span_sampled_async": (time_coroutines, coroutine),
    "observed_sampled": (time_calls, plain),
    "observed_unsampled": (time_calls, plain),
}
"""How a case is called, and the bare body it is compared with; what is not listed is compared with ``nothing``."""


def timings(**instrumented: Callable[..., Any]) -> dict[str, Callable[[], Timing]]:
    """A rival's cases, by key, each made from its instrumented function or its recording expression."""

    def factory(key: str, function: Callable[..., Any]) -> Callable[[], Timing]:
        time, bare = SHAPES.get(key, (time_calls, nothing))
        return lambda: Timing(time(function), time(bare))

    return {key: factory(key, function) for key, function in instrumented.items()}
