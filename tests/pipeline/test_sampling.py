# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Samplers that hold a rate: by a clock of the test's, over real providers, and after a fork."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from support.otlp_receiver import OtlpReceiver

from otelkit.exceptions import ConfigurationError
from otelkit.instruments.histogram import histogram
from otelkit.instruments.registry import Registry
from otelkit.pipeline.sampling import SAMPLERS, Adaptive, RateLimited, traces_per_second
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def ask(sampler: Sampler, trace_id: int, context: trace.Context | None = None) -> SamplingResult:
    """Let ``sampler`` decide about one trace."""
    return sampler.should_sample(context, trace_id, "name")


def traffic(sampler: Sampler, clock: Clock, per_second: float, seconds: float, seed: int = 1) -> list[float]:
    """Send random arrivals through ``sampler``; return when traces were kept, in seconds from the beginning."""
    source, began, kept = random.Random(seed), clock.now, []
    while clock.now < began + seconds:
        clock.now += source.expovariate(per_second)
        if ask(sampler, source.getrandbits(128)).decision.is_sampled():
            kept.append(clock.now - began)
    return kept


def parent(*, sampled: bool, remote: bool, state: str = "") -> trace.Context:
    """Return a context in which a span is current."""
    entries = [("ot", state)] if state else []
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return trace.set_span_in_context(NonRecordingSpan(SpanContext(7, 7, remote, flags, TraceState(entries))))


@settings(max_examples=60, deadline=None)
@given(
    rate=some.sampled_from([0.5, 1.0, 10.0, 250.0]),
    gaps=some.lists(some.floats(0, 0.5), min_size=1, max_size=300),
    seed=some.integers(0, 2**32),
)
def test_limited_never_exceeds_its_rate(rate: float, gaps: list[float], seed: int) -> None:
    """Over any traffic, no more than the rate times the time, and one second's worth at the start."""
    clock, source = Clock(), random.Random(seed)
    sampler = RateLimited(rate, clock)
    began, kept = clock.now, 0
    for gap in gaps:
        clock.now += gap
        kept += ask(sampler, source.getrandbits(128)).decision.is_sampled()
        assert kept <= max(1, rate) + (clock.now - began) * rate + 1e-6


@pytest.mark.parametrize("load", [1.5, 10, 100])
def test_limited_uses_up_its_rate(load: float) -> None:
    """Under any overload it keeps what it may."""
    clock = Clock()
    sampler = RateLimited(20, clock)
    traffic(sampler, clock, 20 * load, 3)
    assert len(traffic(sampler, clock, 20 * load, 30)) == pytest.approx(20 * 30, rel=0.06)


def test_limited_keeps_everything_below_its_rate() -> None:
    """Little traffic is kept whole, a burst of half a second's worth included."""
    clock = Clock()
    sampler = RateLimited(20, clock)
    for _ in range(50):
        clock.now += 1
        assert all(ask(sampler, random.getrandbits(128)).decision.is_sampled() for _ in range(10))


def test_limited_spreads_over_a_burst() -> None:
    """Of a burst of five seconds' worth, what comes after the first second's worth has a share."""
    late = 0
    for seed in range(50):
        sampler, source = RateLimited(20, Clock()), random.Random(seed)
        kept = [ask(sampler, source.getrandbits(128)).decision.is_sampled() for _ in range(100)]
        assert 15 <= sum(kept) <= 20
        late += sum(kept[20:])
    assert late > 50 * 2


@pytest.mark.parametrize(("before", "after"), [(50, 500), (500, 50), (100, 10_000)])
def test_adaptive_holds_its_rate_when_traffic_changes(before: int, after: int) -> None:
    """Three seconds after the change, and before it, the rate is what was asked for."""
    clock = Clock()
    sampler = Adaptive(20, clock)
    assert len([at for at in traffic(sampler, clock, before, 33) if at > 3]) == pytest.approx(20 * 30, rel=0.15)
    assert len([at for at in traffic(sampler, clock, after, 33, seed=2) if at > 3]) == pytest.approx(20 * 30, rel=0.15)


def test_adaptive_change_costs_little() -> None:
    """In the first three seconds after traffic grew tenfold, at most three seconds' worth too many are kept."""
    clock = Clock()
    sampler = Adaptive(20, clock)
    traffic(sampler, clock, 50, 10)
    assert len(traffic(sampler, clock, 500, 3, seed=2)) < 20 * 6


def test_adaptive_keeps_everything_when_there_is_little() -> None:
    """A tenth of the rate is kept nearly whole, also after a night of silence."""
    clock = Clock()
    sampler = Adaptive(20, clock)
    clock.now += 30_000
    assert ask(sampler, 1).decision.is_sampled()
    assert len(traffic(sampler, clock, 2, 100)) > 190


def test_adaptive_says_how_probable_it_was() -> None:
    """The thresholds in the trace states count back to the traffic."""
    clock, source = Clock(), random.Random(5)
    sampler = Adaptive(20, clock)
    estimate = arrivals = 0.0
    for _ in range(20_000):
        clock.now += source.expovariate(1_000)
        arrivals += 1
        result = ask(sampler, source.getrandbits(128))
        if result.decision.is_sampled():
            assert result.trace_state is not None
            threshold = int(result.trace_state["ot"].removeprefix("th:").ljust(14, "0"), 16)
            estimate += 1 / (1 - threshold / 2**56)
        else:
            assert not result.trace_state
    assert estimate == pytest.approx(arrivals, rel=0.2)


