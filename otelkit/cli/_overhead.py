# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What otelkit costs on this machine: a call, a span, a scrape, an export.

Rounds of what is measured and of the bare thing take turns, so that both meet
the same noise. The least of all rounds is what the machine can do, the median
what it did just now; the program's share is worked out from the median.
Comparisons with other libraries are `make bench`.
"""

from __future__ import annotations

import gc
import http.client
import time
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

from otelkit import semconv
from otelkit.cli._findings import Finding, Status
from otelkit.cli._scraped import scrape
from otelkit.config import Settings

__all__ = ("Cost", "check", "measure")

SECTION = "Overhead"
ROUNDS = 7
_CALLS = 20_000
_SPANS = 2_000
_SERIES = 1_000
_WATCH_S = 2.0


class Cost(NamedTuple):
    """
    What one thing costs.

    Attributes:
        name: A stable identifier.
        text: What it is, for people.
        least_s: Seconds, the least of all rounds, less the bare thing.
        median_s: The median of all rounds, likewise.
    """

    name: str
    text: str
    least_s: float
    median_s: float


def measure() -> list[Cost]:
    """Measure; takes a few seconds. What is recorded meanwhile goes to a registry and exporters of its own."""
    collecting = gc.isenabled()
    gc.disable()  # as timeit does: a collection in one round is no property of what is measured
    try:
        return [*_calls(), *_spans(), *_collections()]
    finally:
        if collecting:
            gc.enable()


def _rounds(count: int, *runs: Callable[[int], None]) -> list[list[float]]:
    """Return seconds per repetition of each of ``runs``, which take turns."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for seconds, run in zip(taken, runs, strict=True):
            began = perf_counter()
            run(count)
            seconds.append((perf_counter() - began) / count)
    return taken


def _cost(name: str, text: str, seconds: list[float], bare: list[float] | None = None) -> Cost:
    less = bare or [0.0]
    return Cost(name, text, max(0.0, min(seconds) - min(less)), max(0.0, median(seconds) - median(less)))


def _calls() -> list[Cost]:
    from otelkit.decorators.metered import metered

    def bare(tier: str) -> str:
        return tier

    def loop(function: Callable[[str], str]) -> Callable[[int], None]:
        def run(count: int) -> None:
            for _ in range(count):
                function("free")

        return run

    plain = metered(name=f"{semconv.PROBE}.plain")(bare)
    labelled = metered(name=f"{semconv.PROBE}.labelled", labels=["tier"])(bare)
    calls, with_label, without = _rounds(_CALLS, loop(plain), loop(labelled), loop(bare))
    return [
        _cost("call", "A metered call", calls, without),
        _cost("call.label", "A metered call with a label", with_label, without),
    ]


def _spans() -> list[Cost]:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

    from otelkit.pipeline.otlp.span_exporter import encode_spans

    kept: list[Any] = []

    def loop(sampler: Any) -> Callable[[int], None]:
        tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("otelkit.doctor")

        def run(count: int) -> None:
            kept.clear()
            for _ in range(count):
                with tracer.start_as_current_span("doctor", attributes={"a": "b", "c": "d"}) as span:
                    kept.append(span)

        return run

    def export(count: int) -> None:
        encode_spans(kept[-count:]).SerializeToString()

    unsampled, sampled, exported = _rounds(_SPANS, loop(ALWAYS_OFF), loop(ALWAYS_ON), export)
    return [
        _cost("span.unsampled", "A span that is not sampled", unsampled),
        _cost("span", "A sampled span", sampled),
        _cost("export.span", "Its export (encoding, in a thread of otelkit's)", exported),
    ]


def _collections() -> list[Cost]:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics
    from opentelemetry.sdk.resources import Resource

    from otelkit.exporters._exposition import render
    from otelkit.instruments.histogram import histogram
    from otelkit.instruments.registry import Registry
    from otelkit.pipeline.producer import Producer

    registry = Registry()
    durations = histogram(semconv.PROBE, labels=["id"], unit="s", registry=registry)
    for number in range(_SERIES):
        durations.observe(number / _SERIES, id=number)
    producer, resource = Producer(registry), Resource({})

    def scraped(_: int) -> None:
        render(registry.snapshot(), openmetrics=True)

    def exported(_: int) -> None:
        data = MetricsData([ResourceMetrics(resource, [producer.produce()], "")])
        encode_metrics(data).SerializeToString()

    scrapes, exports = _rounds(1, scraped, exported)
    return [
        _cost("scrape", f"A scrape of {_SERIES:,} histogram series", scrapes),
        _cost("export", f"An OTLP export of {_SERIES:,} histogram series, without the network", exports),
    ]


def check(settings: Settings | None, calls_per_second: float | None, url: str | None) -> list[Finding]:
    """Measure, and put the cost of calls beside the program's own rate, given or read from its page."""
    costs = measure()
    findings = [
        Finding(
            SECTION,
            f"overhead.{cost.name}",
            Status.OK,
            f"{cost.text}: {_time(cost.least_s)} (median {_time(cost.median_s)}).",
        )
        for cost in costs
    ]
    rate, source = calls_per_second, "--calls-per-second"
    if rate is None and url is not None:
        try:
            rate, source = _watched(url, settings), f"its page, over {_WATCH_S:g} s"
        except (OSError, ValueError, http.client.HTTPException):
            return findings  # the check of the page says why
    return [*findings, _share(costs[0], rate, source)]


def _watched(url: str, settings: Settings | None) -> float:
    first, began = scrape(url, settings).calls(), perf_counter()
    time.sleep(_WATCH_S)
    return (scrape(url, settings).calls() - first) / (perf_counter() - began)


def _share(call: Cost, rate: float | None, source: str) -> Finding:
    if rate is None:
        text = f"1,000 metered calls a second take {1_000 * call.median_s:.3%} of one CPU."
        fix = "For your program's own rate: --url of its /metrics, or --calls-per-second."
        return Finding(SECTION, "overhead.share", Status.NOTE, text, fix)
    text = f"At {rate:,.0f} metered calls a second ({source}), they take {rate * call.median_s:.3%} of one CPU."
    return Finding(SECTION, "overhead.share", Status.OK, text)


def _time(seconds: float) -> str:
    for unit, scale in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"
