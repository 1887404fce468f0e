# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What one agent, one gateway, one Jaeger and one Prometheus take for spans and series, and the sizes that follow.

    python -m benchmarks.stack_scale                print the tables
    python -m benchmarks.stack_scale --write        and put them into docs/scaling.md

Runs `make stack`'s programs with collector-config's files on free ports. Requests are encoded before the clock starts,
so that the sender takes little of the machine; CPU time is the processes' own, memory the largest resident set seen.
Needs the programs that `make stack` builds.
"""

from __future__ import annotations

import argparse
import http.client
import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tools"))

from stack.part import Part  # noqa: E402 - tools/ is no package of otelkit's
from stack.ports import Ports  # noqa: E402
from stack.stack import Stack  # noqa: E402

PAGE = ROOT / "docs" / "scaling.md"
CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
MARKS = ("<!-- measured -->", "<!-- /measured -->")

INSTANCES = 100
SPANS_A_TRACE = 4
SPANS_A_REQUEST = 512
RATES = (1_000, 5_000, 10_000)
PHASE_S = 30
IDLE_S = 20
EXPORTS, EXPORT_EVERY_S = 6, 15
COUNTERS, HISTOGRAMS, BOUNDS = 160, 20, tuple(float(2**power) for power in range(14))
ACTIONS = 10
SERIES = COUNTERS + HISTOGRAMS * (len(BOUNDS) + 3)

ASSUMED_SPANS, ASSUMED_EXPORT_S, ASSUMED_SCRAPE_S = 50, 60, 15
SIZES = (10, 100, 10_000)
GATEWAY_CORES, GATEWAY_BYTES = 4, 8 << 30
LOAD = 0.5
DECISION_WAIT_S = 10
"""As in gateway.yaml."""


@dataclass
class Usage:
    """CPU seconds and largest memory of each part over a phase, by its name."""

    seconds: float = 0.0
    items: int = 0
    cpu_s: dict[str, float] = field(default_factory=dict)
    rss: dict[str, int] = field(default_factory=dict)

    def cpu_us(self, part: str) -> float:
        """Return the microseconds of CPU per item."""
        return self.cpu_s[part] / self.items * 1e6


class Watch:
    """Looks at the parts' processes during a phase."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._processes = {part.name: psutil.Process(part.process.pid) for part in parts if part.process}
        self._before = self._cpu()
        self._began = time.monotonic()
        self._rss = dict.fromkeys(self._processes, 0)

    def look(self) -> None:
        """Note how large the processes are now."""
        for name, process in self._processes.items():
            self._rss[name] = max(self._rss[name], process.memory_info().rss)

    def end(self, items: int) -> Usage:
        """Return what the phase took."""
        self.look()
        cpu = {name: after - self._before[name] for name, after in self._cpu().items()}
        return Usage(time.monotonic() - self._began, items, cpu, self._rss)

    def _cpu(self) -> dict[str, float]:
        return {name: sum(process.cpu_times()[:2]) for name, process in self._processes.items()}


def attributes(**of: str) -> list[KeyValue]:
    """Return attributes of text; ``__`` stands for a dot."""
    return [KeyValue(key=key.replace("__", "."), value=AnyValue(string_value=value)) for key, value in of.items()]


def resource(instance: int) -> list[KeyValue]:
    """Return what a program says of itself."""
    return attributes(
        service__name=f"service-{instance % 10}",
        service__instance__id=f"instance-{instance}",
        host__name=f"host-{instance % 20}",
        telemetry__sdk__language="python",
        telemetry__sdk__name="opentelemetry",
        process__pid=str(1000 + instance),
    )