def test_adaptive_keeps_the_trace_state_of_others() -> None:
    """A random value is used and passed on, another threshold replaced, a foreign member kept."""
    sampler = Adaptive(20, Clock())
    context = parent(sampled=True, remote=True, state="th:c;rv:ffffffffffffff;x:1")
    result = ask(sampler, 0, context)
    assert result.trace_state is not None
    assert result.trace_state["ot"] == "th:0;rv:ffffffffffffff;x:1"
    full = TraceState([(f"k{number}", "v") for number in range(32)])
    span = NonRecordingSpan(SpanContext(7, 7, True, TraceFlags(1), full))
    assert ask(sampler, 2**56 - 1, trace.set_span_in_context(span)).trace_state == full


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_trace_is_whole(name: str) -> None:
    """A span inside the process goes with its parent, whatever the rate says by then."""
    sampler = SAMPLERS[name]("0.001")
    for sampled in (True, False) * 5:
        result = ask(sampler, random.getrandbits(128), parent(sampled=sampled, remote=False))
        assert result.decision.is_sampled() is sampled


@pytest.mark.parametrize("name", SAMPLERS)
def test_callers_in_other_processes(name: str) -> None:
    """Parent-based samplers go with them, the others decide for themselves."""
    sampler = SAMPLERS[name]("1000")
    results = [
        ask(sampler, 2**128 - 1, parent(sampled=sampled, remote=True)).decision.is_sampled()
        for sampled in (True, False)
    ]
    assert results == ([True, False] if "parentbased" in name else [True, True])


@pytest.mark.parametrize("argument", ["nan", "-1", "0", "inf", "many"])
def test_wrong_rates(argument: str) -> None:
    """Plain OpenTelemetry gets an error that it logs; `configure` says where it stands."""
    with pytest.raises(ValueError):
        traces_per_second(argument)
    assert traces_per_second(None) == traces_per_second("") == 10


def test_wrong_rate_in_the_settings(start: Start) -> None:
    """It is a mistake at start."""
    with pytest.raises(ConfigurationError, match=r"a number above 0, got 0\.0 - at argument sampler_arg"):
        start(sampler="otelkit_adaptive", sampler_arg=0.0)
    with pytest.raises(ConfigurationError, match="otelkit_adaptive"):
        start(sampler="otelkit_adaptiv")


@pytest.mark.parametrize("name", ["otelkit_parentbased_ratelimited", "otelkit_adaptive"])
def test_plain_opentelemetry_knows_the_names(name: str) -> None:
    """The SDK's own set-up finds them by entry point."""
    program = (
        "from opentelemetry.sdk._configuration import _import_sampler; import sys; "
        "print(_import_sampler(sys.argv[1]).get_description())"
    )
    environment = {**os.environ, "OTEL_TRACES_SAMPLER_ARG": "25"}
    said = subprocess.run(
        [sys.executable, "-c", program, name], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "{25/s}" in said.stdout


def test_threads_share_one_rate() -> None:
    """Eight threads together get no more than one would."""
    sampler = RateLimited(50)
    tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("t")
    kept = [0] * 8
    end = time.monotonic() + 0.5

    def work(index: int) -> None:
        while time.monotonic() < end:
            kept[index] += tracer.start_span("s").get_span_context().trace_flags.sampled

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 50 <= sum(kept) <= 50 + (time.monotonic() - began) * 50 + 1


def test_forked_child_starts_afresh() -> None:
    """It finds a lock that the parent held open, and a full second's worth."""
    sampler = RateLimited(5)
    while ask(sampler, 0).decision.is_sampled():
        pass
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with sampler._lock:
            held.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if ask(sampler, 0).decision.is_sampled() else 1)
    release.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("sampler", "argument"),
    [
        ("traceidratio", 0.3),
        ("parentbased_traceidratio", 0.3),
        *((name, 30) for name in SAMPLERS),
    ],
)
def test_exemplars_name_sampled_traces(
    start: Start, registry: Registry, receiver: OtlpReceiver, sampler: str, argument: float
) -> None:
    """Every exemplar that arrives names a span that arrived, some do, and all observations are counted."""
    telemetry = start(otlp_endpoint=receiver.endpoint, sampler=sampler, sampler_arg=argument)
    sizes = histogram("t.sizes", buckets=[1, 2, 4], registry=registry)
    tracer = trace.get_tracer("t")
    for number in range(400):
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            sizes.observe(number % 5)
    assert telemetry.flush(5)
    arrived = {(span.trace_id, span.span_id) for span in receiver.spans()}
    assert 0 < len(arrived) < 800
    points = [series.point for series in receiver.series("t.sizes")]
    assert sum(point.count for point in points) == 400
    named = {(exemplar.trace_id, exemplar.span_id) for point in points for exemplar in point.exemplars}
    assert named
    assert named <= arrived
