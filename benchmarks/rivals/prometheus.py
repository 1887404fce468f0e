# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""prometheus_client, written by hand: children bound where labels are known, all four metrics in the function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from time import perf_counter

from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from benchmarks import loops, series, spans
from benchmarks.loops import BOUNDS

DISTRIBUTIONS = ("prometheus_client",)

FUNCTION = "shop.price"
CALLS_OF = Counter("function_calls", "Calls.", ["code_function_name"])
ACTIVE_OF = Gauge("function_active_calls", "Calls not ended.", ["code_function_name"])
ERRORS_OF = Counter("function_errors", "Failed calls.", ["code_function_name", "error_type"])
DURATION_OF = Histogram("function_duration_seconds", "Duration.", ["code_function_name"], buckets=BOUNDS)

CALLS = CALLS_OF.labels(FUNCTION)
ACTIVE = ACTIVE_OF.labels(FUNCTION)
DURATION = DURATION_OF.labels(FUNCTION)

TIER_CALLS = Counter("tier_calls", "Calls.", ["tier"])
TIER_ACTIVE = Gauge("tier_active_calls", "Calls not ended.", ["tier"])
TIER_ERRORS = Counter("tier_errors", "Failed calls.", ["tier", "error_type"])
TIER_DURATION = Histogram("tier_duration_seconds", "Duration.", ["tier"], buckets=BOUNDS)

SIGNUPS = Counter("user_registration", "Registrations.", ["source"])
QUEUE = Gauge("queue_length", "Waiting.", ["queue"]).labels("mail")


def plain() -> int:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start)
        ACTIVE.dec()


def labelled(tier: str) -> int:
    TIER_CALLS.labels(tier).inc()
    active = TIER_ACTIVE.labels(tier)
    active.inc()
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        TIER_ERRORS.labels(tier, type(error).__name__).inc()
        raise
    finally:
        TIER_DURATION.labels(tier).observe(perf_counter() - start)
        active.dec()


CHILDREN: dict[str, tuple[Counter, Gauge, Histogram]] = {}


def labelled_cached(tier: str) -> int:
    children = CHILDREN.get(tier)
    if children is None:
        children = CHILDREN[tier] = (TIER_CALLS.labels(tier), TIER_ACTIVE.labels(tier), TIER_DURATION.labels(tier))
    calls, active, duration = children
    calls.inc()
    active.inc()
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        TIER_ERRORS.labels(tier, type(error).__name__).inc()
        raise
    finally:
        duration.observe(perf_counter() - start)
        active.dec()


def raising() -> int:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        raise ValueError
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start)
        ACTIVE.dec()


async def coroutine() -> int:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start)
        ACTIVE.dec()


def generator_1() -> Iterator[int]:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        yield 1
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start)
        ACTIVE.dec()


def generator_10() -> Iterator[int]:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        for item in range(10):
            yield item + 1
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start)
        ACTIVE.dec()


async def async_generator_1() -> AsyncIterator[int]:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        yield 1
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start)
        ACTIVE.dec()


def with_exemplar() -> int:
    CALLS.inc()
    ACTIVE.inc()
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS_OF.labels(FUNCTION, type(error).__name__).inc()
        raise
    finally:
        DURATION.observe(perf_counter() - start, current_exemplar())
        ACTIVE.dec()


def current_exemplar() -> dict[str, str] | None:
    span = trace.get_current_span().get_span_context()
    if not span.trace_flags.sampled:
        return None
    return {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}


def timed() -> None:
    with DURATION.time():
        pass


class Histograms(series.Histograms):
    """The 10,000 series of the scrape and memory cases."""

    def __init__(self, sampled: bool = True) -> None:
        self.registry = CollectorRegistry()
        super().__init__(sampled)

    def family(self, name: str) -> Histogram:
        return Histogram(f"{name}_seconds", "Duration.", ["route", "method"], buckets=BOUNDS, registry=self.registry)

    def bind(self, family: Histogram, route: str, method: str) -> series.Observe:
        return family.labels(route, method).observe

    def observe_sampled(self, observe: series.Observe, seconds: float) -> None:
        with spans.sampled_span():
            observe(seconds, current_exemplar())  # type: ignore[call-arg]

    def text(self) -> object:
        return generate_latest(self.registry)

    def openmetrics(self) -> object:
        return generate_openmetrics(self.registry)

    def settle(self) -> None:
        self.text()


SIGNUPS_WEB = SIGNUPS.labels("web")

CASES = {
    **loops.timings(
        sync=plain,
        sync_label=labelled,
        sync_label_cached=labelled_cached,
        sync_threads=plain,
        sync_raises=raising,
        generator_1=generator_1,
        generator_10=generator_10,
        async_generator_1=async_generator_1,
        counter_bound=lambda: SIGNUPS_WEB.inc(),
        counter_unbound=lambda: SIGNUPS.labels("web").inc(),
        gauge_bound=lambda: QUEUE.set(3.0),
        histogram_bound=lambda: DURATION.observe(0.003),
        timer=timed,
    ),
    **loops.timings(**{"async": coroutine}),
    "exemplar_100": lambda: spans.time_all_sampled(with_exemplar),
    "exemplar_1": lambda: spans.time_few_sampled(with_exemplar),
    **series.cases(Histograms),
}
