# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The reader: it survives what goes wrong around it, and delivers at the end."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from otelkit._core._guard import guard
from otelkit._core._snapshot import MetricSnapshot
from otelkit.instruments.counter import counter
from otelkit.instruments.registry import Registry
from otelkit.pipeline.readers import CellReader, split


class Recorder(MetricExporter):
    """Keeps what it gets; raises as long as `broken` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[MetricsData] = []
        self.suppressed: list[bool] = []
        self.broken = False
        self.closed = False

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Keep ``metrics_data``."""
        self.suppressed.append(not is_instrumentation_enabled())
        if self.broken:
            raise OSError("broken")
        self.got.append(metrics_data)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing is held back."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Remember it."""
        self.closed = True

    def names(self) -> list[str]:
        """Return the metrics of the last export."""
        return [m.name for r in self.got[-1].resource_metrics for s in r.scope_metrics for m in s.metrics]


class BreakableRegistry(Registry):
    """A registry whose snapshot fails as long as `broken` is set."""

    broken = False

    def snapshot(self, reader: int | None = None) -> list[MetricSnapshot]:
        """Fail or not."""
        if self.broken:
            raise RuntimeError("broken")
        return super().snapshot(reader)


def _reader(exporter: MetricExporter, registry: Registry, interval_s: float) -> tuple[CellReader, MeterProvider]:
    reader = CellReader(exporter, registry, name="test", interval_s=interval_s, timeout_s=5)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("application").create_counter("theirs.calls").add(1)
    return reader, provider


def _wait_for(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _counted_from_zero() -> None:
    guard.reset()


def test_failing_snapshot_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's instruments go out meanwhile; afterwards the cells do too. One log line, and it is counted."""
    registry, exporter = BreakableRegistry(), Recorder()
    registry.broken = True
    counter("t.calls", registry=registry).increment()
    reader, provider = _reader(exporter, registry, interval_s=0.01)
    _wait_for(lambda: len(exporter.got) >= 3)
    assert exporter.names() == ["theirs.calls"]
    registry.broken = False
    _wait_for(lambda: "t.calls" in exporter.names())
    provider.shutdown()
    assert reader.delivered
    assert len([record for record in caplog.records if "collection of cells" in record.message]) == 1
    assert any(what == "failures" for what, _, _ in guard.tallies())


def test_raising_exporter_does_not_end_the_thread() -> None:
    """It is a failed export like another."""
    registry, exporter = Registry(), Recorder()
    exporter.broken = True
    counter("t.calls", registry=registry).increment()
    reader, provider = _reader(exporter, registry, interval_s=0.01)
    _wait_for(lambda: len(exporter.suppressed) >= 3)
    assert not reader.force_flush()
    exporter.broken = False
    _wait_for(lambda: exporter.got)
    provider.shutdown()
    assert exporter.closed
    outcomes = {labels[1][1]: items for what, labels, items in guard.tallies() if what == "exports"}
    assert outcomes["failure"] >= 3
    assert outcomes["success"] == len(exporter.got)


def test_infinite_interval_delivers_at_shutdown() -> None:
    """Without a thread the last collection is made by shutdown itself."""
    registry, exporter = Registry(), Recorder()
    _, provider = _reader(exporter, registry, interval_s=math.inf)
    counter("t.calls", registry=registry).increment()
    provider.shutdown()
    assert "t.calls" in exporter.names()
    assert len(exporter.got) == 1


def test_second_shutdown_does_nothing() -> None:
    """Neither an export nor a warning."""
    registry, exporter = Registry(), Recorder()
    reader, provider = _reader(exporter, registry, interval_s=1e6)
    provider.shutdown()
    reader.shutdown()
    assert len(exporter.got) == 1


def test_an_end_amid_the_hooks_of_a_fork_waits_for_the_thread() -> None:
    """A reader whose thread is made but not yet started ends without an error, and delivers."""
    registry, exporter = Registry(), Recorder()
    reader, provider = _reader(exporter, registry, interval_s=1e6)
    counter("early", registry=registry).increment()
    made = threading.Thread(target=reader._ticker, daemon=True)
    reader._daemon_thread = made
    starter = threading.Timer(0.05, made.start)
    starter.start()
    reader.shutdown(timeout_millis=5_000)
    assert "early" in exporter.names()
    starter.join()
    provider.shutdown()


def test_own_exports_are_not_traced() -> None:
    """Instrumentation of HTTP clients is off while exporting."""
    registry, exporter = Registry(), Recorder()
    reader, provider = _reader(exporter, registry, interval_s=1e6)
    assert reader.force_flush()
    provider.shutdown()
    assert exporter.suppressed == [True, True]


@pytest.mark.parametrize("batch_points", [1, 2, 3, 7, 100])
def test_split_keeps_every_point(batch_points: int) -> None:
    """In order, in parts that are full but for the last, under their own scopes and names."""
    registry, exporter = Registry(), Recorder()
    for name in ("t.one", "t.two", "t.three"):
        metric = counter(name, labels=["number"], registry=registry)
        for number in range(3):
            metric.increment(number=number)
    reader, provider = _reader(exporter, registry, interval_s=1e6)
    assert reader.force_flush()
    provider.shutdown()

    def flat(data: MetricsData) -> list[tuple[str, str, Any]]:
        return [
            (scope.scope.name, metric.name, point)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    whole = exporter.got[0]
    parts = [flat(part) for part in split(whole, batch_points)]
    assert [point for part in parts for point in part] == flat(whole)
    assert all(len(part) == batch_points for part in parts[:-1])
    assert 0 < len(parts[-1]) <= batch_points


def test_collections_are_timed() -> None:
    """How long one took comes with the next."""
    registry, exporter = Registry(), Recorder()
    reader, provider = _reader(exporter, registry, interval_s=1e6)
    assert reader.force_flush()
    assert reader.force_flush()
    assert "otelkit.collection.duration" in exporter.names()
    provider.shutdown()
