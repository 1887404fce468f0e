# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""From OTLP's messages to the plain data of `model`."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from otelkit.viewer.store.model import Attributes, Event, Link, Span

__all__ = ("attributes_of", "resource_of", "scope_of", "span_of")

_KINDS = ("", "internal", "server", "client", "producer", "consumer")
_STATUS = ("unset", "ok", "error")


def attributes_of(pairs: Iterable[KeyValue]) -> Attributes:
    """Return attributes as plain data; of two with the same key the last."""
    return {pair.key: value_of(pair.value) for pair in pairs}


def value_of(value: AnyValue) -> Any:
    """Return one value as plain data."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return attributes_of(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return None if kind is None else getattr(value, kind)


def resource_of(body: bytes) -> Attributes:
    """Return the attributes of an encoded resource."""
    return attributes_of(Resource.FromString(body).attributes)


def scope_of(body: bytes) -> str:
    """Return the name of an encoded scope."""
    return InstrumentationScope.FromString(body).name


def span_of(body: bytes, resource: Attributes, scope: str) -> Span | None:
    """Return an encoded span, or None for what is none (a file that was damaged)."""
    try:
        span = trace_pb2.Span.FromString(body)
    except DecodeError:
        return None
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        kind=_KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else "",
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        status=_STATUS[span.status.code] if 0 <= span.status.code < len(_STATUS) else "unset",
        status_message=span.status.message,
        resource=resource,
        scope=scope,
        attributes=attributes_of(span.attributes),
        events=tuple(
            Event(each.time_unix_nano, each.name, attributes_of(each.attributes))
            for each in sorted(span.events, key=lambda each: each.time_unix_nano)
        ),
        links=tuple(
            Link(each.trace_id.hex(), each.span_id.hex(), attributes_of(each.attributes)) for each in span.links
        ),
        dropped=span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count,
    )
