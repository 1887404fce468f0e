# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OTLP, as its specification has it: https://opentelemetry.io/docs/specs/otlp/.

The SDK's encoders make the requests; sending is otelkit's own. Python's
exporters take a redirection for success, do not look at partial success,
retry what must not be and never split what is too large, and each of their
failures is several lines in the program's log.

    metrics  exporter ---------------------- courier -- transport -- receiver
    spans    exporter -- outbox -- thread -- courier -- transport -- receiver
                         (memory, files)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.trace.export import SpanExporter

from otelkit import __version__
from otelkit.pipeline.otlp.reply import Signal, Transport

if TYPE_CHECKING:
    from otelkit.config import OtlpSettings, Settings
    from otelkit.pipeline.otlp.courier import Courier
    from otelkit.pipeline.otlp.span_files import SpanFiles

__all__ = ("BATCH_POINTS", "create_metric_exporter", "create_span_exporter")

# Receivers limit a request, before compression: the Collector's HTTP receiver to 20 MiB, its gRPC receiver (and
# grpc-go's default) to 4 MiB.
REQUEST_BYTES = {"http/protobuf": 16 << 20, "grpc": 3_500_000}

# So that few collections need to be split afterwards: a histogram point with labels takes 400 bytes, one with an
# exemplar in each of 15 buckets 1.3 KB.
BATCH_POINTS = {"http/protobuf": 10_000, "grpc": 2_000}

USER_AGENT = f"otelkit/{__version__}"

_DELTA = AggregationTemporality.DELTA
_TEMPORALITY: dict[str, dict[type, AggregationTemporality]] = {
    "cumulative": {},
    "delta": {Counter: _DELTA, Histogram: _DELTA, ObservableCounter: _DELTA},
    "lowmemory": {Counter: _DELTA, Histogram: _DELTA},
}


def create_metric_exporter(settings: Settings) -> MetricExporter:
    """Return the exporter of metrics."""
    from otelkit.pipeline.otlp.metric_exporter import OtlpMetricExporter

    exponential: dict[type, Any] = {Histogram: ExponentialBucketHistogramAggregation()}
    return OtlpMetricExporter(
        _courier(settings, "metrics"),
        timeout_s=settings.otlp("metrics").timeout_s,
        preferred_temporality=_TEMPORALITY[settings.metrics_temporality],
        preferred_aggregation=exponential if settings.histogram == "exponential" else {},
    )


def create_span_exporter(settings: Settings) -> SpanExporter:
    """Return the exporter of spans."""
    from otelkit.pipeline.otlp.outbox import Outbox
    from otelkit.pipeline.otlp.span_exporter import OtlpSpanExporter

    courier = _courier(settings, "traces")
    files = _span_files(settings)
    if files:
        courier.destination.hint = "Spans are kept on disk meanwhile."
    outbox = Outbox(
        files,
        disk_bytes=settings.span_buffer_bytes,
        max_age_s=settings.span_buffer_age_s,
        on_dropped=lambda items: courier.destination.dropped("traces", items),
    )
    return OtlpSpanExporter(courier, outbox, timeout_s=settings.otlp("traces").timeout_s)


def _courier(settings: Settings, signal: Signal) -> Courier:
    from otelkit.pipeline.otlp.courier import Courier
    from otelkit.pipeline.otlp.destination import destination_of

    otlp = settings.otlp(signal)
    max_bytes = settings.otlp_request_bytes or REQUEST_BYTES[otlp.protocol]
    return Courier(_transport(otlp, signal), signal, destination_of(otlp.endpoint), max_bytes=max_bytes)


def _transport(otlp: OtlpSettings, signal: Signal) -> Transport:
    if otlp.protocol == "grpc":
        from otelkit.pipeline.otlp.grpc_transport import GrpcTransport

        return GrpcTransport(otlp, signal, USER_AGENT)
    from otelkit.pipeline.otlp.http_transport import HttpTransport

    return HttpTransport(otlp, signal, USER_AGENT)


def _span_files(settings: Settings) -> SpanFiles | None:
    if not settings.span_buffer_bytes:
        return None
    from otelkit.pipeline.otlp.span_files import SpanFiles
    from otelkit.pipeline.otlp.span_folder import span_folder

    return SpanFiles(span_folder(settings), max_age_s=settings.span_buffer_age_s)
