# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The SDK's tracing as all rivals of this group meet it: one provider, one processor that only counts.

A processor with a queue and an exporter would add its own cost to every rival
alike, and drop spans at the rate a benchmark makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from benchmarks import loops
from benchmarks.loops import Loop, Timing

SPAN_ID = 0x1234567890ABCDEF
TRACE_ID = 0x1234567890ABCDEF1234567890ABCDEF


class Count(SpanProcessor):
    """Takes finished spans and forgets them."""

    def __init__(self) -> None:
        self.ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        self.ended += 1


class Switch(Sampler):
    """Samples everything or nothing, so that one provider serves both kinds of case."""

    def __init__(self) -> None:
        self.chosen: Sampler = ParentBased(ALWAYS_ON)

    def should_sample(self, *args: Any, **kwargs: Any) -> Any:
        return self.chosen.should_sample(*args, **kwargs)

    def get_description(self) -> str:
        return "Switch"


SWITCH = Switch()
ON = ParentBased(ALWAYS_ON)
OFF = ParentBased(ALWAYS_OFF)


def install() -> TracerProvider:
    """Install the provider for the whole process and return it."""
    provider = TracerProvider(sampler=SWITCH)
    provider.add_span_processor(Count())
    trace.set_tracer_provider(provider)
    return provider


def switched(sampler: Sampler, timing: Timing) -> Timing:
    """``timing`` with ``sampler`` in force while it runs."""

    def loop(count: int) -> float:
        SWITCH.chosen = sampler
        return timing.loop(count)

    return Timing(loop, timing.bare)


def cases(timings: dict[str, Callable[[], Timing]]) -> dict[str, Callable[[], Timing]]:
    """Give every case that has ``unsampled`` in its key a sampler that samples nothing, the others one that does."""

    def factory(key: str, make: Callable[[], Timing]) -> Callable[[], Timing]:
        return lambda: switched(OFF if "unsampled" in key else ON, make())

    return {key: factory(key, make) for key, make in timings.items()}


def entering(sampled: bool) -> Callable[[], Callable[[], None]]:
    """What enters the context of a remote parent span, and returns what leaves it."""
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    span = trace.NonRecordingSpan(trace.SpanContext(TRACE_ID, SPAN_ID, is_remote=False, trace_flags=flags))
    inside = trace.set_span_in_context(span)

    def enter() -> Callable[[], None]:
        token = context.attach(inside)
        return lambda: context.detach(token)

    return enter


@contextmanager
def sampled_span() -> Any:
    """Run the body as inside a sampled span."""
    leave = entering(sampled=True)()
    try:
        yield
    finally:
        leave()


def time_all_sampled(call: Callable[[], Any]) -> Timing:
    """``call()`` with every call inside one sampled span."""

    def inside(loop: Loop) -> Loop:
        def timed(count: int) -> float:
            with sampled_span():
                return loop(count)

        return timed

    return Timing(inside(loops.time_calls(call)), inside(loops.time_calls(loops.plain)))


def time_few_sampled(call: Callable[[], Any]) -> Timing:
    """``call()`` with one call of a hundred inside a sampled span."""

    def few(function: Callable[[], Any]) -> Loop:
        return loops.time_in_contexts(function, entering(sampled=True), entering(sampled=False))

    return Timing(few(call), few(loops.plain))
