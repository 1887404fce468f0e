# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What tests of the viewer send, and a dashboard that takes it.

    with Viewer(tmp_path) as viewer:
        answer = viewer.post("/v1/metrics", metrics(number("shop.orders", 3)))
        assert viewer.store.numbers(...)
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otelkit.viewer.server import Dashboard, Options
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.store import Store

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
EVER = 2**63 - 1
SECOND_NS = 1_000_000_000

Values = Mapping[str, Any]
NONE: Values = MappingProxyType({})
SHOP: Values = MappingProxyType({"service.name": "shop"})


def set_attributes(pairs: Any, attributes: Values) -> None:
    """Add attributes to a repeated KeyValue."""
    for key, value in attributes.items():
        pair = pairs.add(key=key)
        if isinstance(value, bool):
            pair.value.bool_value = value
        elif isinstance(value, int):
            pair.value.int_value = value
        elif isinstance(value, float):
            pair.value.double_value = value
        else:
            pair.value.string_value = value


def number(
    name: str,
    value: float,
    attributes: Values = NONE,
    *,
    time_ns: int | None = None,
    start_ns: int = 0,
    kind: str = "sum",
    temporality: int = 2,
) -> Metric:
    """Make a metric with one number."""
    metric = Metric(name=name, unit="1")
    data = getattr(metric, kind)
    if kind == "sum":
        data.aggregation_temporality, data.is_monotonic = temporality, True
    point = data.data_points.add(time_unix_nano=time.time_ns() if time_ns is None else time_ns)
    point.start_time_unix_nano = start_ns
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    set_attributes(point.attributes, attributes)
    return metric


def histogram(
    name: str,
    bounds: Sequence[float],
    buckets: Sequence[int],
    attributes: Values = NONE,
    *,
    time_ns: int | None = None,
    start_ns: int = 0,
    temporality: int = 2,
) -> Metric:
    """Make a metric with one histogram point."""
    metric = Metric(name=name, unit="s")
    metric.histogram.aggregation_temporality = temporality
    point = metric.histogram.data_points.add(time_unix_nano=time.time_ns() if time_ns is None else time_ns)
    point.start_time_unix_nano = start_ns
    point.explicit_bounds.extend(bounds)
    point.bucket_counts.extend(buckets)
    point.count, point.sum, point.min, point.max = sum(buckets), 1.5, 0.1, 0.9
    set_attributes(point.attributes, attributes)
    return metric


def metrics(*given: Metric, resource: Values = SHOP) -> ExportMetricsServiceRequest:
    """Make a request."""
    request = ExportMetricsServiceRequest()
    part = request.resource_metrics.add()
    set_attributes(part.resource.attributes, resource)
    scope = part.scope_metrics.add()
    scope.scope.name = "tests"
    scope.metrics.extend(given)
    return request


def span(
    name: str,
    *,
    trace_id: bytes | None = None,
    span_id: bytes | None = None,
    parent: bytes = b"",
    start_ns: int | None = None,
    duration_ns: int = 1_000_000,
    failed: bool = False,
    attributes: Values = NONE,
) -> Span:
    """Make a span; ids are drawn where none are given."""
    start = time.time_ns() - duration_ns if start_ns is None else start_ns
    made = Span(name=name, start_time_unix_nano=start, end_time_unix_nano=start + duration_ns, parent_span_id=parent)
    made.trace_id = secrets.token_bytes(16) if trace_id is None else trace_id
    made.span_id = secrets.token_bytes(8) if span_id is None else span_id
    if failed:
        made.status.code = 2
    set_attributes(made.attributes, attributes)
    return made


def traces(*given: Span, resource: Values = SHOP) -> ExportTraceServiceRequest:
    """Make a request."""
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    set_attributes(part.resource.attributes, resource)
    scope = part.scope_spans.add()
    scope.scope.name = "tests"
    scope.spans.extend(given)
    return request


class Answer(NamedTuple):
    """What a server answered; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    port: int, method: str, path: str, body: bytes | Iterable[bytes] | None = None, headers: Mapping[str, str] = {}
) -> Answer:
    """Make one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, {key.lower(): value for key, value in response.getheaders()}, response.read())
    finally:
        connection.close()


class Viewer:
    """A dashboard in this process, on free ports."""

    def __init__(self, folder: Path, limits: Limits | None = None, *, grpc: bool = False, **options: Any) -> None:
        given = Options(
            folder=folder, port=0, grpc_port=0 if grpc else None, limits=limits or Limits(), **options
        )  # fmt: skip
        self.dashboard = Dashboard(given)

    def __enter__(self) -> Self:
        self.dashboard.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.dashboard.close()

    @property
    def store(self) -> Store:
        """Its store."""
        return self.dashboard.store

    @property
    def port(self) -> int:
        """Of pages and OTLP/HTTP."""
        return self.dashboard.port

    @property
    def counts(self) -> dict[str, int]:
        """What it counted."""
        return self.store.counts.read()

    def post(self, path: str, body: Message | bytes, headers: Mapping[str, str] = {}) -> Answer:
        """Send a request; an encoded one as protobuf, unless the headers say otherwise."""
        encoded = body if isinstance(body, bytes) else body.SerializeToString()
        return ask(self.port, "POST", path, encoded, {"Content-Type": PROTOBUF, **headers})

    def get(self, path: str, headers: Mapping[str, str] = {}) -> Answer:
        """Ask for a page, or the API, with nothing but these headers."""
        return ask(self.port, "GET", path, None, headers)

    def values(self, metric: str) -> dict[tuple[tuple[str, Any], ...], list[float]]:
        """Return all values of a metric, by the series' attributes."""
        found = self.store.series(metric)
        points = self.store.numbers([series.id for series in found], 0, EVER)
        return {
            tuple(series.attributes.items()): list(points[series.id].values) for series in found if series.id in points
        }
