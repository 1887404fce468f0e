# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What docs/scaling.md is computed from, without the programs that it measures."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PARTS = ("agent", "gateway-1", "jaeger", "prometheus")


@pytest.fixture
def scale(importable_benchmarks: None) -> ModuleType:
    """The module."""
    return import_module("benchmarks.stack_scale")


def usage(scale: ModuleType, items: int, rss: int) -> Any:
    """Ten microseconds of CPU per item, and so much memory."""
    return scale.Usage(1.0, items, dict.fromkeys(PARTS, items * 1e-5), dict.fromkeys(PARTS, rss))


def test_requests_hold_as_many_spans_and_series_as_they_claim(scale: ModuleType) -> None:
    """Spans of whole traces with ids of their own; series as Prometheus counts them, buckets included."""
    spans = [
        span
        for body in scale.span_requests(1024)
        for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans
    ]
    assert len(spans) == len({span.span_id for span in spans}) == 1024
    assert len({span.trace_id for span in spans}) == 256
    exports = [ExportMetricsServiceRequest.FromString(body) for body in scale.metric_requests(0)]
    assert len(exports) == scale.INSTANCES
    series = 0
    for metric in exports[0].resource_metrics[0].scope_metrics[0].metrics:
        series += len(metric.sum.data_points)
        series += sum(len(point.bucket_counts) + 2 for point in metric.histogram.data_points)
    assert series == scale.SERIES


def test_sizes_are_straight_lines(scale: ModuleType) -> None:
    """A hundred instances make 5,000 spans a second, of 10 us each; memory above idle grows with them."""
    spans = {10_000: usage(scale, 1_000_000, 300_000_000)}
    series = usage(scale, scale.INSTANCES * scale.SERIES, 200_000_000)
    rows = scale.sizes(usage(scale, 1, 100_000_000), spans, series).splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == ["10", "100", "10,000"]
    # Agents: 5,000 spans and a sixtieth of 50,000 series a second. Gateways: a fifteenth of them.
    assert cells[1][1:7] == ["5,000", "50,000", "0.06", "0.08", "300 MB", "1"]
    assert cells[1][-1] == "200 MB"
    assert float(cells[2][4]) == 8.33
