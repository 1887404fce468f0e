# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""otelkit as its users write it: decorators, handles, helpers by name; configured, exemplars on, nothing exported."""

from __future__ import annotations

from collections.abc import Callable

import otelkit
from benchmarks import loops, series, spans
from benchmarks.loops import BOUNDS
from otelkit._core._snapshot import Kind
from otelkit.exporters._page_reader import PageReader
from otelkit.instruments.registry import Registry
from otelkit.pipeline.producer import Producer

DISTRIBUTIONS = ("otelkit",)

spans.install()
otelkit.configure(service_name="shop", metrics_exporters=["none"], traces_exporters=["none"])

plain = otelkit.metered(loops.plain)
SIGNUPS = otelkit.counter("user_registration", labels=["source"])
SIGNUPS_WEB = SIGNUPS.labels(source="web")
MAIL = otelkit.gauge("queue_length", labels=["queue"]).labels(queue="mail")
DURATION = otelkit.histogram("request_duration", labels=["route"], unit="s", buckets=BOUNDS).labels(route="/")
TIMER = otelkit.timer("order_processing_time", labels=["priority"]).labels(priority="high")


def timed() -> None:
    with TIMER.time():
        pass


class Pages(PageReader):
    """What answers `/metrics`, without its server."""

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Nothing to close."""


class Histograms(series.Histograms):
    """The 10,000 series, in a registry of their own."""

    def __init__(self, sampled: bool = True) -> None:
        self.registry = Registry()
        self.pages = Pages(self.registry, {}, scope_labels=False)  # like prometheus_client's page
        self.scoped_pages = Pages(self.registry, {})
        super().__init__(sampled)

    def family(self, name: str) -> otelkit.Histogram:
        return otelkit.histogram(name, labels=["route", "method"], unit="s", buckets=BOUNDS, registry=self.registry)

    def bind(self, family: otelkit.Histogram, route: str, method: str) -> series.Observe:
        return family.labels(route=route, method=method).observe

    def observe_sampled(self, observe: series.Observe, seconds: float) -> None:
        with spans.sampled_span():
            observe(seconds)

    def settle(self) -> None:
        self.registry.snapshot()

    def text(self) -> object:
        return self.pages.page(openmetrics=False)

    def openmetrics(self) -> object:
        return self.pages.page(openmetrics=True)

    def scoped_text(self) -> object:
        return self.scoped_pages.page(openmetrics=False)

    def scoped_openmetrics(self) -> object:
        return self.scoped_pages.page(openmetrics=True)


def collecting(kinds: tuple[Kind, ...]) -> Callable[[], float]:
    """Seconds for one collection into OTLP's data model, as one reader of the pipeline makes it."""
    made = Histograms()
    producer = Producer(made.registry, kinds)

    def collect() -> None:
        producer.produce()
        producer.commit()

    collect()
    return series.reading(made, collect)


CASES = {
    **loops.timings(
        **{
            "sync": plain,
            "sync_label": otelkit.metered(labels=["tier"])(loops.labelled),
            "sync_threads": plain,
            "sync_raises": otelkit.metered(loops.raising),
            "async": otelkit.metered(loops.coroutine),
            "generator_1": otelkit.metered(loops.generator_1),
            "generator_10": otelkit.metered(loops.generator_10),
            "async_generator_1": otelkit.metered(loops.async_generator_1),
            "counter_bound": lambda: SIGNUPS_WEB.increment(),
            "counter_unbound": lambda: SIGNUPS.increment(source="web"),
            "counter_by_name": lambda: otelkit.increment("user_registration", source="web"),
            "gauge_bound": lambda: MAIL.set(3.0),
            "histogram_bound": lambda: DURATION.observe(0.003),
            "timer": timed,
        }
    ),
    "exemplar_100": lambda: spans.time_all_sampled(plain),
    "exemplar_1": lambda: spans.time_few_sampled(plain),
    **spans.cases(
        loops.timings(
            span_sampled=otelkit.traced(loops.plain),
            span_unsampled=otelkit.traced(loops.plain),
            span_sampled_async=otelkit.traced(loops.coroutine),
            observed_sampled=otelkit.observed(loops.plain),
            observed_unsampled=otelkit.observed(loops.plain),
        )
    ),
    **series.cases(Histograms),
    "collect_cumulative": lambda: collecting(()),
    "collect_delta": lambda: collecting((Kind.HISTOGRAM,)),
}
