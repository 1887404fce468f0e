# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What the viewer's ingest sustains: spans and points at a given rate, over OTLP/HTTP, into a real dashboard.

    python -m benchmarks.viewer                      5,000 spans/s and 50,000 points/s for a minute
    python -m benchmarks.viewer --spans 0 --points 100000 --seconds 20

The dashboard is a process of its own; this one sends, ten points' and four spans' connections at once. Every answer is
waited for, the store is counted at the end. On a busy machine the answers are late, and so is who waits for them: the
CPU that either side used says what a rate takes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

SPANS_A_REQUEST = 250
SPANS_A_TRACE = 5
SERIES = 10_000
POINTS_A_REQUEST = 1_000
SPAN_SENDERS = 4
BUCKETS = 15


def attribute(pairs, key: str, value: str | int) -> None:
    """Add one attribute."""
    pair: KeyValue = pairs.add(key=key)
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.string_value = value


def points_requests() -> list[ExportMetricsServiceRequest]:
    """Make requests that together hold one point of each series: nine in ten sums, one in ten histograms."""
    requests = []
    for begin in range(0, SERIES, POINTS_A_REQUEST):
        request = ExportMetricsServiceRequest()
        resource = request.resource_metrics.add()
        attribute(resource.resource.attributes, "service.name", "bench")
        attribute(resource.resource.attributes, "service.instance.id", f"i{begin}")
        metrics = resource.scope_metrics.add()
        metrics.scope.name = "bench"
        per_metric = 100
        for number in range(begin, begin + POINTS_A_REQUEST, per_metric):
            metric = metrics.metrics.add(name=f"bench.m{number // per_metric}", unit="{request}")
            histogram = number // per_metric % 10 == 9
            data = metric.histogram if histogram else metric.sum
            data.aggregation_temporality = 2
            if not histogram:
                metric.sum.is_monotonic = True
            for each in range(per_metric):
                point = data.data_points.add(start_time_unix_nano=time.time_ns())
                attribute(point.attributes, "route", f"/r/{each}")
                attribute(point.attributes, "status", each % 5)
                if histogram:
                    point.explicit_bounds.extend(float(bound) for bound in range(BUCKETS - 1))
                    point.bucket_counts.extend(range(BUCKETS))
        requests.append(request)
    return requests


def touch_points(request: ExportMetricsServiceRequest, step: int) -> int:
    """Give all points a new time and value; returns how many there are."""
    now, points = time.time_ns(), 0
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        histogram = metric.HasField("histogram")
        for point in (metric.histogram if histogram else metric.sum).data_points:
            point.time_unix_nano = now
            if histogram:
                point.count, point.sum, point.min, point.max = 105, step * 1.5, 0.1, 14.0
            else:
                point.as_double = step * 1.25
            points += 1
    return points


