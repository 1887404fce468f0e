# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Providers that the application installed: cells come out of them, and out of nothing beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from support.otlp_receiver import OtlpReceiver

from otelkit import pipeline
from otelkit.instruments.counter import counter
from otelkit.instruments.gauge import gauge, up_down_counter
from otelkit.instruments.histogram import histogram, summary
from otelkit.instruments.registry import Registry
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]
DELTA = AggregationTemporality.DELTA


def _points(data: MetricsData | None) -> dict[str, list[Any]]:
    assert data is not None
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


# -- of the SDK ---------------------------------------------------------------


def test_existing_and_later_readers_get_the_cells(start: Start, registry: Registry) -> None:
    """Cumulative, delta and a reader added later, each with its own state, next to the application's instruments."""
    cumulative = InMemoryMetricReader()
    delta = InMemoryMetricReader(preferred_temporality={Counter: DELTA, Histogram: DELTA})
    provider = MeterProvider([cumulative, delta], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    telemetry = start(traces_exporters=["none"])
    assert telemetry.metering
    assert (telemetry.metering.how, telemetry.meter_provider, telemetry.readers) == ("joined", provider, ())
    calls, times = counter("t.calls", registry=registry), histogram("t.time", registry=registry)
    theirs = metrics.get_meter("application").create_counter("theirs.calls")
    for step in (1, 2):
        calls.increment(step)
        times.observe(step)
        theirs.add(step)
        total, difference = _points(cumulative.get_metrics_data()), _points(delta.get_metrics_data())
        assert difference["t.calls"][0].value == difference["theirs.calls"][0].value == step
        assert difference["t.time"][0].count == 1
    assert total["t.calls"][0].value == total["theirs.calls"][0].value == 3
    assert total["t.time"][0].count == 2
    later = InMemoryMetricReader()
    provider.add_metric_reader(later)
    assert _points(later.get_metrics_data())["t.calls"][0].value == 3
    provider.shutdown()


def test_cells_alone_come_out(start: Start, registry: Registry) -> None:
    """Also when the application has no instrument at all, under the application's resource."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    start(traces_exporters=["none"])
    counter("t.calls", registry=registry).increment()
    data = reader.get_metrics_data()
    assert _points(data)["t.calls"][0].value == 1
    assert data is not None
    assert data.resource_metrics[0].resource is provider._sdk_config.resource
    provider.shutdown()


def test_the_application_ends_its_provider(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Its last export has the cells; otelkit's own flush reaches its exporter too, and its shutdown leaves it alone."""
    exporter = OTLPMetricExporter(endpoint=f"{receiver.endpoint}/v1/metrics")
    provider = MeterProvider([PeriodicExportingMetricReader(exporter, 1e6)], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    start(traces_exporters=["none"])
    calls = counter("t.calls", registry=registry)
    calls.increment()
    assert pipeline.flush()
    assert receiver.total("t.calls") == 1
    calls.increment()
    assert pipeline.shutdown()
    calls.increment()
    provider.shutdown()
    assert receiver.total("t.calls") == 3


def test_stock_prometheus_reader(start: Start, registry: Registry) -> None:
    """It shows the cells; exponential histograms, which break its scrape, are left out."""
    reader = PrometheusMetricReader(registry=(page := CollectorRegistry()))
    provider = MeterProvider([reader], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    start(traces_exporters=["none"], histogram="exponential")
    counter("t.calls", registry=registry).increment(2)
    histogram("t.size", registry=registry).observe(1)
    text = generate_latest(page).decode()
    assert "t_calls_total{" in text
    assert "t_size" not in text
    provider.shutdown()


def test_exporters_given_as_argument_are_added(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Who asks for a destination gets it, on the provider that is there; the cells arrive once."""
    provider = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    start(metrics_exporters=["otlp"], otlp_endpoint=receiver.endpoint, metrics_temporality="delta")
    counter("t.calls", registry=registry).increment(2)
    metrics.get_meter("application").create_counter("theirs.calls").add(3)
    assert pipeline.shutdown()
    assert (receiver.total("t.calls"), receiver.total("theirs.calls")) == (2, 3)
    provider.shutdown()


def test_leaving_gives_the_readers_back(start: Start, registry: Registry) -> None:
    """After another configuration there is one join, not two: nothing comes twice."""
    reader = InMemoryMetricReader(preferred_temporality={Counter: DELTA})
    provider = MeterProvider([reader], shutdown_on_exit=False)
    metrics.set_meter_provider(provider)
    for _ in range(2):
        start(traces_exporters=["none"])
    counter("t.calls", registry=registry).increment()
    data = reader.get_metrics_data()
    assert data is not None
    assert [s.scope.name for r in data.resource_metrics for s in r.scope_metrics].count("otelkit") == 1
    telemetry = pipeline.current()
    assert telemetry
    telemetry.release()
    counter("t.calls", registry=registry).increment()
    assert reader.get_metrics_data() is None
    provider.shutdown()


def test_tracer_provider_is_used_as_it_is(start: Start) -> None:
    """No exporter is added that nobody asked for."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    telemetry = start(metrics_exporters=["none"])
    assert telemetry.tracing
    assert (telemetry.tracing.how, telemetry.tracer_provider, telemetry.span_processors) == ("used", provider, ())
    with trace.get_tracer("application").start_as_current_span("work"):
        pass
    assert telemetry.flush(1)
    assert [span.name for span in exporter.get_finished_spans()] == ["work"]
    provider.shutdown()


# -- of the API only ----------------------------------------------------------


class Foreign(metrics.MeterProvider):
    """A provider that has nothing of the SDK's on its outside."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self._hidden = MeterProvider([self.reader], shutdown_on_exit=False)

    def get_meter(self, *args: Any, **kwargs: Any) -> metrics.Meter:
        """Return a meter."""
        return self._hidden.get_meter(*args, **kwargs)


@pytest.fixture
def foreign(new_globals: None) -> Foreign:
    """The foreign provider, installed."""
    provider = Foreign()
    metrics.set_meter_provider(provider)
    return provider


def test_foreign_provider_gets_all_kinds(start: Start, registry: Registry, foreign: Foreign) -> None:
    """Numbers by observable instruments, histograms by replay, to the last observation, whenever declared."""
    early = counter("t.early", labels=["who"], registry=registry)
    early.increment(who="a")
    telemetry = start(traces_exporters=["none"])
    assert telemetry.metering
    assert telemetry.metering.how == "fed"
    late, active = counter("t.late", registry=registry), up_down_counter("t.active", registry=registry)
    level, times = (
        gauge("t.level", registry=registry),
        histogram("t.time", labels=["who"], buckets=[1.0], registry=registry),
    )
    sizes = summary("t.size", registry=registry)
    for step in range(300):
        early.increment(who="a")
        late.increment(2)
        active.increment()
        level.set(step)
        times.observe(step / 100, who="b")
        sizes.observe(step)
    assert telemetry.flush(2)
    points = _points(foreign.reader.get_metrics_data())
    assert {name: points[name][0].value for name in ("t.early", "t.late", "t.active", "t.level")} == {
        "t.early": 301,
        "t.late": 600,
        "t.active": 300,
        "t.level": 299,
    }
    (point,) = points["t.time"]
    assert (point.count, dict(point.attributes), list(point.bucket_counts)) == (300, {"who": "b"}, [101, 199])
    assert point.sum == pytest.approx(sum(range(300)) / 100)
    assert points["t.size.count"][0].value == 300
    assert points["otelkit.series"][0].value > 0


def test_foreign_provider_collects_by_itself(start: Start, registry: Registry, foreign: Foreign) -> None:
    """Nobody flushes: what is declared after one collection is there by one of the next."""
    start(traces_exporters=["none"])
    times = histogram("t.time", registry=registry)
    times.observe(1)
    for _ in range(100):
        points = _points(foreign.reader.get_metrics_data())
        if "t.time" in points:
            break
    times.observe(2)
    points = _points(foreign.reader.get_metrics_data())
    assert (points["t.time"][0].count, points["t.time"][0].sum) == (2, 3)


def test_replayed_exemplar_keeps_its_span(start: Start, registry: Registry, foreign: Foreign) -> None:
    """The provider's own exemplar names the span in which the value was observed."""
    telemetry = start(traces_exporters=["none"])
    times = histogram("t.time", registry=registry)
    with trace.get_tracer("application").start_as_current_span("work") as span:
        times.observe(0.5)
    assert telemetry.flush(2)
    ((exemplar,),) = [point.exemplars for point in _points(foreign.reader.get_metrics_data())["t.time"]]
    assert (exemplar.trace_id, exemplar.value) == (span.get_span_context().trace_id, 0.5)


def test_flush_reaches_all_of_the_applications_readers(start: Start, registry: Registry) -> None:
    """Two readers of one class: both export; one that the application has ended is let alone."""
    with OtlpReceiver() as first, OtlpReceiver() as second:
        readers = [
            PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{receiver.endpoint}/v1/metrics"), 1e6)
            for receiver in (first, second)
        ]
        provider = MeterProvider(readers, shutdown_on_exit=False)
        metrics.set_meter_provider(provider)
        telemetry = start(traces_exporters=["none"])
        counter("t.calls", registry=registry).increment()
        assert telemetry.flush(2)
        assert first.total("t.calls") == second.total("t.calls") == 1
        provider.shutdown()
        exports = len(first.requests)
        assert telemetry.shutdown(2)
        assert len(first.requests) == exports
