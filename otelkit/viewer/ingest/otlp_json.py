# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OTLP's JSON: protobuf's, but ids are hexadecimal.

Turned into protobuf, so that there is one way in.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from otelkit.viewer.ingest.inlet import Signal

__all__ = ("to_protobuf",)

_IDS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def to_protobuf(signal: Signal, body: bytes) -> bytes:
    """
    Return the request in protobuf.

    Errors: ValueError for what is no OTLP. Cost: 30 us a point.
    """
    request = ExportMetricsServiceRequest() if signal == "metrics" else ExportTraceServiceRequest()
    try:
        plain = msgspec.json.decode(body)
        if not isinstance(plain, dict):
            raise ValueError("a request is an object")
        json_format.ParseDict(_with_base64_ids(plain), request, ignore_unknown_fields=True)
    except (msgspec.DecodeError, json_format.ParseError, RecursionError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no OTLP: {error}") from error
    return request.SerializeToString()


def _with_base64_ids(value: Any) -> Any:
    """Return a copy in which ids are what protobuf's JSON expects of bytes; attributes' keys are no such keys."""
    if isinstance(value, list):
        return [_with_base64_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _base64(each) if key in _IDS and isinstance(each, str) else _with_base64_ids(each)
        for key, each in value.items()
    }


def _base64(text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"an id is hexadecimal, this is not: {text[:40]!r}") from error
