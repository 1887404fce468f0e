# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Senders that are not Python: a program with Go's SDK, and the real Collector between it and the viewer."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.collector import binary, free_port
from support.viewer import EVER, Viewer

from otelkit.viewer.store import TraceQuery

pytestmark = pytest.mark.collector

CLIENT = Path(__file__).parents[3] / ".cache" / "otlp_client"
ORDERS = 500
PROTOCOLS = ("http/protobuf", "grpc")


def sell(http_url: str, grpc_url: str, protocol: str) -> None:
    """Run the program to its end."""
    assert CLIENT.exists(), f"{CLIENT} is missing: run make test-collector, which builds it from tools/otlp_client"
    environment = {
        "OTEL_SERVICE_NAME": "go-shop",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTEL_EXPORTER_OTLP_ENDPOINT": grpc_url if protocol == "grpc" else http_url,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    done = subprocess.run([CLIENT], env=environment, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr


def check(viewer: Viewer) -> None:
    """Everything that the program did is there, once."""
    store = viewer.store
    statistics = store.statistics()
    assert (statistics.traces, statistics.spans) == (ORDERS, 2 * ORDERS)
    assert len(store.traces(TraceQuery(failed=True, limit=100))) == 10
    (found,) = store.traces(TraceQuery(attributes={"order": 450}))
    root, charge = store.trace(found.trace_id)
    assert (root.service, root.name, root.attributes) == ("go-shop", "sell", {"order": 450, "tags": ["a", "b"]})
    assert (charge.status, charge.status_message, charge.parent_span_id) == ("error", "no money", root.span_id)
    assert charge.events[0].attributes["exception.message"] == "order 450: no money"
    assert root.resource["telemetry.sdk.language"] == "go"
    assert viewer.values("shop.orders") == {(("tier", "free"),): [float(ORDERS)]}
    (series,) = store.series("shop.price")
    (run,) = store.histograms([series.id], 0, EVER)[series.id]
    assert (run.bounds, list(run.buckets), run.sums[0]) == ((1.0, 10.0), [0, ORDERS, 0], 5.0 * ORDERS)
    traces = {exemplar.trace_id for exemplar in store.exemplars([series.id], 0, EVER)}
    assert traces
    assert all(store.trace(trace_id) for trace_id in traces)
    assert not [name for name in viewer.counts if name.startswith(("refused", "duplicates"))]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_program_in_go(tmp_path: Path, protocol: str) -> None:
    """With nothing but OpenTelemetry's variables."""
    with Viewer(tmp_path, grpc=True) as viewer:
        sell(viewer.dashboard.base_url, f"http://127.0.0.1:{viewer.dashboard.grpc_port}", protocol)
        check(viewer)


@contextmanager
def forwarding(folder: Path, viewer: Viewer, protocol: str) -> Iterator[tuple[str, str]]:
    """Run a Collector that passes everything on to the viewer; gives its addresses for HTTP and gRPC."""
    http, grpc = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    exporter = "otlp" if protocol == "grpc" else "otlphttp"
    target = f"127.0.0.1:{viewer.dashboard.grpc_port}" if protocol == "grpc" else viewer.dashboard.base_url
    pipeline = {"receivers": ["otlp"], "exporters": [exporter]}
    configuration = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
        "exporters": {exporter: {"endpoint": target, "tls": {"insecure": True}}},
        "service": {
            "pipelines": {"traces": pipeline, "metrics": pipeline},
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    file, log = folder / "collector.yaml", folder / "collector.log"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    with log.open("w") as output:
        process = subprocess.Popen([binary(), f"--config={file}"], stdout=output, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 30
        while "Everything is ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield f"http://{http}", f"http://{grpc}"
        process.terminate()  # it delivers what it has, then ends
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_collector_that_forwards(tmp_path: Path, protocol: str) -> None:
    """The program sends to the Collector, which sends on, over either protocol."""
    with Viewer(tmp_path / "data", grpc=True) as viewer:
        with forwarding(tmp_path, viewer, protocol) as (http_url, grpc_url):
            sell(http_url, grpc_url, protocol)
        check(viewer)