def spans_request() -> ExportTraceServiceRequest:
    """Make a request of some traces of a few spans each."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    attribute(resource.resource.attributes, "service.name", "bench")
    attribute(resource.resource.attributes, "service.instance.id", "i0")
    spans = resource.scope_spans.add()
    spans.scope.name = "bench"
    for number in range(SPANS_A_REQUEST):
        span = spans.spans.add(name=f"operation {number % SPANS_A_TRACE}", kind=2 if number % SPANS_A_TRACE == 0 else 1)
        attribute(span.attributes, "code.function.name", f"shop.handlers.operation_{number % SPANS_A_TRACE}")
        attribute(span.attributes, "user_tier", ("free", "paid", "internal")[number % 3])
        attribute(span.attributes, "http.response.status_code", 200)
        attribute(span.attributes, "order.id", 0)
    return request


def touch_spans(request: ExportTraceServiceRequest, step: int) -> int:
    """Give all spans new ids and times; returns how many there are."""
    now = time.time_ns()
    spans = request.resource_spans[0].scope_spans[0].spans
    for number, span in enumerate(spans):
        if number % SPANS_A_TRACE == 0:
            trace_id, root_id = secrets.token_bytes(16), secrets.token_bytes(8)
            span.span_id, span.parent_span_id = root_id, b""
        else:
            span.span_id, span.parent_span_id = secrets.token_bytes(8), root_id
        span.trace_id = trace_id
        span.start_time_unix_nano = now - 20_000_000 + number % SPANS_A_TRACE * 1_000_000
        span.end_time_unix_nano = now - number % SPANS_A_TRACE * 1_000_000
        span.attributes[3].value.int_value = step * SPANS_A_REQUEST + number
    return len(spans)


class Sender(threading.Thread):
    """Sends at a rate, and remembers how long each answer took."""

    def __init__(
        self, port: int, path: str, rate: float, seconds: float, request: Any, touch: Callable[[Any, int], int]
    ) -> None:
        super().__init__()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.path, self.rate, self.seconds = path, rate, seconds
        self.request, self.touch = request, touch
        self.sent = self.refused = 0
        self.answers_s: list[float] = []
        self.behind_s = self.took_s = 0.0

    def run(self) -> None:
        """Send until the time is over."""
        began = time.monotonic()
        step = 0
        while time.monotonic() - began < self.seconds:
            due = began + self.sent / self.rate
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self.behind_s = max(self.behind_s, -wait)
            items, body = self.touch(self.request, step), self.request.SerializeToString()
            step += 1
            sent_at = time.perf_counter()
            self.connection.request("POST", self.path, body, {"Content-Type": "application/x-protobuf"})
            response = self.connection.getresponse()
            answer = response.read()
            self.answers_s.append(time.perf_counter() - sent_at)
            if response.status != 200 or answer:
                self.refused += items
            self.sent += items
        self.took_s = time.monotonic() - began


def describe(senders: list[Sender]) -> str:
    """Return rate, refusals and answers of all senders of a kind."""
    seconds = max(sender.took_s for sender in senders)
    took = sorted(answer for sender in senders for answer in sender.answers_s)
    return (
        f"{sum(sender.sent for sender in senders) / seconds:,.0f}/s on {len(senders)} connections, "
        f"{sum(sender.refused for sender in senders)} refused, answer p50 {statistics.median(took) * 1e3:.0f} ms, "
        f"p99 {took[int(len(took) * 0.99)] * 1e3:.0f} ms, most behind {max(each.behind_s for each in senders):.2f} s"
    )


def main() -> None:
    """Run it and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=5_000)
    parser.add_argument("--points", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", default="")
    arguments = parser.parse_args()
    folder = arguments.folder or tempfile.mkdtemp(prefix="otelkit-bench-")
    process = subprocess.Popen(
        [sys.executable, "-m", "otelkit", "dashboard", "--port", "0", "--grpc-port", "0", "--data", folder],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = urlsplit(process.stdout.readline().split()[1])
    port = url.port or 0
    watched = psutil.Process(process.pid)
    requests = points_requests() if arguments.points else []
    points = [
        Sender(port, "/v1/metrics", arguments.points / len(requests), arguments.seconds, request, touch_points)
        for request in requests
    ]
    spans = [
        Sender(port, "/v1/traces", arguments.spans / SPAN_SENDERS, arguments.seconds, spans_request(), touch_spans)
        for _ in range(SPAN_SENDERS if arguments.spans else 0)
    ]
    senders = points + spans
    memory: list[int] = []
    before, own = sum(watched.cpu_times()[:2]), time.process_time()
    began = time.monotonic()
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        time.sleep(0.5)
        memory.append(watched.memory_info().rss)
    seconds = time.monotonic() - began
    cpu, own = sum(watched.cpu_times()[:2]) - before, time.process_time() - own
    for name, those in (("points", points), ("spans", spans)):
        if those:
            print(f"{name}: {describe(those)}")
    print(f"sender: {own / seconds:.0%} of a core; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"dashboard: {cpu / seconds:.0%} of a core, RSS at most {max(memory) / 2**20:.0f} MiB")
    sent = {"points": sum(each.sent for each in points), "spans": sum(each.sent for each in spans)}
    process.terminate()
    process.wait()
    held = sum(path.stat().st_size for path in Path(folder).iterdir())
    print(f"stored: {held / 2**20:.1f} MiB; sent {json.dumps(sent)}, counted {json.dumps(count(folder))}")


def count(folder: str) -> dict[str, int]:
    """Open the store again and count what it holds."""
    from otelkit.viewer.store.store import Store

    store = Store(Path(folder))
    statistics_ = store.statistics()
    far = 2**63 - 1
    ids = [series.id for series in store.series()]
    points = sum(len(each.times_ns) for each in store.numbers(ids, 0, far).values())
    points += sum(len(run.times_ns) for runs in store.histograms(ids, 0, far).values() for run in runs)
    store.close()
    return {"spans": statistics_.spans, "traces": statistics_.traces, "points": points, "series": statistics_.series}


if __name__ == "__main__":
    main()
