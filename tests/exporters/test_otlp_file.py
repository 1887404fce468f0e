# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP-JSON lines."""

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from otelkit.config import Settings, load
from otelkit.exceptions import ConfigurationError
from otelkit.exporters.otlp_file import OtlpFileMetricExporter, create_exporter, create_span_exporter


def settings(folder: Path) -> Settings:
    """Return settings with that folder."""
    return load(environ={}, data_folder=str(folder))


def documents(path: Path) -> list[dict]:
    """Return the file's lines, each a JSON document."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def protobuf(document: dict, message: Any) -> Any:
    """Parse one line by protobuf's own rules, once its ids are what those rules want."""

    def visit(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: visit(value, name) for name, value in node.items()}
        if isinstance(node, list):
            return [visit(value) for value in node]
        if key in ("traceId", "spanId", "parentSpanId"):
            return base64.b64encode(bytes.fromhex(node)).decode()
        return node

    return ParseDict(visit(document), message)


@pytest.fixture
def tracer_provider(tmp_path: Path):
    """A tracer provider that writes each span into the folder when it ends."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(create_span_exporter(settings(tmp_path))))
    yield provider
    provider.shutdown()


def test_metrics_come_back_as_protobuf(tmp_path: Path, publish) -> None:
    """What was recorded is what protobuf's own parser finds in the line."""
    publisher = publish(create_exporter(settings(tmp_path)))
    publisher.meter.create_counter("orders", "{order}", "Orders placed.").add(
        2**60, {"source": "größe", "traceId": "x"}
    )
    publisher.meter.create_gauge("load").set(0.5)
    publisher.meter.create_histogram("wait", "s", explicit_bucket_boundaries_advisory=[1.0, 2.0]).record(1.5)
    publisher.collect()

    [document] = documents(tmp_path / "metrics.jsonl")
    [resource_metrics] = protobuf(document, MetricsData()).resource_metrics
    assert resource_metrics.resource.attributes[0].value.string_value == "shop"
    [scope_metrics] = resource_metrics.scope_metrics
    assert (scope_metrics.scope.name, scope_metrics.scope.version) == ("shop", "1.2")
    orders, load, wait = scope_metrics.metrics
    assert (orders.name, orders.unit, orders.description) == ("orders", "{order}", "Orders placed.")
    [point] = orders.sum.data_points
    assert (point.as_int, orders.sum.is_monotonic, orders.sum.aggregation_temporality) == (2**60, True, 2)
    assert {each.key: each.value.string_value for each in point.attributes} == {"source": "größe", "traceId": "x"}
    assert load.gauge.data_points[0].as_double == 0.5
    [point] = wait.histogram.data_points
    assert (point.count, point.sum, list(point.bucket_counts)) == (1, 1.5, [0, 1, 0])


