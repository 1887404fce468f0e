# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""otelkit's own cells through the pipeline's reader into each simple exporter."""

import csv
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider

from otelkit.config import load
from otelkit.instruments.counter import counter
from otelkit.instruments.gauge import gauge
from otelkit.instruments.histogram import histogram, summary
from otelkit.instruments.registry import Registry
from otelkit.pipeline.destinations import create_reader


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A UDP socket that takes StatsD packets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.setblocking(False)
        yield listening


Ship = Callable[[str], Callable[[], None]]


@pytest.fixture
def ship(tmp_path: Path, server: socket.socket) -> Iterator[Ship]:
    """Return a function that records one value of each kind and returns what exports them."""
    providers = []

    def record(exporter: str) -> Callable[[], None]:
        settings = load(
            environ={},
            data_folder=str(tmp_path),
            statsd_port=server.getsockname()[1],
            service_name="shop",
            export_interval_s=1e6,
        )
        registry = Registry()
        reader, _ = create_reader(exporter, settings, registry)
        providers.append(MeterProvider([reader], shutdown_on_exit=False))
        meter = providers[-1].get_meter("app")
        meter.create_counter("sdk.made").add(1)
        # As the pipeline's own: without it the SDK leaves out a collection in which no counter moved.
        meter.create_observable_gauge("sdk.up", [lambda _: [Observation(1)]])
        orders = counter("shop.orders", labels=["source"], unit="{order}", registry=registry)
        orders.increment(3, source="web")
        gauge("shop.load", registry=registry).set(-0.5)
        histogram("shop.wait", unit="s", buckets=[1.0, 2.0], registry=registry).observe(1.5)
        summary("shop.sizes", registry=registry).observe(7.0)
        return reader.collect

    yield record
    for provider in providers:
        provider.shutdown()


def test_json(ship: Ship, tmp_path: Path) -> None:
    """Cells and SDK instruments lie in one document."""
    ship("json")()
    metrics = {each["name"]: each for each in json.loads((tmp_path / "metrics.json").read_text())["metrics"]}
    assert metrics["sdk.made"]["points"] == [{"labels": {}, "value": 1}]
    assert metrics["shop.orders"]["points"] == [{"labels": {"source": "web"}, "value": 3}]
    assert metrics["shop.load"]["points"] == [{"labels": {}, "value": -0.5}]
    [wait] = metrics["shop.wait"]["points"]
    assert wait == {"labels": {}, "count": 1, "sum": 1.5, "min": 1.5, "max": 1.5, "p50": 1.5, "p95": 1.5, "p99": 1.5}
    assert {point["labels"]["quantile"]: point["value"] for point in metrics["shop.sizes"]["points"]}["0.5"] == 7.0


def test_csv(ship: Ship, tmp_path: Path) -> None:
    """Cells and SDK instruments are rows of one file."""
    ship("csv")()
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = {(row["metric"], row["labels"], row["field"]): row["value"] for row in csv.DictReader(file)}
    assert rows["sdk.made", "", "value"] == "1"
    assert rows["shop.orders", "source=web", "value"] == "3"
    assert float(rows["shop.wait", "", "p95"]) == 1.5


def test_otlp_file(ship: Ship, tmp_path: Path) -> None:
    """Cells and SDK instruments are scopes of one line."""
    ship("otlp_file")()
    [line] = (tmp_path / "metrics.jsonl").read_text().splitlines()
    scopes = json.loads(line)["resourceMetrics"][0]["scopeMetrics"]
    metrics = {metric["name"]: metric for scope in scopes for metric in scope["metrics"]}
    assert len(scopes) >= 2
    assert {"sdk.made", "shop.orders", "shop.load", "shop.wait"} <= metrics.keys()
    [point] = metrics["shop.wait"]["histogram"]["dataPoints"]
    assert point["bucketCounts"] == ["0", "1", "0"]


def test_statsd(ship: Ship, server: socket.socket) -> None:
    """Cells are asked for as deltas: the second export sends no counter again."""
    collect = ship("statsd")
    collect()
    lines = server.recv(65_536).decode().split("\n")
    assert "sdk.made:1|c|#service.name:shop" in lines
    assert "shop.orders:3|c|#service.name:shop,source:web" in lines
    at = lines.index("shop.load:0|g|#service.name:shop")
    assert lines[at + 1] == "shop.load:-0.5|g|#service.name:shop"
    assert "shop.wait.count:1|c|#service.name:shop" in lines
    collect()
    again = server.recv(65_536).decode().split("\n")
    assert not [line for line in again if "|c|" in line and not line.startswith("otelkit.")]
