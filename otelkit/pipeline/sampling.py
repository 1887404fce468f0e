# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Samplers that hold a number of traces a second, whatever the traffic.

    OTEL_TRACES_SAMPLER=otelkit_parentbased_adaptive OTEL_TRACES_SAMPLER_ARG=20

They are entry points of OpenTelemetry's group, so that its own launcher
understands the names too. `RateLimited` never exceeds its rate; `Adaptive`
holds it on average and says with which probability a trace was kept, so that a
backend can count back.

A span whose parent is in this process always goes with its parent: a trace is
kept or dropped as a whole. The parent-based forms go with callers in other
processes too, as most programs want; the plain ones decide anew, as a front
door must that does not trust its callers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

from otelkit._core._fork import forks

__all__ = ("DEFAULT_TRACES_PER_SECOND", "SAMPLERS", "Adaptive", "RateLimited", "traces_per_second")

DEFAULT_TRACES_PER_SECOND = 10.0

Clock = Callable[[], float]

_RANDOM_BITS = 56
_RANDOM_MASK = (1 << _RANDOM_BITS) - 1
"""The bits of a trace id that are random: W3C Trace Context Level 2, random-trace-id flag."""


def traces_per_second(argument: object) -> float:
    """
    Return OTEL_TRACES_SAMPLER_ARG as a rate; without one, 10.

    Errors: ValueError unless it is a finite number above 0.
    """
    if argument is None or argument == "":
        return DEFAULT_TRACES_PER_SECOND
    rate = float(argument)  # type: ignore[arg-type]
    if not 0 < rate < math.inf:
        raise ValueError(f"Expected traces per second above 0, got {argument!r}.")
    return rate


class _RateSampler(Sampler):
    """
    What both share: who is asked, and a lock that a forked child finds open.

    Thread-safe. Cost: one lock and a few float operations per trace, none per further span of it.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self.rate = rate
        self._clock = clock
        self.start_afresh()
        forks.in_child(self.start_afresh)

    def start_afresh(self) -> None:
        """Begin as if no trace had come yet, with a fresh lock, as a forked child must."""
        # Re-entrant: a signal handler that starts a span may run inside it.
        self._lock = threading.RLock()

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide about a trace where it enters the process; go with the parent inside."""
        parent = get_current_span(parent_context).get_span_context()
        state = parent.trace_state if parent.is_valid else None
        if parent.is_valid and not parent.is_remote:
            return _result(parent.trace_flags.sampled, state, attributes)
        return self._decide(trace_id, parent, state, attributes)

    def _decide(
        self, trace_id: int, parent: SpanContext, state: TraceState | None, attributes: Attributes
    ) -> SamplingResult:
        raise NotImplementedError

    def get_description(self) -> str:
        """Return the name and the rate."""
        return f"otelkit.{type(self).__name__}{{{self.rate:g}/s}}"


def _result(sampled: bool, state: TraceState | None, attributes: Attributes) -> SamplingResult:
    if not sampled:
        return SamplingResult(Decision.DROP, None, state)
    return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)


class RateLimited(_RateSampler):
    """
    Keeps at most ``rate`` traces a second, and at most one second's worth at once.

    A token bucket: it fills with ``rate`` tokens a second, up to one second's
    worth (at least one), and each trace kept takes one. While it is more than
    half full every trace is kept. Below, a trace is kept with the probability
    2 x fill, decided by its id: so the last tokens are spread over a burst
    instead of all going to what happens to come first, and under constant
    overload the fill settles where every trace has the same chance.

    Args:
        rate: Traces a second, above 0.
        clock: Monotonic, in seconds; for tests.
    """

    def __init__(self, rate: float, clock: Clock = time.monotonic) -> None:
        self._capacity = max(1.0, rate)
        super().__init__(rate, clock)

    def start_afresh(self) -> None:
        super().start_afresh()
        self._tokens = self._capacity
        self._filled_at = self._clock()

    def _decide(
        self, trace_id: int, parent: SpanContext, state: TraceState | None, attributes: Attributes
    ) -> SamplingResult:
        chance = (trace_id & _RANDOM_MASK) / (_RANDOM_MASK + 1)
        with self._lock:
            now = self._clock()
            tokens = min(self._capacity, self._tokens + max(0.0, now - self._filled_at) * self.rate)
            kept = tokens >= 1 and chance < 2 * tokens / self._capacity
            self._tokens = tokens - kept
            self._filled_at = now
        return _result(kept, _with_threshold(state, None), attributes)


