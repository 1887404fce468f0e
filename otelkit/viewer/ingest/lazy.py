# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OTLP's messages, decoded as far as ingest needs them.

The same field numbers as OTLP's own, but attributes, resources, scopes, exemplars and spans stay bytes: on the wire a
message and bytes look the same. A series is then found by the bytes of its attributes, which its sender repeats, and
nothing is decoded twice. What nobody decodes here was checked as a whole before (`checked`).
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FileDescriptor
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

__all__ = ("LazyMetrics", "LazyResource", "LazySpan", "LazyTraces", "checked")

_KEPT_AS_BYTES = {
    "KeyValue", "Resource", "InstrumentationScope", "Exemplar", "Span", "EntityRef", "Event", "Link",
}  # fmt: skip
_PACKAGE = "otelkit.lazy"
_Field = descriptor_pb2.FieldDescriptorProto


def _lazy_file(source: FileDescriptor, name: str) -> descriptor_pb2.FileDescriptorProto:
    """Return a file's definition with its larger parts as bytes."""
    file = descriptor_pb2.FileDescriptorProto()
    source.CopyToProto(file)
    file.name, file.package = f"otelkit/{name}.proto", f"{_PACKAGE}.{name}"
    file.ClearField("syntax")  # that is proto2's, where every field can say whether it was sent
    del file.dependency[:]
    for message in file.message_type:
        _make_lazy(message, source.package, file.package)
    return file


def _make_lazy(message: descriptor_pb2.DescriptorProto, package: str, own: str) -> None:
    for field in message.field:
        if field.HasField("oneof_index"):
            field.ClearField("oneof_index")
            field.ClearField("proto3_optional")
        if field.type == _Field.TYPE_MESSAGE and field.type_name.rsplit(".", 1)[-1] in _KEPT_AS_BYTES:
            field.type = _Field.TYPE_BYTES
            field.ClearField("type_name")
        elif field.type_name.startswith(f".{package}."):
            field.type_name = f".{own}.{field.type_name.removeprefix(f'.{package}.')}"
        elif field.type == _Field.TYPE_MESSAGE:
            field.type = _Field.TYPE_BYTES
            field.ClearField("type_name")
    del message.oneof_decl[:]
    for inner in message.nested_type:
        _make_lazy(inner, package, own)


_pool = descriptor_pool.DescriptorPool()


def _class(source: FileDescriptor, name: str, message: str) -> Any:
    try:
        _pool.FindFileByName(f"otelkit/{name}.proto")
    except KeyError:
        _pool.Add(_lazy_file(source, name))
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}.{message}"))


LazyMetrics: Any = _class(metrics_pb2.DESCRIPTOR, "metrics", "MetricsData")
"""Wire-compatible with ExportMetricsServiceRequest."""
LazyTraces: Any = _class(trace_pb2.DESCRIPTOR, "trace", "TracesData")
LazySpan: Any = _class(trace_pb2.DESCRIPTOR, "trace", "Span")
LazyResource: Any = _class(resource_pb2.DESCRIPTOR, "resource", "Resource")
LazyExemplar: Any = metrics_pb2.Exemplar
LazyScope: Any = common_pb2.InstrumentationScope


def checked(signal: str, body: bytes) -> bytes:
    """
    Return ``body``, which is what it says.

    Errors: google.protobuf.message.DecodeError. Cost: 0.3 us a point, in C.
    """
    (ExportMetricsServiceRequest if signal == "metrics" else ExportTraceServiceRequest).FromString(body)
    return body
