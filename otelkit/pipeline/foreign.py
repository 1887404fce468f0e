# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Cells for a MeterProvider of which only OpenTelemetry's API is known.

Counters, up-down counters and gauges become observable instruments. Histograms
have no observable form: raw values are taken while cells fold them, kept, and
recorded to the provider's histograms when it collects. That is as slow as the
provider's own recording (16 µs a value in the SDK), but not in the hot path.
Values that were folded before the feed began are not replayed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otelkit import semconv
from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._snapshot import Attributes, Exemplar, Kind, Metric
from otelkit.pipeline.points import without_summaries
from otelkit.pipeline.producer import SCOPE

if TYPE_CHECKING:
    from otelkit.instruments.registry import Registry

_HISTOGRAMS = (Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM)

# Batches (of up to 100 values) that may wait for a collection, before a thread records them.
_BATCHES = 1_300

# A snapshot serves all instruments of one collection, and no second one.
_SNAPSHOT_AGE_S = 1.0

_Batch = tuple[Metric, Attributes, list[float]]


class Feed:
    """
    The connection of one foreign provider to the cells. Thread-safe.

    Args:
        provider: The provider; its collections are what moves the data.
        registry: Where the cells are. Its tap is taken: one feed per registry.
    """

    def __init__(self, provider: MeterProvider, registry: Registry) -> None:
        self._provider = provider
        self._registry = registry
        self._meter = provider.get_meter(SCOPE.name, SCOPE.version)
        self._lock = threading.RLock()
        self._closed = False
        self._observed: set[str] = set()
        self._histograms: dict[str, Any] = {}
        self._points: dict[str, list[Any]] = {}
        self._points_taken = 0.0
        self._batches: deque[_Batch] = deque()
        self._wanted = threading.Event()
        registry.tap(self._keep)
        self._create_instruments()
        self._meter.create_observable_gauge(
            semconv.SERIES.name, [self._collect], semconv.SERIES.unit, semconv.SERIES.description
        )
        self._start()
        forks.in_child(self._begin_anew)

    def _start(self) -> None:
        threading.Thread(target=self._work, name="otelkit feed", daemon=True).start()

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()
        self._wanted = threading.Event()
        self._batches.clear()  # the parent's
        self._points = {}
        if not self._closed:
            self._start()

    def flush(self, timeout_s: float) -> object:
        """Have the provider deliver, if it can be told to."""
        self._create_instruments()
        self._replay(may_create=True)
        flush = getattr(self._provider, "force_flush", None)
        return flush(timeout_millis=timeout_s * 1e3) if flush else True

    def close(self) -> None:
        """Feed no more. The instruments stay, silent: the API cannot take them back."""
        self._replay()
        self._closed = True
        self._registry.tap(None)
        self._wanted.set()

    # -- instruments ----------------------------------------------------------

    def _work(self) -> None:
        # A thread, because a provider may hold a lock over callbacks that creating an instrument takes again.
        while not self._closed:
            self._wanted.wait()
            self._wanted.clear()
            with guard.shield("feed of a foreign provider"):
                self._create_instruments()
                self._replay(may_create=True)

    def _create_instruments(self) -> None:
        for metric, points in without_summaries(self._registry.snapshot()):
            with self._lock:
                if metric.kind in _HISTOGRAMS:
                    self._create_histogram(metric, points)
                elif metric.name not in self._observed:
                    self._observed.add(metric.name)
                    self._creator(metric.kind)(
                        metric.name, [self._observer(metric.name)], metric.unit, metric.description
                    )

    def _creator(self, kind: Kind) -> Callable[..., Any]:
        return {
            Kind.COUNTER: self._meter.create_observable_counter,
            Kind.UP_DOWN_COUNTER: self._meter.create_observable_up_down_counter,
            Kind.GAUGE: self._meter.create_observable_gauge,
        }[kind]

    def _create_histogram(self, metric: Metric, points: list[Any]) -> None:
        if metric.name not in self._histograms:
            bounds = getattr(points[0], "bounds", None) if points else None
            self._histograms[metric.name] = self._meter.create_histogram(
                metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=bounds
            )

    # -- what the provider calls ----------------------------------------------

    def _collect(self, _: CallbackOptions) -> Iterable[Observation]:
        if self._closed:
            return []
        with guard.shield("feed of a foreign provider"):
            self._take_snapshot()
            self._replay()
            return [Observation(sum(map(len, self._points.values())))]
        return []

    def _observer(self, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [Observation(point.value, point.attributes) for point in self._take_points(name)]

        return observe

    def _take_points(self, name: str) -> list[Any]:
        if self._closed:
            return []
        with guard.shield("feed of a foreign provider"), self._lock:
            if name not in self._points or time.monotonic() - self._points_taken > _SNAPSHOT_AGE_S:
                self._take_snapshot()
            return self._points.pop(name, [])
        return []

    def _take_snapshot(self) -> None:
        with self._lock:
            snapshots = list(without_summaries(self._registry.snapshot()))
            self._points = {metric.name: points for metric, points in snapshots if metric.kind not in _HISTOGRAMS}
            self._points_taken = time.monotonic()
            known = self._observed.union(self._histograms)
        if any(metric.name not in known for metric, _ in snapshots):
            self._wanted.set()

    # -- histograms -----------------------------------------------------------

    def _keep(self, metric: Metric, attributes: Attributes, values: list[float]) -> None:
        if metric.kind in _HISTOGRAMS:
            self._batches.append((metric, attributes, values))
            if len(self._batches) > _BATCHES:
                self._wanted.set()

    def _replay(self, *, may_create: bool = False) -> None:
        for _ in range(len(self._batches)):
            try:
                batch = self._batches.popleft()
            except IndexError:
                return
            metric, attributes, values = batch
            if may_create:
                self._create_histogram(metric, [])
            histogram = self._histograms.get(metric.name)
            if histogram is None:
                self._batches.append(batch)
                self._wanted.set()
                continue
            for value in values:
                histogram.record(float(value), attributes, context=_context(value))


def _context(value: float) -> Context:
    """Return the context that a value was recorded in, as far as it is known: the provider's exemplars come of it."""
    if not isinstance(value, Exemplar):
        return Context()
    span = SpanContext(value.trace_id, value.span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(span), Context())
