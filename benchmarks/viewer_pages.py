# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
How long the viewer's pages take on the server, with a million spans and 10,000 series stored.

    python -m benchmarks.viewer_pages                       fills a store (two minutes), then asks each page
    python -m benchmarks.viewer_pages --folder F            keeps the store in F, and uses it if it is there

The store: 16 processes with 5 services of 12 actions each (3,840 series, a quarter of them histograms), their
processes, and 6,000 series of counters of their own; half an hour in steps of 15 s. Pages are asked over HTTP, one
after the other, once the server has worked out what is usual and rests: "new" are questions that nobody asked before,
about a range that begins earlier than all before (of three the median), "again" what a browser asks that stays on the
page. CPU is the server's, whatever it does meanwhile, in the kernel's steps of 10 ms: on a busy machine it says more
than the time.
"""

from __future__ import annotations

import argparse
import http.client
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from benchmarks.viewer import attribute, spans_request, touch_spans
from otelkit import semconv
from otelkit.viewer.ingest.inlet import Inlet
from otelkit.viewer.store.store import Store

PROCESSES, SERVICES, ACTIONS = 16, 5, 12
OTHERS = 375
STEP_S, STEPS = 15, 120
SPANS = 1_000_000
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
SECOND_NS = 1_000_000_000

UNRANGED = ("frame", "status", "complete")
PAGES = (
    "frame",
    "overview",
    "overview?from=-30m",
    "overview?from=-6h",
    "overview?q=action:action-3",
    "services",
    "services/service-1?action=action-3",
    "cells?service=service-1&action=action-3&low=0.1&from=-5m",
    "traces",
    "traces?q=user_tier=paid%20duration%3E1ms",
    "inference",
    "batch",
    "hosts",
    "metrics",
    "metrics/service.response_time?by=service",
    "metrics/shop.orders?by=route",
    "otelkit",
    "complete?q=serv",
    "status",
)


def fill(folder: Path) -> None:
    """Write the store, through the same way in as everything."""
    store = Store(folder)
    inlet = Inlet(store)
    inlet.start()
    waiting: list[Future[Any]] = []
    now_ns = time.time_ns()
    try:
        for step in range(STEPS):
            time_ns = now_ns - (STEPS - step) * STEP_S * SECOND_NS
            for process in range(PROCESSES):
                request = metrics_request(process, step, time_ns, now_ns - (STEPS + 1) * STEP_S * SECOND_NS)
                waiting.append(inlet.submit("metrics", request.SerializeToString()))
            settle(waiting)
        for encoded in span_requests(now_ns):
            waiting.append(inlet.submit("traces", encoded))
            if len(waiting) >= 16:
                settle(waiting)
        settle(waiting)
    finally:
        inlet.close()
        store.close()


def settle(waiting: list[Future[Any]]) -> None:
    """Wait for what was handed in."""
    for each in waiting:
        each.result()
    waiting.clear()


def metrics_request(process: int, step: int, time_ns: int, start_ns: int) -> ExportMetricsServiceRequest:
    """Make one report of one process."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    attribute(resource.resource.attributes, "service.name", f"program-{process % 4}")
    attribute(resource.resource.attributes, "service.instance.id", f"instance-{process}")
    scope = resource.scope_metrics.add()
    scope.scope.name = "bench"
    names = (semconv.SERVICE_REQUESTS, semconv.SERVICE_ERRORS, semconv.SERVICE_ACTIVE_REQUESTS)
    sums = [scope.metrics.add(name=each.name, unit=each.unit) for each in names]
    for metric, monotonic in zip(sums, (True, True, False), strict=True):
        metric.sum.aggregation_temporality, metric.sum.is_monotonic = 2, monotonic
    times = scope.metrics.add(name=semconv.SERVICE_RESPONSE_TIME.name, unit="s")
    times.histogram.aggregation_temporality = 2
    orders = scope.metrics.add(name="shop.orders", unit="{order}")
    orders.sum.aggregation_temporality, orders.sum.is_monotonic = 2, True
    random.seed(process)
    for service in range(SERVICES):
        for action in range(ACTIONS):
            labels = {semconv.SERVICE: f"service-{service}", semconv.ACTION: f"action-{action}"}
            rate = 40 + 5 * action
            calls = rate * (step + 1)
            for metric, value in zip(sums, (calls, calls // 100, action % 4), strict=True):
                point(metric.sum.data_points, labels, time_ns, start_ns).as_int = value
            of = point(times.histogram.data_points, labels, time_ns, start_ns)
            of.explicit_bounds.extend(BOUNDS)
            of.bucket_counts.extend(spread(calls, 0.02 * (1 + action / 4)))
            of.count, of.sum = calls, calls * 0.03
    for each in range(OTHERS):
        labels = {"route": f"/r/{each % 75}", "status": str(each // 75)}
        point(orders.sum.data_points, labels, time_ns, start_ns).as_int = each * step
    return request


def point(points: Any, labels: dict[str, str], time_ns: int, start_ns: int) -> Any:
    """Add a point."""
    added = points.add(time_unix_nano=time_ns, start_time_unix_nano=start_ns)
    for key, value in labels.items():
        attribute(added.attributes, key, value)
    return added


def spread(calls: int, middle: float) -> list[int]:
    """Return counts by bucket of a log-normal distribution."""
    shares = [0.5 * (1 + math.erf(math.log(bound / middle) / 0.8)) for bound in BOUNDS] + [1.0]
    levels = [round(share * calls) for share in shares]
    return [after - before for before, after in zip([0, *levels], levels, strict=False)]


def span_requests(now_ns: int) -> Iterator[bytes]:
    """Yield requests of a million spans over the half hour."""
    request = spans_request()
    sent = 0
    while sent < SPANS:
        sent += touch_spans(request, sent)
        moved = now_ns - random.randrange(STEPS * STEP_S * SECOND_NS)
        for span in request.resource_spans[0].scope_spans[0].spans:
            length = span.end_time_unix_nano - span.start_time_unix_nano
            span.start_time_unix_nano = moved + random.randrange(SECOND_NS)
            span.end_time_unix_nano = span.start_time_unix_nano + length
        yield request.SerializeToString()


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default="")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="otelkit-pages-"))
    if not any(folder.glob("*.sqlite*")) and not any(folder.glob("*.db*")):
        began = time.monotonic()
        fill(folder)
        print(f"filled in {time.monotonic() - began:.0f} s")
    command = [sys.executable, "-m", "otelkit", "dashboard", "--port", "0", "--grpc-port", "-1", "--data", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = urlsplit(process.stdout.readline().split()[1])
    token = url.query.partition("=")[2]
    watched = psutil.Process(process.pid)
    try:
        ask_all(url.port or 0, token, arguments.rounds, watched)
        print(f"RSS {watched.memory_info().rss / 2**20:.0f} MiB, {os.cpu_count()} CPUs")
    finally:
        process.terminate()
        process.wait()


def rest(watched: psutil.Process) -> None:
    """Wait until the server does nothing but wait, too."""
    while True:
        before = sum(watched.cpu_times()[:2])
        time.sleep(3)
        if sum(watched.cpu_times()[:2]) - before < 0.15:
            return


class Asking:
    """Asks, and takes down time and CPU, in milliseconds."""

    def __init__(self, port: int, token: str, watched: psutil.Process) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}"}
        self._watched = watched
        self._back_m = 16.0

    def ask(self, page: str) -> tuple[float, float, int]:
        """Return time, CPU and bytes of an answer."""
        before = sum(self._watched.cpu_times()[:2])
        began = time.perf_counter()
        self._connection.request("GET", f"/api/v1/{page}", headers=self._headers)
        answer = self._connection.getresponse()
        size = len(answer.read())
        took = (time.perf_counter() - began) * 1e3
        assert answer.status in (200, 404), (page, answer.status)
        return took, (sum(self._watched.cpu_times()[:2]) - before) * 1e3, size

    def new(self, page: str) -> str:
        """Return the page at a range of twelve minutes that begins before all before."""
        if page.startswith(UNRANGED) or "from=" in page:
            return page
        self._back_m += 0.25
        between = "&" if "?" in page else "?"
        return f"{page}{between}from=-{self._back_m:.2f}m&to=-{self._back_m - 12:.2f}m"


def ask_all(port: int, token: str, rounds: int, watched: psutil.Process) -> None:
    """Ask each page several times."""
    rest(watched)
    asking = Asking(port, token, watched)
    print(f"| page | new: CPU, ms | time, ms | again: CPU, ms | time, ms | most, ms | KB |\n|{'---|' * 7}")
    for page in PAGES:
        new = sorted(asking.ask(asking.new(page)) for _ in range(1 if "from=" in page else 3))
        again = []
        for _ in range(rounds):
            time.sleep(0.3)
            again.append(asking.ask(page))
        figures = (
            statistics.median(cpu for _, cpu, _ in new),
            statistics.median(took for took, _, _ in new),
            statistics.median(cpu for _, cpu, _ in again[1:]),
            statistics.median(took for took, _, _ in again[1:]),
            max(took for took, _, _ in again[1:]),
            again[-1][2] / 1e3,
        )
        print(f"| {page} | {' | '.join(f'{each:.0f}' for each in figures)} |", flush=True)


if __name__ == "__main__":
    main()
