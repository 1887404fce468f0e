# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Halves of a request: together they are the whole."""

from __future__ import annotations

from itertools import chain
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from otelkit.pipeline.otlp.splitting import count, halves

SIZES = st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=3)
KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


def _traces(sizes: list[list[int]]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    for number, scopes in enumerate(sizes):
        resource = request.resource_spans.add(schema_url=f"resource {number}")
        resource.resource.attributes.add(key=f"resource {number}")
        for scope_number, spans in enumerate(scopes):
            scope = resource.scope_spans.add(schema_url=f"scope {scope_number}")
            scope.scope.name = f"scope {scope_number}"
            for span in range(spans):
                scope.spans.add(name=f"{number} {scope_number} {span}")
    return request


def _metrics(sizes: list[list[int]]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    for number, metrics in enumerate(sizes):
        scope = request.resource_metrics.add(schema_url=f"resource {number}").scope_metrics.add()
        for metric_number, points in enumerate(metrics):
            metric = scope.metrics.add(name=f"m{metric_number}", unit="s", description="d")
            data = getattr(metric, KINDS[metric_number % len(KINDS)])
            data.SetInParent()
            if hasattr(data, "aggregation_temporality"):
                data.aggregation_temporality = 2
            if hasattr(data, "is_monotonic"):
                data.is_monotonic = True
            for point in range(points):
                data.data_points.add(time_unix_nano=point + 1)
    return request


def _spans(request: Any) -> list[tuple]:
    return [
        (resource.schema_url, resource.resource.SerializeToString(), scope.schema_url, scope.scope.name, span.name)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _points(request: Any) -> list[tuple]:
    return [
        (resource.schema_url, _heading(metric), point.SerializeToString())
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in getattr(metric, metric.WhichOneof("data")).data_points
    ]


def _heading(metric: Metric) -> bytes:
    alone = Metric.FromString(metric.SerializeToString())
    del getattr(alone, alone.WhichOneof("data")).data_points[:]
    return alone.SerializeToString()


@given(SIZES)
def test_halves_of_spans(sizes: list[list[int]]) -> None:
    """Each span is in one half, in order, under its resource and scope."""
    request = _traces(sizes)
    parts = halves("traces", request.SerializeToString())
    found = [_spans(ExportTraceServiceRequest.FromString(part)) for part in parts]
    assert list(chain(*found)) == _spans(request)
    assert count("traces", request.SerializeToString()) == sum(map(sum, sizes))
    assert len(parts) == 2 or sum(map(sum, sizes)) < 2
    assert len(parts) == 1 or abs(len(found[0]) - len(found[1])) <= 1


@given(SIZES)
def test_halves_of_points(sizes: list[list[int]]) -> None:
    """Each point is in one half, in order, under its metric's name, unit, temporality and monotonicity."""
    request = _metrics(sizes)
    parts = halves("metrics", request.SerializeToString())
    found = [_points(ExportMetricsServiceRequest.FromString(part)) for part in parts]
    assert list(chain(*found)) == _points(request)
    assert len(parts) == 2 or sum(map(sum, sizes)) < 2
