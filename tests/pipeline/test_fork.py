# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Forked children: from zero, never hung, each under an instance id of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.otlp_receiver import OtlpReceiver
from support.program import Program

OURS = "pipeline.configure(file='/dev/null')"
THEIRS = """
reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=60_000)
metrics.set_meter_provider(MeterProvider([reader], resource=Resource.create(), shutdown_on_exit=False))
traces = TracerProvider(resource=Resource.create(), shutdown_on_exit=False)
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(traces)
pipeline.configure(file='/dev/null')
"""
_PROGRAM = """
import os
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otelkit import pipeline
from otelkit.instruments.counter import counter
"""
_EVERY_KIND = """
meter = metrics.get_meter("application")
cell = counter("t.cell")
added = meter.create_counter("t.added")
signed = meter.create_up_down_counter("t.signed")
sizes = meter.create_histogram("t.sizes")
gauge = meter.create_gauge("t.gauge")

def record(times):
    for _ in range(times):
        cell.increment()
        added.add(1, {"a": "b"})
        signed.add(1)
        sizes.record(1.0)
        with trace.get_tracer("application").start_as_current_span("work"):
            pass

gauge.set(7)
record(100)
assert pipeline.flush(5)
child = os.fork()
record(1)
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.parametrize("provider", [OURS, THEIRS], ids=["ours", "theirs"])
@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("chosen", [None, "blue"])
def test_every_instrument_starts_from_zero(tmp_path: Path, provider: str, temporality: str, chosen: str | None) -> None:
    """The parent reports 101 and the child 1, of cells and of the SDK's instruments; a chosen id gets a suffix."""
    variables = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": temporality}
    if chosen:
        variables["OTEL_RESOURCE_ATTRIBUTES"] = f"service.instance.id={chosen}"
    with OtlpReceiver() as receiver:
        assert Program(tmp_path, _PROGRAM + provider + _EVERY_KIND).run(receiver, **variables) == ""
        parent, child = receiver.instances()
        for name in ("t.cell", "t.added", "t.signed", "t.sizes"):
            assert receiver.total(name, parent) == 101, name
            assert receiver.total(name, child) == 1, name
        assert len(receiver.series("t.gauge")) > 0
        assert child not in {series.resource["service.instance.id"] for series in receiver.series("t.gauge")}
        assert len(receiver.spans()) == 102
        assert len(receiver.spans(child)) == 1
        if chosen:
            assert parent == chosen
            assert child.startswith(f"{chosen}-")
        else:
            assert len(child) == len(parent) == 36