class Adaptive(_RateSampler):
    """
    Keeps about ``rate`` traces a second by probability, and follows the traffic.

    The rate of arrivals is estimated over a window that forgets exponentially:
    at each trace, count and length of the window are multiplied by
    exp(-elapsed / window_s), and grow by 1 and by elapsed. The probability is
    rate x length / count, at most 1. It is the algorithm of the
    ConsistentRateLimitingSampler in opentelemetry-java-contrib. The window is
    one second, or the time of five kept traces if that is longer; after
    traffic has changed tenfold the rate holds again within three windows.

    Whether a trace is kept depends on its id, as the specification of
    probability sampling says ("TraceState: Probability Sampling"), and the
    threshold goes into the trace state (``ot=th:...``): with it a collector or
    backend can count back to all traces. Span attributes have no conventional
    name for it.

    Args:
        rate: Traces a second, above 0.
        clock: Monotonic, in seconds; for tests.
    """

    def __init__(self, rate: float, clock: Clock = time.monotonic) -> None:
        self.window_s = max(1.0, 5 / rate)
        super().__init__(rate, clock)

    def start_afresh(self) -> None:
        super().start_afresh()
        # As after a long silence: what comes first is kept.
        self._count, self._length_s, self._last_at = 0.0, self.window_s, self._clock()
        self._probability = 1.0

    @property
    def probability(self) -> float:
        """The probability with which the last trace was kept."""
        return self._probability

    def _decide(
        self, trace_id: int, parent: SpanContext, state: TraceState | None, attributes: Attributes
    ) -> SamplingResult:
        threshold = _threshold(self._next_probability())
        if _random_value(trace_id, state) < threshold:
            return _result(False, _with_threshold(state, None), attributes)
        return _result(True, _with_threshold(state, threshold), attributes)

    def _next_probability(self) -> float:
        with self._lock:
            now = self._clock()
            elapsed = max(0.0, now - self._last_at)
            decay = math.exp(-elapsed / self.window_s)
            self._count = self._count * decay + 1
            self._length_s = self._length_s * decay + elapsed
            self._last_at = now
            self._probability = min(1.0, self.rate * self._length_s / self._count)
            return self._probability


# -- OpenTelemetry's trace state: th is the threshold of rejection, rv a random value in place of the trace id's --

_THRESHOLD_DIGITS = 5  # of 14: probabilities down to one in a million, to 20 bits
_OMITTED_BITS = _RANDOM_BITS - 4 * _THRESHOLD_DIGITS
_MOST_MEMBERS = 32


def _threshold(probability: float) -> int:
    steps = 1 << (4 * _THRESHOLD_DIGITS)
    return min(steps - 1, round((1 - probability) * steps)) << _OMITTED_BITS


def _members(state: TraceState | None) -> list[str]:
    value = state.get("ot") if state else None
    return value.split(";") if value else []


def _random_value(trace_id: int, state: TraceState | None) -> int:
    for member in _members(state) if state else ():
        if member.startswith("rv:") and len(member) == 17:
            try:
                return int(member[3:], 16)
            except ValueError:
                break
    return trace_id & _RANDOM_MASK


def _with_threshold(state: TraceState | None, threshold: int | None) -> TraceState | None:
    """Return ``state`` with this threshold, or with none: one that does not hold from here on would be a lie."""
    if not state and threshold is None:
        return state
    known = _members(state)
    members = [member for member in known if not member.startswith("th:")]
    if threshold is not None:
        digits = f"{threshold >> _OMITTED_BITS:0{_THRESHOLD_DIGITS}x}".rstrip("0") or "0"
        members.insert(0, f"th:{digits}")
    if members == known:
        return state
    if not state:
        return TraceState([("ot", ";".join(members))])
    if not members:
        return state.delete("ot")
    # A full trace state belongs to others, and adding to it would be refused with a line in the log.
    return state.update("ot", ";".join(members)) if "ot" in state or len(state) < _MOST_MEMBERS else state


# -- entry points -------------------------------------------------------------


def rate_limited(argument: Any) -> Sampler:
    """Make ``otelkit_ratelimited``."""
    return RateLimited(traces_per_second(argument))


def adaptive(argument: Any) -> Sampler:
    """Make ``otelkit_adaptive``."""
    return Adaptive(traces_per_second(argument))


class ParentBasedRate(ParentBased):
    """
    Goes with the caller's decision, in whatever process it was made.

    Attributes:
        root: Decides where there is no caller.
    """

    def __init__(self, root: Sampler) -> None:
        super().__init__(root)
        self.root = root


def parent_based_rate_limited(argument: Any) -> Sampler:
    """Make ``otelkit_parentbased_ratelimited``."""
    return ParentBasedRate(rate_limited(argument))


def parent_based_adaptive(argument: Any) -> Sampler:
    """Make ``otelkit_parentbased_adaptive``."""
    return ParentBasedRate(adaptive(argument))


SAMPLERS: dict[str, Callable[[Any], Sampler]] = {
    "otelkit_ratelimited": rate_limited,
    "otelkit_adaptive": adaptive,
    "otelkit_parentbased_ratelimited": parent_based_rate_limited,
    "otelkit_parentbased_adaptive": parent_based_adaptive,
}
"""By their names in OTEL_TRACES_SAMPLER."""
