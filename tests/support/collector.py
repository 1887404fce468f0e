# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A real Collector for tests, with collector-config/standalone.yaml on free loopback ports.

    with Collector(folder, COLLECTOR_STATSD_INTERVAL="1s") as collector:
        otelkit.configure(otlp_endpoint=f"http://{collector.otlp_http}")
        ...
        page = collector.page(openmetrics=True)
        spans = collector.spans(at_least=3)
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STANDALONE = ROOT / "collector-config" / "standalone.yaml"

ACCEPT = {True: "application/openmetrics-text; version=1.0.0", False: "text/plain; version=0.0.4"}


def binary() -> Path:
    """Return the Collector that make has built."""
    path = ROOT / ".cache" / "collector" / "otelcol"
    assert path.exists(), f"{path} is missing: run make test-collector, which builds it from tools/collector"
    return path


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of 127.0.0.1 that nothing uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scrape(url: str, *, openmetrics: bool) -> str:
    """Return a page in one of the two formats."""
    request = urllib.request.Request(url, headers={"Accept": ACCEPT[openmetrics]})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith(ACCEPT[openmetrics].partition(";")[0])
        return answer.read().decode()


class Collector:
    """
    One running Collector.

    Args:
        folder: Where queue, log and the file of spans go.
        environment: Variables; spans go to a file unless COLLECTOR_TRACES_EXPORTER says otherwise.

    Attributes:
        otlp_grpc, otlp_http: ``127.0.0.1:port``.
        statsd_port: UDP.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.otlp_grpc, self.otlp_http, self._page, self._health = (f"127.0.0.1:{free_port()}" for _ in range(4))
        self.statsd_port = free_port(socket.SOCK_DGRAM)
        self.environment = {
            "PATH": os.environ["PATH"],
            "COLLECTOR_OTLP_GRPC": self.otlp_grpc,
            "COLLECTOR_OTLP_HTTP": self.otlp_http,
            "COLLECTOR_STATSD": f"127.0.0.1:{self.statsd_port}",
            "COLLECTOR_PROMETHEUS": self._page,
            "COLLECTOR_HEALTH": self._health,
            "COLLECTOR_TELEMETRY_PORT": str(free_port()),
            "COLLECTOR_QUEUE_FOLDER": str(folder / "queue"),
            "COLLECTOR_TRACES_EXPORTER": "file/traces",
            **environment,
        }
        self._spans = folder / "traces.jsonl"
        added = {"exporters": {"file/traces": {"path": str(self._spans), "flush_interval": "100ms"}}}
        (folder / "added.yaml").write_text(json.dumps(added))  # JSON is YAML; it is merged over the other
        self._arguments = [f"--config={STANDALONE}", f"--config={folder / 'added.yaml'}"]
        self._log = folder / "collector.log"

    def validate(self) -> None:
        """Let the Collector check its configuration."""
        done = subprocess.run(
            [binary(), "validate", *self._arguments], env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def __enter__(self) -> Collector:
        self.validate()
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [binary(), *self._arguments], env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._await_health()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def kill(self) -> None:
        """Kill it, as the machine's failure would; what it had not yet delivered is in its queue."""
        self._process.kill()
        self._process.wait(timeout=20)

    def _await_health(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, f"the Collector has ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"the Collector did not start:\n{self.log()}"
            try:
                urllib.request.urlopen(f"http://{self._health}", timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)

    def log(self) -> str:
        """Return what it has logged."""
        return self._log.read_text()

    def page(self, *, openmetrics: bool) -> str:
        """Return the page of its Prometheus exporter."""
        return scrape(f"http://{self._page}/metrics", openmetrics=openmetrics)

    def spans(self, at_least: int, timeout_s: float = 20) -> list[dict[str, Any]]:
        """Return the spans that arrived, in OTLP's JSON form, each with ``resource`` and ``scope`` beside it."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._read_spans()
            if len(found) >= at_least or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _read_spans(self) -> list[dict[str, Any]]:
        text = self._spans.read_text() if self._spans.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return [
            span | {"resource": resource["resource"], "scope": scope["scope"]}
            for line in lines
            for resource in line["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]
