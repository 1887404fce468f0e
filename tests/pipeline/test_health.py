# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What otelkit says about itself is true, complete, and documented."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from support import otlp_receiver
from support.otlp_receiver import OtlpReceiver

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.instruments.counter import counter
from otelkit.instruments.registry import Registry, default_registry
from otelkit.pipeline.health import Work
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]
Points = dict[tuple[tuple[str, str], ...], float]


def points(registry: Registry, metric: Metric) -> Points:
    """Return values, of histograms counts, by attributes."""
    found = [point for known, points in registry.snapshot() if known.name == metric.name for point in points]
    return {
        tuple(sorted(point.attributes.items())): point.value if hasattr(point, "value") else point.count
        for point in found
    }


def test_work_is_measured() -> None:
    """CPU seconds of this thread, not of waiting; duration with waiting; also of what fails."""
    registry = Registry()
    work = Work("export", "here", registry)
    with work.measured():
        time.sleep(0.2)
    with pytest.raises(ValueError), work.measured():  # noqa: PT012
        until = time.thread_time() + 0.1
        while time.thread_time() < until:
            pass
        raise ValueError
    ((labels, seconds),) = points(registry, semconv.CPU_TIME).items()
    assert dict(labels) == {"otelkit.activity": "export", "otelkit.exporter": "here"}
    assert 0.1 <= seconds < 0.2
    name = semconv.EXPORT_DURATION.name
    (duration,) = [point for metric, found in registry.snapshot() if metric.name == name for point in found]
    assert duration.count == 2
    assert duration.sum >= 0.3


def test_a_program_tells_of_its_exports(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Collection, export of metrics and of spans, and a scrape: each with duration and CPU seconds."""
    telemetry = start(
        otlp_endpoint=receiver.endpoint, metrics_exporters=["otlp", "prometheus"], prometheus_port=0, span_delay_s=0.05
    )
    counter("t.calls", registry=registry).increment()
    trace.get_tracer("t").start_span("s").end()
    assert telemetry.flush(5)
    (reader,) = [reader for reader in telemetry.readers if hasattr(reader, "url")]
    with urllib.request.urlopen(reader.url) as answer:
        answer.read()
    activities = {
        dict(labels)["otelkit.activity"]
        for found in (registry, default_registry)
        for labels, seconds in points(found, semconv.CPU_TIME).items()
        if seconds > 0
    }
    assert activities == {"collection", "encoding", "export", "scrape"}
    assert points(registry, semconv.COLLECTION_DURATION)[()] >= 1
    metrics = (("otelkit.exporter", "otlp"), ("otelkit.signal", "metrics"))
    spans = (("otelkit.exporter", "otlp"), ("otelkit.signal", "traces"))
    assert points(registry, semconv.EXPORT_DURATION)[metrics] >= 1
    assert points(default_registry, semconv.EXPORT_DURATION)[spans] >= 1
    assert points(default_registry, semconv.SCRAPE_DURATION)[(("otelkit.exporter", "prometheus"),)] >= 1


def test_the_sdks_part_of_a_collection_counts(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """What observable instruments take in the reader's thread is otelkit's doing, too."""
    start(otlp_endpoint=receiver.endpoint, export_interval_s=0.1, traces_exporters=["none"])

    def busy(_: CallbackOptions) -> list[Observation]:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
        return [Observation(1)]

    metrics.get_meter("t").create_observable_gauge("t.busy", [busy])
    assert receiver.wait_for(lambda arrived: arrived.series("t.busy"))
    collecting = (("otelkit.activity", "collection"), ("otelkit.exporter", "otlp"))
    assert points(registry, semconv.CPU_TIME)[collecting] >= 0.2


def test_queue_and_buffer(start: Start, registry: Registry) -> None:
    """While a receiver does not answer, what waits is seen; after the pipeline has ended, it is not told any more."""
    with OtlpReceiver() as receiver:
        receiver.always = otlp_receiver.NEVER
        telemetry = start(
            otlp_endpoint=receiver.endpoint, span_delay_s=60, span_queue_size=50, span_batch_size=50, otlp_timeout_s=5
        )
        tracer = trace.get_tracer("t")
        for _ in range(7):
            tracer.start_span("s").end()
        exporter = (("otelkit.exporter", "otlp"),)
        assert points(registry, semconv.SPAN_QUEUE_SIZE) == {exporter: 7}
        assert points(registry, semconv.SPAN_QUEUE_LIMIT) == {exporter: 50}
        telemetry.flush(0.2)
        buffered = points(registry, semconv.SPAN_BUFFER_SIZE)
        assert sum(buffered.values()) > 100
        telemetry.shutdown(0.2)
        telemetry.release()
        assert points(registry, semconv.SPAN_QUEUE_SIZE) == {}


def test_adaptive_sampler_tells_its_probability(start: Start, registry: Registry) -> None:
    """Both forms do, other samplers do not."""
    for sampler in ("otelkit_adaptive", "otelkit_parentbased_adaptive"):
        start(sampler=sampler, sampler_arg=1, traces_exporters=["none"], metrics_exporters=["none"])
        for _ in range(1_000):
            trace.get_tracer("t").start_span("s").end()
        assert 0 < points(registry, semconv.SAMPLER_PROBABILITY)[()] < 0.1
    start(traces_exporters=["none"], metrics_exporters=["none"])
    assert points(registry, semconv.SAMPLER_PROBABILITY) == {}


def test_self_metrics_have_the_attributes_that_are_documented(
    start: Start, registry: Registry, receiver: OtlpReceiver
) -> None:
    """Every otelkit.* metric that arrives is in the table, with no other attributes than it says."""
    telemetry = start(otlp_endpoint=receiver.endpoint, cardinality_limit=5, sampler="otelkit_adaptive")
    calls = counter("t.calls", labels=["user"], registry=registry)
    for number in range(10):
        calls.increment(user=number)
        calls.increment(float("nan"), user=number)
    trace.get_tracer("t").start_span("s").end()
    assert telemetry.flush(5)
    assert telemetry.flush(5)
    known = {metric.name: (metric, attributes) for metric, attributes in semconv.SELF_METRICS}
    arrived = [series for series in receiver.series() if series.name.startswith("otelkit.")]
    assert {series.name for series in arrived} >= {"otelkit.dropped", "otelkit.overflowed", "otelkit.span_queue.size"}
    for series in arrived:
        metric, attributes = known[series.name]
        assert series.unit == metric.unit
        assert set(series.attributes) <= set(attributes)
    told = {attribute for _, attributes in semconv.SELF_METRICS for attribute in attributes}
    assert told == set(semconv.SELF_ATTRIBUTES)
    (overflow,) = {
        tuple(sorted(series.attributes.items()))
        for series in arrived
        if series.name == "otelkit.overflowed" and series.attributes["otelkit.metric"] == "t.calls"
    }
    assert overflow == (("otelkit.label", "user"), ("otelkit.metric", "t.calls"))