def span_requests(number: int) -> Iterator[bytes]:
    """Yield requests with ``number`` spans in all, of traces of four; one in fifty has failed."""
    for made in range(0, number, SPANS_A_REQUEST):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        group.resource.attributes.extend(resource(made // SPANS_A_REQUEST % INSTANCES))
        spans = group.scope_spans.add().spans
        now = time.time_ns()
        for _ in range(SPANS_A_REQUEST // SPANS_A_TRACE):
            trace, parent = os.urandom(16), b""
            for depth in range(SPANS_A_TRACE):
                span = spans.add(trace_id=trace, span_id=os.urandom(8), parent_span_id=parent)
                span.name = f"action-{depth}"
                span.start_time_unix_nano, span.end_time_unix_nano = now - 20_000_000, now - depth * 1_000_000
                span.attributes.extend(
                    attributes(service="Shop", action=f"action-{depth}", http__route="/orders/{id}", tier="gold")
                )
                if depth == 0 and random.random() < 0.02:
                    span.status.code = 2
                parent = span.span_id
        yield request.SerializeToString()


def metric_requests(export: int) -> Iterator[bytes]:
    """Yield one export of every instance: counters and histograms, as totals that grow."""
    now = time.time_ns()
    for instance in range(INSTANCES):
        request = ExportMetricsServiceRequest()
        group = request.resource_metrics.add()
        group.resource.attributes.extend(resource(instance))
        metrics = group.scope_metrics.add().metrics
        for number in range(COUNTERS // ACTIONS):
            made = metrics.add(name=f"shop.counter{number}", unit="{order}").sum
            made.is_monotonic, made.aggregation_temporality = True, CUMULATIVE
            for action in range(ACTIONS):
                point = made.data_points.add(time_unix_nano=now, as_double=(export + 1) * (number + action))
                point.attributes.extend(attributes(action=f"action-{action}"))
        for number in range(HISTOGRAMS // ACTIONS):
            made = metrics.add(name=f"shop.histogram{number}", unit="s").histogram
            made.aggregation_temporality = CUMULATIVE
            for action in range(ACTIONS):
                counts = [export + 1] * (len(BOUNDS) + 1)
                point = made.data_points.add(time_unix_nano=now, count=sum(counts), sum=1.5 * sum(counts))
                point.explicit_bounds.extend(BOUNDS)
                point.bucket_counts.extend(counts)
                point.attributes.extend(attributes(action=f"action-{action}"))
        yield request.SerializeToString()


class Sender:
    """One connection to the agent."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=60)

    def send(self, signal: str, body: bytes) -> None:
        """Send a request; one that is not taken is an error."""
        self._connection.request("POST", f"/v1/{signal}", body, {"Content-Type": "application/x-protobuf"})
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"The agent answered {answer.status}.")


def measure_spans(stack: Stack, sender: Sender, rate: int) -> Usage:
    """Send at ``rate`` spans a second, and go on looking until the gateway has decided on the last."""
    requests = list(span_requests(rate * PHASE_S))
    watch, began = Watch(stack.all), time.monotonic()
    for number, body in enumerate(requests):
        time.sleep(max(0.0, began + number * SPANS_A_REQUEST / rate - time.monotonic()))
        sender.send("traces", body)
        watch.look()
    took = time.monotonic() - began
    until = time.monotonic() + 15
    while time.monotonic() < until:
        time.sleep(0.5)
        watch.look()
    usage = watch.end(len(requests) * SPANS_A_REQUEST)
    usage.seconds = took
    return usage


def measure_series(stack: Stack, sender: Sender) -> Usage:
    """Let all instances export, a few times; items are series exported."""
    exports = [list(metric_requests(number)) for number in range(EXPORTS)]
    watch = Watch(stack.all)
    for requests in exports:
        until = time.monotonic() + EXPORT_EVERY_S
        for body in requests:
            sender.send("metrics", body)
        while time.monotonic() < until:
            time.sleep(0.5)
            watch.look()
    return watch.end(EXPORTS * INSTANCES * SERIES)


def megabytes(size: float) -> str:
    """Return a size to read."""
    return f"{size / 1e6:,.0f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown, all columns but the first to the right."""
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def measured(idle: Usage, spans: dict[int, Usage], series: Usage) -> str:
    """Return the tables of what was measured."""
    parts = ("agent", "gateway-1", "jaeger", "prometheus")
    heading = [f"{rate:,} spans/s" for rate in spans]
    reached = [f"{usage.items / usage.seconds:,.0f}" for usage in spans.values()]
    cpu = [
        [part, *(f"{usage.cpu_us(part):.1f} us" for usage in spans.values()), f"{series.cpu_us(part):.2f} us"]
        for part in parts
    ]
    memory = [
        [
            part,
            megabytes(idle.rss[part]),
            *(megabytes(u.rss[part]) for u in spans.values()),
            megabytes(series.rss[part]),
        ]
        for part in parts
    ]
    total = INSTANCES * SERIES
    return "\n".join(
        (
            f"CPU time per span, and per series and export: {INSTANCES} instances with {SERIES} series each,",
            f"{total:,} in all, exported every {EXPORT_EVERY_S} s, scraped every {ASSUMED_SCRAPE_S} s.",
            f"Reached: {', '.join(reached)} spans/s.",
            "",
            table(["", *heading, f"{total:,} series"], cpu),
            "",
            "Largest resident memory:",
            "",
            table(["", "idle", *heading, f"{total:,} series"], memory),
        )
    )


def sizes(idle: Usage, spans: dict[int, Usage], series: Usage) -> str:
    """Return the table of sizes, computed from what was measured, and nothing else."""
    rate, usage = max(spans.items())

    def memory(part: str, of_spans: float, of_series: float) -> float:
        by_span = max(usage.rss[part] - idle.rss[part], 0) / rate
        by_series = max(series.rss[part] - idle.rss[part], 0) / INSTANCES / SERIES
        return idle.rss[part] + of_spans * by_span + of_series * by_series

    def cores(part: str, spans_s: float, series_s: float) -> float:
        return (spans_s * usage.cpu_us(part) + series_s * series.cpu_us(part)) / 1e6

    rows = []
    for instances in SIZES:
        sent, kept = instances * ASSUMED_SPANS, instances * SERIES
        exported, scraped = kept / ASSUMED_EXPORT_S, kept / ASSUMED_SCRAPE_S
        # A gateway's work with series is mostly its page, which is made as often as it is scraped.
        needed, held = cores("gateway-1", sent, scraped), memory("gateway-1", sent, kept)
        gateways = math.ceil(max(needed / GATEWAY_CORES, held / GATEWAY_BYTES) / LOAD)
        waiting = sent / SPANS_A_TRACE * DECISION_WAIT_S / gateways
        rows.append(
            [
                *(f"{instances:,}", f"{sent:,}", f"{kept:,}", f"{cores('agent', sent, exported):.2f}"),
                *(f"{needed:.2f}", megabytes(held), f"{gateways}", f"{waiting:,.0f}"),
                *(f"{cores('prometheus', 0, scraped):.2f}", megabytes(memory("prometheus", 0, kept))),
            ]
        )
    head = ["instances", "spans/s", "series", "agents' cores", "gateways' cores", "gateways' memory", "gateways"]
    return table([*head, "traces that wait in each", "Prometheus' cores", "its memory"], rows)


def run() -> str:
    """Measure everything, spans and series each on a stack of its own; return the page's part."""
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), Ports(free=True), gateways=1) as stack:
        watch = Watch(stack.all)
        time.sleep(IDLE_S)
        idle = watch.end(1)
        sender = Sender(stack.entry.addresses["otlp_http"])
        spans = {rate: measure_spans(stack, sender, rate) for rate in RATES}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), Ports(free=True), gateways=1) as stack:
        series = measure_series(stack, Sender(stack.entry.addresses["otlp_http"]))
    return f"{measured(idle, spans, series)}\n\n{sizes(idle, spans, series)}"


def main() -> None:
    """Print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scaling.md")
    arguments = parser.parse_args()
    told = run()
    print(told)
    if arguments.write:
        text = PAGE.read_text()
        before, _, rest = text.partition(MARKS[0])
        PAGE.write_text(f"{before}{MARKS[0]}\n{told}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")


if __name__ == "__main__":
    main()
