# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The SDK's OTLP exporters, given everything explicitly; each is imported when it is first wanted."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from otelkit._core._guard import guard

if TYPE_CHECKING:
    from otelkit.config import OtlpSettings, Settings

Signal = Literal["metrics", "traces"]

# Receivers limit a request: the Collector's HTTP receiver to 20 MiB, its gRPC receiver (and grpc-go's default) to
# 4 MiB. A histogram point with labels takes 400 bytes, one with an exemplar in each of 15 buckets 1.3 KB.
BATCH_POINTS = {"http/protobuf": 10_000, "grpc": 2_000}

_DELTA = AggregationTemporality.DELTA
_TEMPORALITY: dict[str, dict[type, AggregationTemporality]] = {
    "cumulative": {},
    "delta": {Counter: _DELTA, Histogram: _DELTA, ObservableCounter: _DELTA},
    "lowmemory": {Counter: _DELTA, Histogram: _DELTA},
}
_CREDENTIAL_PROVIDERS = (
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
    "OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal}_CREDENTIAL_PROVIDER",
)


def create_metric_exporter(settings: Settings) -> MetricExporter:
    """Return the exporter for the protocol that metrics are sent with."""
    otlp = settings.otlp("metrics")
    temporality = _TEMPORALITY[settings.metrics_temporality]
    if otlp.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter

        return GrpcMetricExporter(**_grpc_arguments(otlp), preferred_temporality=temporality)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter

    return HttpMetricExporter(**_http_arguments(otlp, "metrics"), preferred_temporality=temporality)


def create_span_exporter(settings: Settings) -> SpanExporter:
    """Return the exporter for the protocol that spans are sent with."""
    otlp = settings.otlp("traces")
    if otlp.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter

        return GrpcSpanExporter(**_grpc_arguments(otlp))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter

    return HttpSpanExporter(**_http_arguments(otlp, "traces"))


def _http_arguments(otlp: OtlpSettings, signal: Signal) -> dict[str, Any]:
    from opentelemetry.exporter.otlp.proto.http import Compression

    return {
        "endpoint": otlp.endpoint,
        "certificate_file": otlp.certificate,
        "client_key_file": otlp.client_key,
        "client_certificate_file": otlp.client_certificate,
        "headers": otlp.headers,
        "timeout": otlp.timeout_s,
        "compression": Compression(otlp.compression),
        "session": _session(signal),
    }


def _session(signal: Signal) -> Any:
    """Return a session that counts what a receiver rejects, or None where the user provides the session."""
    if any(os.environ.get(name.format(signal=signal.upper())) for name in _CREDENTIAL_PROVIDERS):
        return None
    import requests

    def count_rejected(response: requests.Response, *_: object, **__: object) -> None:
        with guard.shield("OTLP answer"):
            if response.status_code == 200 and response.content:
                _count_rejected(signal, response.content)

    session = requests.Session()
    session.hooks["response"].append(count_rejected)
    _sessions.add(session)
    return session


_sessions: weakref.WeakSet[Any] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    # Parent and child would write to one and the same connection. Fresh adapters instead of close(), which takes locks
    # that a thread of the parent may have held.
    for session in list(_sessions):
        for prefix, adapter in list(session.adapters.items()):
            session.mount(prefix, type(adapter)())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _count_rejected(signal: Signal, body: bytes) -> None:
    # The SDK's exporters do not look at partial success: https://opentelemetry.io/docs/specs/otlp/#partial-success
    if signal == "metrics":
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        partial = ExportMetricsServiceResponse.FromString(body).partial_success
        rejected = partial.rejected_data_points
    else:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        partial = ExportTraceServiceResponse.FromString(body).partial_success
        rejected = partial.rejected_spans
    if rejected:
        guard.dropped(signal, "rejected by the receiver", rejected, detail=partial.error_message)


def _grpc_arguments(otlp: OtlpSettings) -> dict[str, Any]:
    import grpc

    compression = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}[otlp.compression]
    return {
        "endpoint": otlp.endpoint,
        "insecure": otlp.insecure,
        "credentials": _credentials(otlp),
        "headers": tuple((name.lower(), value) for name, value in otlp.headers.items()) or None,
        "timeout": otlp.timeout_s,
        "compression": compression,
    }


def _credentials(otlp: OtlpSettings) -> Any:
    # The exporter reads a client's key and certificate only when an authority's is given too.
    files = (otlp.certificate, otlp.client_key, otlp.client_certificate)
    if otlp.insecure or not any(files):
        return None
    import grpc

    return grpc.ssl_channel_credentials(*(_read(file) for file in files))


def _read(file: str | None) -> bytes | None:
    if file is None:
        return None
    with open(file, "rb") as opened:
        return opened.read()
