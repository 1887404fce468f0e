# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry SDK, written by hand: constant attribute dictionaries, one reader, one processor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from time import perf_counter

import opentelemetry.sdk.metrics as sdk
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from benchmarks import loops, series, spans
from benchmarks.loops import BOUNDS

DISTRIBUTIONS = ("opentelemetry-sdk", "opentelemetry-exporter-prometheus")

TRACER = spans.install().get_tracer("shop")
METER = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("shop")

CALLS = METER.create_counter("function.calls", unit="{call}")
ACTIVE = METER.create_up_down_counter("function.active_calls", unit="{call}")
ERRORS = METER.create_counter("function.errors", unit="{call}")
DURATION = METER.create_histogram("function.duration", unit="s", explicit_bucket_boundaries_advisory=BOUNDS)
SIGNUPS = METER.create_counter("user_registration")
QUEUE = METER.create_gauge("queue.length")

FUNCTION = {"code.function.name": "shop.price"}
WEB = {"source": "web"}
MAIL = {"queue": "mail"}


def plain() -> int:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


def labelled(tier: str) -> int:
    attributes = {"tier": tier}
    CALLS.add(1, attributes)
    ACTIVE.add(1, attributes)
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS.add(1, {**attributes, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, attributes)
        ACTIVE.add(-1, attributes)


def raising() -> int:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        raise ValueError
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


async def coroutine() -> int:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


def generator_1() -> Iterator[int]:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        yield 1
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


def generator_10() -> Iterator[int]:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        for item in range(10):
            yield item + 1
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


async def async_generator_1() -> AsyncIterator[int]:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        yield 1
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


@contextmanager
def timer() -> Iterator[None]:
    """What the SDK has no helper for, as people write it."""
    start = perf_counter()
    try:
        yield
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)


def timed() -> None:
    with timer():
        pass


def traced() -> int:
    with TRACER.start_as_current_span("shop.price", attributes=FUNCTION):
        return 1


async def traced_coroutine() -> int:
    with TRACER.start_as_current_span("shop.price", attributes=FUNCTION):
        return 1


def observed() -> int:
    with TRACER.start_as_current_span("shop.price", attributes=FUNCTION):
        return plain()


class Histograms(series.Histograms):
    """The 10,000 series, in a provider with one reader."""

    def __init__(
        self, sampled: bool = True, reader: InMemoryMetricReader | PrometheusMetricReader | None = None
    ) -> None:
        self.reader = reader or InMemoryMetricReader()
        self.meter = MeterProvider(metric_readers=[self.reader]).get_meter("shop")
        super().__init__(sampled)

    def family(self, name: str) -> Histogram:
        return self.meter.create_histogram(name, unit="s", explicit_bucket_boundaries_advisory=BOUNDS)

    def bind(self, family: Histogram, route: str, method: str) -> series.Observe:
        attributes = {"route": route, "method": method}
        return lambda seconds: family.record(seconds, attributes)

    def observe_sampled(self, observe: series.Observe, seconds: float) -> None:
        with spans.sampled_span():
            observe(seconds)

    def settle(self) -> None:
        if isinstance(self.reader, InMemoryMetricReader):
            self.reader.get_metrics_data()


class Scraped(Histograms):
    """The same behind opentelemetry-exporter-prometheus, whose OpenMetrics has no exemplars."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        super().__init__(reader=PrometheusMetricReader(registry=self.registry))

    def scoped_text(self) -> object:
        return generate_latest(self.registry)


def collecting(temporality: AggregationTemporality) -> object:
    """Seconds for one collection into OTLP's data model."""
    made = Histograms(reader=InMemoryMetricReader(preferred_temporality={sdk.Histogram: temporality}))
    return series.reading(made, made.reader.get_metrics_data)  # type: ignore[union-attr]


CASES = {
    **loops.timings(
        sync=plain,
        sync_label=labelled,
        sync_threads=plain,
        sync_raises=raising,
        generator_1=generator_1,
        generator_10=generator_10,
        async_generator_1=async_generator_1,
        counter_bound=lambda: SIGNUPS.add(1, WEB),
        counter_unbound=lambda: SIGNUPS.add(1, {"source": "web"}),
        gauge_bound=lambda: QUEUE.set(3.0, MAIL),
        histogram_bound=lambda: DURATION.record(0.003, FUNCTION),
        timer=timed,
    ),
    **loops.timings(**{"async": coroutine}),
    "exemplar_100": lambda: spans.time_all_sampled(plain),
    "exemplar_1": lambda: spans.time_few_sampled(plain),
    **spans.cases(
        loops.timings(
            span_sampled=traced,
            span_unsampled=traced,
            span_sampled_async=traced_coroutine,
            observed_sampled=observed,
            observed_unsampled=observed,
        )
    ),
    **series.cases(Histograms),
    "scrape_scoped_text": lambda: series.read_form(Scraped, "scoped_text"),
    "collect_cumulative": lambda: collecting(AggregationTemporality.CUMULATIVE),
    "collect_delta": lambda: collecting(AggregationTemporality.DELTA),
}
