# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics to a receiver that fails now and then: tried again while there is time, never when it is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult, MetricsData
from support.otlp_receiver import BAD_REQUEST, CUT, NEVER, UNAVAILABLE, Answer, OtlpReceiver
from support.otlp_spans import otlp_settings

from otelkit.pipeline.otlp import _transport
from otelkit.pipeline.otlp.backoff import Backoff
from otelkit.pipeline.otlp.courier import Courier
from otelkit.pipeline.otlp.destination import Destination
from otelkit.pipeline.otlp.metric_exporter import OtlpMetricExporter

Make = Callable[..., OtlpMetricExporter]

SUCCESS, FAILURE = MetricExportResult.SUCCESS, MetricExportResult.FAILURE


@pytest.fixture
def make() -> Iterator[Make]:
    """Return a function that makes an exporter with small pauses; they end with the test."""
    made: list[OtlpMetricExporter] = []

    def _make(receiver: OtlpReceiver, *, timeout_s: float = 5.0, max_bytes: int = 1 << 20) -> OtlpMetricExporter:
        otlp = otlp_settings(receiver.endpoint, receiver.protocol, signal="metrics")
        courier = Courier(_transport(otlp, "metrics"), "metrics", Destination(receiver.endpoint), max_bytes=max_bytes)
        exporter = OtlpMetricExporter(
            courier,
            timeout_s=timeout_s,
            preferred_temporality={},
            preferred_aggregation={},
            backoff=Backoff(0.02, 0.1),
        )
        made.append(exporter)
        return exporter

    yield _make
    for exporter in made:
        exporter.shutdown()


def make_metrics(series: int = 1) -> MetricsData:
    """Return a counter with that many series."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    calls = provider.get_meter("tests").create_counter("t.calls")
    for number in range(series):
        calls.add(1, {"number": number})
    data = reader.get_metrics_data()
    assert data
    return data


@pytest.mark.parametrize("answer", [UNAVAILABLE, CUT, Answer(429, stored=False, retry_after_s=0.1)], ids=str)
def test_transient_failures(make: Make, receiver: OtlpReceiver, answer: Answer) -> None:
    """Twice, then it is stored; the export has succeeded."""
    receiver.answers += [answer] * 2
    assert make(receiver).export(make_metrics()) is SUCCESS
    assert receiver.total("t.calls") == 1


def test_refusal(make: Make, receiver: OtlpReceiver) -> None:
    """One request, and the export has failed."""
    receiver.answers.append(BAD_REQUEST)
    assert make(receiver).export(make_metrics()) is FAILURE
    assert len(receiver.requests) == 1


def test_receiver_that_is_known_to_be_away(make: Make, receiver: OtlpReceiver) -> None:
    """One attempt an export, until one succeeds; then there is patience again."""
    exporter = make(receiver, timeout_s=0.3)
    receiver.always = UNAVAILABLE
    assert exporter.export(make_metrics()) is FAILURE
    assert len(receiver.requests) > 1
    before = len(receiver.requests)
    assert exporter.export(make_metrics()) is FAILURE
    assert len(receiver.requests) == before + 1
    receiver.always = Answer()
    assert exporter.export(make_metrics()) is SUCCESS
    receiver.answers += [UNAVAILABLE]
    assert exporter.export(make_metrics()) is SUCCESS


@pytest.mark.parametrize("answer", [UNAVAILABLE, NEVER], ids=["refuses", "hangs"])
def test_time_is_kept(make: Make, receiver: OtlpReceiver, answer: Answer) -> None:
    """The exporter's own, and that which the reader gives."""
    receiver.always = answer
    for exporter, given_ms in ((make(receiver, timeout_s=0.3), 10_000), (make(receiver), 300)):
        began = time.monotonic()
        assert exporter.export(make_metrics(), timeout_millis=given_ms) is FAILURE
        assert time.monotonic() - began < 0.8


def test_no_attempt_before_the_receiver_wants_one(make: Make, receiver: OtlpReceiver) -> None:
    """A Retry-After beyond the time of one export holds for the next one."""
    exporter = make(receiver, timeout_s=0.2)
    receiver.answers.append(Answer(429, stored=False, retry_after_s=1))
    began = time.monotonic()
    while exporter.export(make_metrics()) is FAILURE and time.monotonic() - began < 5:
        time.sleep(0.01)
    assert 0.8 < time.monotonic() - began < 2
    assert len(receiver.requests) == 2


def test_large_requests_are_split(make: Make) -> None:
    """Until the receiver takes them."""
    for protocol in ("http", "grpc"):
        with OtlpReceiver(protocol, max_bytes=3_000) as receiver:
            assert make(receiver).export(make_metrics(200)) is SUCCESS
            assert receiver.total("t.calls") == 200
            assert max(request.size for request in receiver.requests) <= 3_000


def test_shutdown_ends_the_waiting(make: Make, http: OtlpReceiver) -> None:
    """An export that waits for its next attempt gives up."""
    http.always = Answer(503, stored=False, retry_after_s=4)
    exporter = make(http)
    threading.Timer(0.2, exporter.shutdown).start()
    began = time.monotonic()
    assert exporter.export(make_metrics()) is FAILURE
    assert time.monotonic() - began < 1
