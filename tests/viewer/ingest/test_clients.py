# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Real clients: the SDK's exporters over HTTP and gRPC, and otelkit's own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, SpanKind
from support.viewer import EVER, Viewer, metrics, number, span, traces

from otelkit.viewer.ingest.compression import MAX_BODY_BYTES
from otelkit.viewer.store import TraceQuery

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
RESOURCE = Resource({"service.name": "shop", "service.instance.id": "one", "ports": [1, 2]})
DELTA = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Viewer]:
    """A viewer that listens for gRPC, too."""
    with Viewer(tmp_path, grpc=True) as running:
        yield running


def span_exporter(viewer: Viewer, protocol: str) -> SpanExporter:
    if protocol == "grpc":
        return GrpcSpanExporter(endpoint=f"http://127.0.0.1:{viewer.dashboard.grpc_port}", insecure=True)
    return OTLPSpanExporter(f"{viewer.dashboard.base_url}/v1/traces", compression=Compression.Gzip)


def metric_exporter(viewer: Viewer, protocol: str, temporality: str) -> MetricExporter:
    preferred = DELTA if temporality == "delta" else None
    if protocol == "grpc":
        endpoint = f"http://127.0.0.1:{viewer.dashboard.grpc_port}"
        return GrpcMetricExporter(endpoint=endpoint, insecure=True, preferred_temporality=preferred)
    endpoint = f"{viewer.dashboard.base_url}/v1/metrics"
    return OTLPMetricExporter(endpoint, preferred_temporality=preferred, compression=Compression.Gzip)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_spans_of_the_sdk(both: Viewer, protocol: str) -> None:
    """1,000 traces of two spans, with attributes, events, links and exceptions: all there, each as it was recorded."""
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(span_exporter(both, protocol), max_queue_size=4_000))
    tracer = provider.get_tracer("clients", "1.0")
    for order in range(1_000):
        with tracer.start_as_current_span("place_order", kind=SpanKind.SERVER, attributes={"order": order}) as root:
            inner = tracer.start_span("charge", links=[Link(root.get_span_context(), {"why": "test"})])
            inner.add_event("paid", {"amount": 1.5})
            inner.record_exception(ValueError("no money"))
            inner.end()
    provider.shutdown()
    statistics = both.store.statistics()
    assert (statistics.traces, statistics.spans) == (1_000, 2_000)
    assert both.counts == {"received.spans": 2_000}
    (found,) = both.store.traces(TraceQuery(attributes={"order": 417}))
    assert (found.root_service, found.root_name, found.spans, found.rooted) == ("shop", "place_order", 2, True)
    root_span, charge = both.store.trace(found.trace_id)
    assert (root_span.kind, root_span.attributes, root_span.scope) == ("server", {"order": 417}, "clients")
    assert root_span.resource == {"service.name": "shop", "service.instance.id": "one", "ports": [1, 2]}
    assert charge.parent_span_id == root_span.span_id
    assert [event.name for event in charge.events] == ["paid", "exception"]
    assert charge.events[1].attributes["exception.message"] == "no money"
    assert [(link.span_id, link.attributes) for link in charge.links] == [(root_span.span_id, {"why": "test"})]


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_metrics_of_the_sdk(both: Viewer, protocol: str, temporality: str) -> None:
    """Each instrument arrives as its kind, with unit, description, temporality and values."""
    reader = PeriodicExportingMetricReader(metric_exporter(both, protocol, temporality), export_interval_millis=1e9)
    views = [View(instrument_name="shop.weight", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([reader], resource=RESOURCE, views=views)
    meter = provider.get_meter("clients")
    orders = meter.create_counter("shop.orders", unit="{order}", description="Orders.")
    stock = meter.create_up_down_counter("shop.stock")
    price = meter.create_histogram("shop.price", explicit_bucket_boundaries_advisory=[1, 10])
    weight = meter.create_histogram("shop.weight")
    meter.create_gauge("shop.heat").set(21.5)
    for step in (1, 2):
        orders.add(step * 10, {"tier": "free"})
        stock.add(-1)
        for value in (0.5, 5, 50):
            price.record(value)
            weight.record(value)
        provider.force_flush()
    provider.shutdown()
    store = both.store
    kinds = {metric.name: (metric.kind, metric.temporality, metric.monotonic) for metric in store.metrics()}
    assert kinds == {
        "shop.orders": ("sum", temporality, True),
        "shop.stock": ("sum", "cumulative", False),
        "shop.price": ("histogram", temporality, False),
        "shop.weight": ("exponential_histogram", temporality, False),
        "shop.heat": ("gauge", "", False),
    }
    (metric,) = store.metrics("shop.orders")
    assert (metric.unit, metric.description, metric.scope) == ("{order}", "Orders.", "clients")
    assert both.values("shop.orders")[("tier", "free"),][:2] == (
        [10.0, 20.0] if temporality == "delta" else [10.0, 30.0]
    )
    assert both.values("shop.heat")[()][0] == 21.5
    (price_series,) = store.series("shop.price")
    (run,) = store.histograms([price_series.id], 0, EVER)[price_series.id]
    assert run.bounds == (1.0, 10.0)
    assert list(run.buckets[:6]) == ([1, 1, 1, 1, 1, 1] if temporality == "delta" else [1, 1, 1, 2, 2, 2])
    assert (run.sums[0], run.minima[0], run.maxima[0]) == (55.5, 0.5, 50.0)
    (weight_series,) = store.series("shop.weight")
    points = store.exponential_histograms([weight_series.id], 0, EVER)[weight_series.id]
    assert (points[0].count, sum(points[0].positive), points[0].sum) == (3, 3, 55.5)
    assert (price_series.service, price_series.instance) == ("shop", "one")


def call(viewer: Viewer, method: str, body: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{viewer.dashboard.grpc_port}") as channel:
        return channel.unary_unary(method)(body, timeout=30, metadata=metadata)


def refused(viewer: Viewer, method: str, body: bytes, compression: grpc.Compression | None = None) -> grpc.RpcError:
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{viewer.dashboard.grpc_port}", options=options) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(method)(body, timeout=60, compression=compression)
        return raised.value


def test_codes_of_grpc(both: Viewer) -> None:
    """OTLP's: INVALID_ARGUMENT for what cannot be decoded, UNIMPLEMENTED for logs, a partial success for the rest."""
    assert refused(both, TRACES, b"\xff\xff").code() == grpc.StatusCode.INVALID_ARGUMENT
    logs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    assert refused(both, logs, b"").code() == grpc.StatusCode.UNIMPLEMENTED
    answer = call(both, TRACES, traces(span("good"), span("bad", span_id=b"")).SerializeToString())
    assert ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans == 1
    assert call(both, METRICS, metrics(number("a", 1)).SerializeToString()) == b""


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_grpc_takes_no_bombs(both: Viewer, compression: grpc.Compression) -> None:
    """What is too large, packed or not, is refused; and the next call is served."""
    error = refused(both, TRACES, bytes(MAX_BODY_BYTES * 4), compression)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call(both, TRACES, traces(span("next")).SerializeToString()) == b""


def test_grpc_says_when_to_come_again(both: Viewer) -> None:
    """UNAVAILABLE with RetryInfo while nothing can be written."""
    both.dashboard.inlet.close()
    error = refused(both, TRACES, traces(span("a")).SerializeToString())
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    (status,) = [value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"]
    info = RetryInfo()
    Status.FromString(status).details[0].Unpack(info)
    assert info.retry_delay.seconds == 5


PROGRAM = """
import sys, otelkit
endpoint, protocol = sys.argv[1:]
otelkit.configure(service_name="shop", otlp_endpoint=endpoint, otlp_protocol=protocol, machine=())

@otelkit.observed(name="price", labels=["tier"])
def price(tier):
    if tier == "bad":
        raise ValueError(tier)

for tier in ["free"] * 30 + ["paid"] * 12:
    price(tier)
try:
    price("bad")
except ValueError:
    pass
sys.exit(0 if otelkit.shutdown(10) else 1)
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_otelkit_itself(both: Viewer, protocol: str) -> None:
    """A program of otelkit's: calls, errors, durations, spans, and exemplars that lead to them."""
    endpoint = both.dashboard.base_url if protocol != "grpc" else f"http://127.0.0.1:{both.dashboard.grpc_port}"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, endpoint, protocol], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    calls = {series[0][1]: values[-1] for series, values in both.values("price.calls").items()}
    assert calls == {"free": 30, "paid": 12, "bad": 1}
    assert both.store.statistics().traces == 43
    assert len(both.store.traces(TraceQuery(failed=True))) == 1
    series = both.store.series("price.duration", attributes={"tier": "free"})
    exemplars = both.store.exemplars([each.id for each in series], 0, EVER)
    assert exemplars
    for exemplar in exemplars:
        (called,) = both.store.trace(exemplar.trace_id)
        assert (called.span_id, called.attributes["tier"]) == (exemplar.span_id, "free")
