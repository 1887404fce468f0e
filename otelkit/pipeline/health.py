# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What otelkit's own work costs: its duration and the CPU seconds of the thread that does it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time
from typing import Literal

from otelkit import semconv
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._snapshot import Attributes, Metric, NumberPoint
from otelkit.instruments.counter import counter
from otelkit.instruments.histogram import histogram
from otelkit.instruments.registry import Registry, default_registry

Points = list[tuple[Metric, list[NumberPoint]]]

Activity = Literal["collection", "encoding", "export", "scrape"]

_DURATIONS: dict[Activity, Metric] = {
    "collection": semconv.COLLECTION_DURATION,
    "export": semconv.EXPORT_DURATION,
    "scrape": semconv.SCRAPE_DURATION,
}


class Work:
    """
    One kind of work of otelkit's own.

    Args:
        activity: What is done; encoding is handing over to a thread that exports, and has no duration.
        exporter: For whom; of a collection only the CPU seconds are told apart by it.
        signal: What is exported.
        registry: Where the numbers go.

    Thread-safe. Cost: two clocks, read twice; for work that comes once in seconds.
    """

    def __init__(
        self,
        activity: Activity,
        exporter: str,
        registry: Registry = default_registry,
        *,
        signal: Literal["metrics", "traces"] = "metrics",
    ) -> None:
        labels = {semconv.ACTIVITY: activity, semconv.EXPORTER: exporter}
        metric = semconv.CPU_TIME
        self._cpu = counter(
            metric.name, labels=labels, unit=metric.unit, description=metric.description, registry=registry
        ).labels(**labels)
        self._took: HistogramCell | None = None
        if activity in _DURATIONS:
            self._took = self._duration(activity, exporter, registry, signal)

    @staticmethod
    def _duration(activity: Activity, exporter: str, registry: Registry, signal: str) -> HistogramCell:
        metric = _DURATIONS[activity]
        told = {} if activity == "collection" else {semconv.EXPORTER: exporter}
        if activity == "export":
            told[semconv.SIGNAL] = signal
        return histogram(
            metric.name, labels=told, unit=metric.unit, description=metric.description, registry=registry
        ).labels(**told)

    def add_cpu(self, seconds: float) -> None:
        """Count CPU seconds that were measured elsewhere."""
        self._cpu.increment(seconds)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the block, whether it ends well or not."""
        began, cpu_began = perf_counter(), thread_time()
        try:
            yield
        finally:
            self._cpu.increment(thread_time() - cpu_began)
            if self._took is not None:
                self._took.observe(perf_counter() - began)


class Lap:
    """CPU seconds of the calling thread between two calls; each thread has laps of its own."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def end(self) -> float:
        """Return the seconds since this thread's last call, or since it started."""
        now = thread_time()
        began, self._thread.began = getattr(self._thread, "began", 0.0), now
        return now - began


class Gauges:
    """Numbers of the moment as points; a series keeps its attributes object, by which readers know it."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], Attributes] = {}

    def point(self, now_ns: int, metric: Metric, value: float, **labels: str) -> tuple[Metric, list[NumberPoint]]:
        """Return one point of ``metric``; ``labels`` are named by the constants of `otelkit.semconv`, in lower case."""
        named = tuple((getattr(semconv, name.upper()), text) for name, text in labels.items())
        attributes = self._series.setdefault((metric.name, named), Attributes(named))
        return metric, [NumberPoint(attributes, now_ns, now_ns, value)]
