# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Destinations by name: otelkit's own, the SDK's, and those of any installed package."""

from __future__ import annotations

import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from support.otlp_receiver import OtlpReceiver

from otelkit import pipeline
from otelkit._core._guard import guard
from otelkit.exceptions import ConfigurationError
from otelkit.instruments.counter import counter
from otelkit.instruments.registry import Registry
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def test_all_at_once(
    start: Start, registry: Registry, tmp_path: Path, receiver: OtlpReceiver, capsys: pytest.CaptureFixture[str]
) -> None:
    """One program, seven destinations: each has the cell and the SDK's instrument, once."""
    guard.reset()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(5)
        port = _free_port()
        start(
            metrics_exporters=["otlp", "prometheus", "json", "csv", "otlp_file", "statsd", "console"],
            traces_exporters=["otlp", "otlp_file"],
            otlp_endpoint=receiver.endpoint,
            prometheus_host="127.0.0.1",
            prometheus_port=port,
            statsd_host="127.0.0.1",
            statsd_port=statsd.getsockname()[1],
            data_folder=str(tmp_path),
        )
        counter("t.calls", registry=registry).increment(3)
        metrics.get_meter("application").create_counter("theirs.calls").add(4)
        with trace.get_tracer("application").start_as_current_span("work"):
            pass
        page = _page(port)
        assert pipeline.shutdown()
        datagrams = statsd.recv(65_536).decode()
    assert (receiver.total("t.calls"), receiver.total("theirs.calls"), len(receiver.spans())) == (3, 4, 1)
    lines = {line.split("{")[0] for line in page.splitlines() if not line.startswith("#")}
    assert {"t_calls_total", "theirs_calls_total"} <= lines
    written = {path.name: path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size}
    for name, text in {**written, "statsd": datagrams, "console": capsys.readouterr().out}.items():
        if "trace" not in name:
            assert {"calls" in text, "theirs" in text} == {True}, name
    assert any('"work"' in text for name, text in written.items() if "trace" in name)
    exports = {labels[0][1]: items for what, labels, items in guard.tallies() if what == "exports"}
    assert exports["otlp_file"] == 2  # metrics and spans: counted once each
    assert exports["json"] == exports["csv"] == 1


def test_port_is_free_for_the_next_configuration(start: Start, registry: Registry) -> None:
    """The page moves over to the new pipeline, on the same port."""
    port = _free_port()
    counter("t.calls", registry=registry).increment(3)
    for _ in range(2):
        start(metrics_exporters=["prometheus"], prometheus_host="127.0.0.1", prometheus_port=port)
        assert "t_calls_total" in _page(port)


def test_taken_port_undoes_the_rest(start: Start, receiver: OtlpReceiver) -> None:
    """The error says which port; nothing of the half-built pipeline goes on exporting."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=str(port)):
            start(
                metrics_exporters=["otlp", "prometheus"],
                otlp_endpoint=receiver.endpoint,
                prometheus_host="127.0.0.1",
                prometheus_port=port,
                export_interval_s=0.05,
            )
    assert pipeline.current() is None
    assert type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider"
    before = len(receiver.requests)
    assert not receiver.wait_for(lambda receiver: len(receiver.requests) > before, timeout_s=0.2)


_PACKAGE = """
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

readers, exported, span_exporters = [], [], []

class Reader(InMemoryMetricReader):
    def __init__(self):
        super().__init__()
        readers.append(self)

class Exporter(MetricExporter):
    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        exported.append(metrics_data)
        return MetricExportResult.SUCCESS
    def force_flush(self, timeout_millis=10_000):
        return True
    def shutdown(self, timeout_millis=30_000, **kwargs):
        pass

class Spans(InMemorySpanExporter):
    def __init__(self):
        super().__init__()
        span_exporters.append(self)

class Neither:
    pass
"""
_ENTRY_POINTS = """
[opentelemetry_metrics_exporter]
others_reader = others_exporters:Reader
others_exporter = others_exporters:Exporter
others_neither = others_exporters:Neither
[opentelemetry_traces_exporter]
others_spans = others_exporters:Spans
others_neither = others_exporters:Neither
"""


@pytest.fixture
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with exporters of its own."""
    information = tmp_path / "others_exporters-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: others-exporters\nVersion: 1\n")
    (information / "entry_points.txt").write_text(_ENTRY_POINTS)
    (tmp_path / "others_exporters.py").write_text(_PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("others_exporters", None)


@pytest.mark.usefixtures("_package")
def test_installed_exporters(start: Start, registry: Registry) -> None:
    """A reader and two exporters that know nothing of otelkit get cells and spans."""
    telemetry = start(metrics_exporters=["others_reader", "others_exporter"], traces_exporters=["others_spans"])
    counter("t.calls", registry=registry).increment()
    with trace.get_tracer("application").start_as_current_span("work"):
        pass
    assert telemetry.flush(2)
    others = sys.modules["others_exporters"]
    for data in (others.readers[0].get_metrics_data(), others.exported[0]):
        names = [m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        assert names.count("t.calls") == 1
    assert [span.name for span in others.span_exporters[0].get_finished_spans()] == ["work"]


@pytest.mark.usefixtures("_package")
def test_installed_thing_that_is_no_exporter(start: Start) -> None:
    """It is refused by name."""
    with pytest.raises(ConfigurationError, match="others_neither"):
        start(metrics_exporters=["others_neither"])


@pytest.mark.usefixtures("_package")
def test_failing_traces_undo_metrics(start: Start, receiver: OtlpReceiver) -> None:
    """What was begun before the mistake was found ends; the next configuration works."""
    with pytest.raises(ConfigurationError, match="SpanExporter"):
        start(traces_exporters=["otlp", "others_neither"], otlp_endpoint=receiver.endpoint, export_interval_s=0.05)
    assert pipeline.current() is None
    before = len(receiver.requests)
    assert not receiver.wait_for(lambda receiver: len(receiver.requests) > before, timeout_s=0.2)
    assert start(otlp_endpoint=receiver.endpoint).flush(2)
