# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Cells to a real OTLP receiver: what was recorded arrives, to the last observation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry import metrics, trace
from support import otlp_receiver
from support.otlp_receiver import CUMULATIVE, DELTA, OtlpReceiver

from otelkit._core._guard import guard
from otelkit.instruments.counter import counter
from otelkit.instruments.gauge import gauge, up_down_counter
from otelkit.instruments.histogram import histogram, summary
from otelkit.instruments.registry import Registry
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]

PROTOCOLS = {"http": "http/protobuf", "grpc": "grpc"}


@pytest.fixture(params=list(PROTOCOLS))
def any_receiver(request: pytest.FixtureRequest) -> Iterator[OtlpReceiver]:
    """A receiver, once for each protocol."""
    with OtlpReceiver(request.param) as started:
        yield started


def _protocol(receiver: OtlpReceiver) -> dict[str, str]:
    kind = "grpc" if type(receiver._server).__name__ == "_GrpcServer" else "http"
    return {"otlp_endpoint": receiver.endpoint, "otlp_protocol": PROTOCOLS[kind]}


@pytest.mark.parametrize("temporality", ["cumulative", "delta", "lowmemory"])
def test_every_observation_arrives(
    start: Start, registry: Registry, any_receiver: OtlpReceiver, temporality: str
) -> None:
    """Four threads record while exports go on; after shutdown the receiver has all of it, SDK instruments too."""
    start(
        **_protocol(any_receiver),
        traces_exporters=["none"],
        metrics_temporality=temporality,
        export_interval_s=0.02,
    )
    calls = counter("t.calls", labels=["thread"], registry=registry)
    times = histogram("t.time", labels=["thread"], unit="s", registry=registry)
    theirs = metrics.get_meter("application").create_counter("theirs.calls")

    def record(number: int) -> None:
        for step in range(2_500):
            calls.increment(thread=number)
            times.observe(step / 1_000, thread=number)
            if not step % 100:
                theirs.add(1)
                time.sleep(0.001)

    threads = [threading.Thread(target=record, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _end(start)
    assert any_receiver.total("t.calls") == any_receiver.total("t.time") == 10_000
    assert any_receiver.total("theirs.calls") == 100
    wanted = CUMULATIVE if temporality == "cumulative" else DELTA
    assert {series.temporality for series in any_receiver.series("t.time")} == {wanted}
    assert {series.scope for series in any_receiver.series("t.calls")} == {"otelkit"}


def _end(_: Start) -> bool:
    from otelkit import pipeline

    return pipeline.shutdown()


def test_kinds_and_temporalities(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Under delta preference counters and histograms are deltas, up-down counters cumulative, gauges values."""
    telemetry = start(otlp_endpoint=receiver.endpoint, metrics_temporality="delta", traces_exporters=["none"])
    calls = counter("t.calls", unit="{call}", registry=registry)
    active = up_down_counter("t.active", registry=registry)
    level = gauge("t.level", registry=registry)
    for step in (1, 2):
        calls.increment(step)
        active.increment(step)
        level.set(step)
        assert telemetry.flush(2)
    assert [(s.kind, s.temporality, s.monotonic, s.unit) for s in receiver.series("t.calls")] == [
        ("sum", DELTA, True, "{call}")
    ] * 2
    assert [s.point.as_double or s.point.as_int for s in receiver.series("t.calls")] == [1, 2]
    assert [s.point.as_double or s.point.as_int for s in receiver.series("t.active")] == [1, 3]
    assert {(s.temporality, s.monotonic) for s in receiver.series("t.active")} == {(CUMULATIVE, False)}
    assert [s.point.as_double or s.point.as_int for s in receiver.series("t.level")] == [1, 2]
    first, second = (s.point for s in receiver.series("t.calls"))
    assert first.time_unix_nano == second.start_time_unix_nano


def test_start_of_a_cumulative_series_stays(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """It is the cell's creation, at each export."""
    telemetry = start(otlp_endpoint=receiver.endpoint, traces_exporters=["none"])
    metric = histogram("t.time", registry=registry)
    before = time.time_ns()
    for _ in range(2):
        metric.observe(1)
        assert telemetry.flush(2)
    first, second = (series.point for series in receiver.series("t.time"))
    assert before - 1_000_000_000 < first.start_time_unix_nano == second.start_time_unix_nano < first.time_unix_nano


def test_failed_exports_are_made_up_for(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Two deltas fail, the third covers all three intervals, extremes included."""
    telemetry = start(otlp_endpoint=receiver.endpoint, metrics_temporality="delta", traces_exporters=["none"])
    metric = histogram("t.time", buckets=[1.0, 10.0], registry=registry)
    receiver.answers += [otlp_receiver.BAD_REQUEST, otlp_receiver.UNAVAILABLE]
    outcomes = []
    for value in (0.5, 20.0, 5.0):
        metric.observe(value)
        outcomes.append(telemetry.flush(2))
    assert outcomes == [False, False, True]
    (series,) = receiver.series("t.time")
    assert (series.point.count, series.point.min, series.point.max) == (3, 0.5, 20.0)
    assert list(series.point.bucket_counts) == [1, 1, 1]


def test_stored_and_then_failed_comes_twice(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """At least once: a receiver that stores and answers 500 gets the delta again."""
    telemetry = start(otlp_endpoint=receiver.endpoint, metrics_temporality="delta", traces_exporters=["none"])
    counter("t.calls", registry=registry).increment(3)
    receiver.answers += [otlp_receiver.STORED_THEN_ERROR]
    assert [telemetry.flush(2), telemetry.flush(2)] == [False, True]
    assert receiver.total("t.calls") == 6


def test_transient_error_is_retried(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """503 with Retry-After is tried again within the timeout; the flush succeeds."""
    telemetry = start(otlp_endpoint=receiver.endpoint, traces_exporters=["none"], otlp_timeout_s=5)
    counter("t.calls", registry=registry).increment()
    receiver.answers += [otlp_receiver.Answer(503, stored=False, retry_after_s=0)]
    assert telemetry.flush(2)
    assert len(receiver.requests) == 2
    assert receiver.total("t.calls") == 1


def test_rejected_points_are_counted(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Partial success is no failure, but it is not silent either."""
    guard.reset()
    telemetry = start(otlp_endpoint=receiver.endpoint, traces_exporters=["none"])
    receiver.answers += [otlp_receiver.partial(5)]
    assert telemetry.flush(2)
    labels = (("otelkit.metric", "metrics"), ("otelkit.reason", "rejected by the receiver"))
    assert ("dropped", labels, 5) in guard.tallies()


def test_large_collections_are_split(start: Start, registry: Registry) -> None:
    """No request has more points than the protocol's receivers take; together they have all."""
    with OtlpReceiver("grpc") as receiver:
        telemetry = start(
            otlp_endpoint=receiver.endpoint, otlp_protocol="grpc", cardinality_limit=5_000, traces_exporters=["none"]
        )
        metric = histogram("t.time", labels=["number"], registry=registry)
        for number in range(4_500):
            metric.observe(number, number=number)
        assert telemetry.flush(5)
        assert len(receiver.requests) == 3
        assert receiver.total("t.time") == 4_500


def test_summary_over_otlp(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """A gauge per quantile, and count and sum as counters."""
    telemetry = start(otlp_endpoint=receiver.endpoint, traces_exporters=["none"])
    metric = summary("t.size", quantiles=[0.5, 0.9], registry=registry)
    for value in range(1, 11):
        metric.observe(value)
    assert telemetry.flush(2)
    quantiles = {s.attributes["quantile"]: s.point.as_double for s in receiver.series("t.size")}
    assert set(quantiles) == {"0.5", "0.9"}
    assert quantiles["0.5"] < quantiles["0.9"] <= 10
    assert receiver.total("t.size.count") == 10
    assert receiver.total("t.size.sum") == 55
    assert {s.kind for s in receiver.series("t.size.sum")} == {"sum"}


def test_exponential_histogram_over_otlp(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """Its buckets hold all observations, negative ones and zeros too."""
    telemetry = start(otlp_endpoint=receiver.endpoint, histogram="exponential", traces_exporters=["none"])
    metric = histogram("t.size", registry=registry)
    for value in (-2.0, 0.0, 3.0, 1_000.0):
        metric.observe(value)
    assert telemetry.flush(2)
    (series,) = receiver.series("t.size")
    assert series.kind == "exponential_histogram"
    assert (sum(series.point.positive.bucket_counts), sum(series.point.negative.bucket_counts)) == (2, 1)
    assert (series.point.zero_count, series.point.count, series.point.sum) == (1, 4, 1_001.0)


def test_exemplar_leads_to_the_span(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """The histogram's exemplar names a span that has arrived too."""
    telemetry = start(otlp_endpoint=receiver.endpoint)
    metric = histogram("t.time", registry=registry)
    with trace.get_tracer("application").start_as_current_span("work"):
        metric.observe(0.7)
    assert telemetry.flush(2)
    (span,) = receiver.spans()
    ((exemplar,),) = [series.point.exemplars for series in receiver.series("t.time")]
    assert (exemplar.trace_id, exemplar.span_id, exemplar.as_double) == (span.trace_id, span.span_id, 0.7)


def test_headers_and_compression(start: Start, any_receiver: OtlpReceiver) -> None:
    """Settings reach both signals' exporters."""
    telemetry = start(**_protocol(any_receiver), otlp_headers={"x-key": "s3cret"}, otlp_compression="gzip")
    with trace.get_tracer("application").start_as_current_span("work"):
        pass
    assert telemetry.flush(2)
    assert {request.signal for request in any_receiver.requests} == {"metrics", "traces"}
    assert {request.headers["x-key"] for request in any_receiver.requests} == {"s3cret"}
    if telemetry.settings.otlp_protocol != "grpc":
        assert {request.headers["content-encoding"] for request in any_receiver.requests} == {"gzip"}
