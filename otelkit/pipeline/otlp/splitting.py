# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Export requests in two halves, for receivers that find them too large."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otelkit.pipeline.otlp.reply import Signal


def count(signal: Signal, body: bytes) -> int:
    """Return the number of spans or data points in a request."""
    return sum(1 for _ in _walk(signal, _parse(signal, body)))


def halves(signal: Signal, body: bytes) -> list[bytes]:
    """
    Return a request's two halves, in order; the request alone if it has but one span or data point.

    Raises ``google.protobuf.message.DecodeError`` for what is no request.
    """
    items = list(_walk(signal, _parse(signal, body)))
    if len(items) < 2:
        return [body]
    middle = len(items) // 2
    return [_joined(signal, part).SerializeToString() for part in (items[:middle], items[middle:])]


def _parse(signal: Signal, body: bytes) -> Any:
    return (ExportTraceServiceRequest if signal == "traces" else ExportMetricsServiceRequest).FromString(body)


def _walk(signal: Signal, request: Any) -> Any:
    """Yield (resource part, scope part, metric or None, item)."""
    if signal == "traces":
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield resource, scope, None, span
        return
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, metric.WhichOneof("data") or "gauge").data_points:
                    yield resource, scope, metric, point


def _joined(signal: Signal, items: list[Any]) -> Any:
    request: Any = ExportTraceServiceRequest() if signal == "traces" else ExportMetricsServiceRequest()
    last: list[Any] = [None, None, None]
    into: list[Any] = [None, None, None]
    for resource, scope, metric, item in items:
        if resource is not last[0]:
            parts = request.resource_spans if signal == "traces" else request.resource_metrics
            into[0] = _emptied(parts.add(), resource, "resource")
            last = [resource, None, None]
        if scope is not last[1]:
            parts = into[0].scope_spans if signal == "traces" else into[0].scope_metrics
            into[1] = _emptied(parts.add(), scope, "scope")
            last[1:] = [scope, None]
        if metric is None:
            into[1].spans.add().CopyFrom(item)
            continue
        if metric is not last[2]:
            into[2] = into[1].metrics.add()
            _copy_heading(metric, into[2])
            last[2] = metric
        getattr(into[2], metric.WhichOneof("data") or "gauge").data_points.add().CopyFrom(item)
    return request


def _emptied(new: Any, old: Any, field: str) -> Any:
    if old.HasField(field):
        getattr(new, field).CopyFrom(getattr(old, field))
    new.schema_url = old.schema_url
    return new


def _copy_heading(old: Any, new: Any) -> None:
    """Copy a metric without its points."""
    new.name, new.description, new.unit = old.name, old.description, old.unit
    new.metadata.extend(old.metadata)
    which = old.WhichOneof("data") or "gauge"
    data, into = getattr(old, which), getattr(new, which)
    into.SetInParent()
    for field in ("aggregation_temporality", "is_monotonic"):
        if hasattr(data, field):
            setattr(into, field, getattr(data, field))
