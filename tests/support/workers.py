# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Workers' snapshots for tests, and pages of real servers."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from otelkit._core._snapshot import Attributes, Kind, Metric, MetricSnapshot, NumberPoint
from otelkit.exporters._prometheus_text import Scope
from otelkit.exporters.workers import merge, wire
from otelkit.exporters.workers.policy import PolicyOf, default_policy

SCOPE = Scope("otelkit", "1")
_processes = itertools.count(1)


def snapshot(*metrics: MetricSnapshot, policy: PolicyOf = default_policy, **target: str) -> wire.Snapshot:
    """Return the snapshot of a process, younger than all before, that holds ``metrics``."""
    pid = next(_processes)
    scoped: Any = [(SCOPE, list(metrics))]
    return wire.Snapshot.of(pid, 1_000 + pid, time.monotonic_ns(), target or {"service.name": "shop"}, scoped, policy)


def number(kind: Kind, name: str, value: float, time_ns: int = 9, start_ns: int = 5, **labels: str) -> MetricSnapshot:
    """Return a metric of one number."""
    return MetricSnapshot(Metric(name, kind), [NumberPoint(Attributes(labels), start_ns, time_ns, value)])


def counter(name: str, value: float, **labels: str) -> MetricSnapshot:
    """Return a counter of one series."""
    return number(Kind.COUNTER, name, value, **labels)


def points(parts: Sequence[wire.Snapshot], name: str) -> list[Any]:
    """Return the points of a metric in what ``parts`` amount to."""
    found = [each for _, metrics in merge.merged(parts) for each in metrics]
    return [point for metric, points in found for point in points if metric.name == name]


def total(parts: Sequence[wire.Snapshot], name: str) -> float:
    """Return the sum of a metric's numbers in what ``parts`` amount to."""
    return sum(point.value for point in points(parts, name))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_started(pid: int, workers: int) -> None:
    """
    Wait until a server has so many workers, each with signal handlers of its own.

    Until then a forked worker has those of its parent, which swallow a SIGTERM: gunicorn#1910, and uWSGI's alike.
    """
    deadline = time.monotonic() + 30
    while not _have_started(psutil.Process(pid), workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _have_started(server: psutil.Process, workers: int) -> bool:
    children = [child for child in server.children() if _runs(child)]
    return len(children) >= workers and all(_caught(child.pid) != _caught(server.pid) for child in children)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _caught(pid: int) -> str:
    """Return the signals that a process catches, as the kernel writes them."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return ""
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return caught


def get(url: str, timeout_s: float = 10.0, **headers: str) -> str:
    """Fetch a page, waiting until somebody serves it."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as response:
                return response.read().decode()
        except (OSError, http.client.HTTPException):  # nobody there, or killed while answering
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def scrape(port: int) -> dict[str, list[Any]]:
    """Return the samples of a server's page by name, as the strict OpenMetrics parser reads them."""
    page = get(f"http://127.0.0.1:{port}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    samples: dict[str, list[Any]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


def value(port: int, name: str, **labels: str) -> float:
    """Return the sum of the series with these labels on a server's page."""
    wanted = labels.items()
    return sum(sample.value for sample in scrape(port).get(name, []) if wanted <= sample.labels.items())


def eventually(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Return an environment without configuration of the developer's, whose temporary files are in ``folder``."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("OTEL", "XDG_RUNTIME_DIR"))}
    return {**kept, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1", **variables}


def start(folder: Path, code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a Python program that is written into ``folder``."""
    path = folder / f"program_{next(_processes)}.py"
    path.write_text(code)
    return subprocess.Popen(
        [sys.executable, path, *arguments],
        env=environment(folder, **variables),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill a program that `start` started, its children included, and close its pipes."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