def test_mapping_is_otlps_not_plain_protobufs(tmp_path: Path, publish, tracer_provider: TracerProvider) -> None:
    """Ids are hexadecimal, enums integers, 64-bit integers strings, keys lowerCamelCase, an exemplar's ids too."""
    publisher = publish(create_exporter(settings(tmp_path)))
    tracer = tracer_provider.get_tracer("shop")
    with tracer.start_as_current_span("checkout", kind=SpanKind.SERVER) as parent, tracer.start_as_current_span("pay"):
        publisher.meter.create_histogram("wait").record(1.5)
    publisher.collect()

    pay, checkout = (
        line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in documents(tmp_path / "traces.jsonl")
    )
    context = parent.get_span_context()
    assert checkout["traceId"] == pay["traceId"] == f"{context.trace_id:032x}"
    assert checkout["spanId"] == pay["parentSpanId"] == f"{context.span_id:016x}"
    assert checkout["kind"] == 2
    assert "parentSpanId" not in checkout
    assert int(checkout["startTimeUnixNano"]) == parent.start_time
    assert isinstance(checkout["startTimeUnixNano"], str)

    [metrics] = documents(tmp_path / "metrics.jsonl")
    [metric] = metrics["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert metric["histogram"]["aggregationTemporality"] == 2
    [point] = metric["histogram"]["dataPoints"]
    assert point["count"] == "1"
    [exemplar] = point["exemplars"]
    assert (exemplar["traceId"], exemplar["spanId"]) == (pay["traceId"], pay["spanId"])


def test_spans_come_back_as_protobuf(tmp_path: Path, tracer_provider: TracerProvider) -> None:
    """Attributes of every type, events, links and a failed status survive; bytes are base64."""
    tracer = tracer_provider.get_tracer("shop")
    with tracer.start_as_current_span("first") as linked:
        pass
    with tracer.start_as_current_span("second") as span:
        span.add_link(linked.get_span_context())
        span.set_attributes({"text": "a\nb", "whole": 7, "half": 0.5, "flag": True, "many": ("a", "b"), "raw": b"\xff"})
        span.add_event("retry", {"attempt": 2})
        span.set_status(StatusCode.ERROR, "no money")

    found = protobuf(documents(tmp_path / "traces.jsonl")[1], TracesData()).resource_spans[0].scope_spans[0].spans[0]
    values = {each.key: each.value for each in found.attributes}
    assert values["text"].string_value == "a\nb"
    assert (values["whole"].int_value, values["half"].double_value, values["flag"].bool_value) == (7, 0.5, True)
    assert [each.string_value for each in values["many"].array_value.values] == ["a", "b"]
    assert values["raw"].bytes_value == b"\xff"
    assert (found.status.code, found.status.message) == (2, "no money")
    assert found.events[0].name == "retry"
    assert found.links[0].span_id == linked.get_span_context().span_id.to_bytes(8, "big")


def test_metric_that_cannot_be_encoded_is_left_out(tmp_path: Path, publish, tally) -> None:
    """One value beyond 64 bits costs that metric, counted, and no other."""
    publisher = publish(create_exporter(settings(tmp_path)))
    publisher.meter.create_counter("before").add(1)
    publisher.meter.create_counter("huge").add(2**70)
    publisher.meter.create_counter("after").add(1)
    publisher.collect()
    [document] = documents(tmp_path / "metrics.jsonl")
    metrics = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    assert [metric["name"] for metric in metrics] == ["before", "after"]
    assert tally("dropped", "huge") == 1
    assert tally("exports", "otlp_file", "success") == 1


def test_full_disk_and_deleted_folder_are_survived(tmp_path: Path, publish, tally) -> None:
    """Writes that fail with "no space left" are counted; with space again, lines arrive, in a new folder too."""
    path = tmp_path / "data" / "metrics.jsonl"
    publisher = publish(create_exporter(settings(path.parent)))
    publisher.meter.create_counter("orders").add(1)
    path.symlink_to("/dev/full")
    publisher.collect()
    assert tally("failures", "exporters.otlp_file", "OSError") == 1
    assert tally("exports", "otlp_file", "failure") == 1
    path.unlink()
    publisher.collect()
    assert len(documents(path)) == 1
    shutil.rmtree(path.parent)
    publisher.collect()
    assert len(documents(path)) == 1


def test_lost_spans_are_counted(tmp_path: Path, tracer_provider: TracerProvider, tally) -> None:
    """A span that cannot be written does not reach the caller as an error, and is counted."""
    (tmp_path / "traces.jsonl").symlink_to("/dev/full")
    with tracer_provider.get_tracer("shop").start_as_current_span("lost"):
        pass
    assert tally("dropped", "spans") == 1
    assert tally("exports", "otlp_file", "failure") == 1


def test_rotation(tmp_path: Path, publish) -> None:
    """A file at its limit is set aside and every line of both is whole."""
    publisher = publish(OtlpFileMetricExporter(tmp_path / "metrics.jsonl", limit_bytes=1_500, keep=1))
    publisher.meter.create_counter("orders").add(1)
    for _ in range(20):
        publisher.collect()
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.jsonl", "metrics.1.jsonl"}
    for path in tmp_path.iterdir():
        assert 0 < path.stat().st_size <= 1_500
        for document in documents(path):
            protobuf(document, MetricsData())


@pytest.mark.parametrize("create", [create_exporter, create_span_exporter])
def test_unwritable_folder_is_a_configuration_error(tmp_path: Path, create) -> None:
    """A folder that cannot exist is refused at set-up, with place and remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"folder.*file/data.*argument.*OTELKIT_DATA_FOLDER"):
        create(settings(tmp_path / "file" / "data"))
