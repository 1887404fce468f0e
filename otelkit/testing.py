# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What a program's own tests need: see what it recorded, without any exporter.

    with otelkit.testing.capture() as telemetry:
        place_order(source="web")
    assert telemetry.value("shop.orders", source="web") == 1
    assert [span.name for span in telemetry.spans] == ["place_order"]

With pytest, import the fixtures `telemetry` and `strict_guard` in a conftest,
or say ``pytest_plugins = ["otelkit.testing"]`` in the outermost one; nothing is
registered by itself.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit._core._snapshot import Kind, Metric, MetricSnapshot, NumberPoint, Point, SummaryPoint
from otelkit.instruments.registry import Registry, default_registry
from otelkit.pipeline.delta import Deltas

try:
    import pytest

    _fixture: Any = pytest.fixture
except ImportError:  # unittest needs capture() only
    _fixture = lambda function: function  # noqa: E731 - a stand-in for a decorator

__all__ = ("SequentialIds", "Telemetry", "capture", "strict", "strict_guard", "telemetry")

_COUNTED = (Kind.COUNTER, Kind.UP_DOWN_COUNTER, Kind.HISTOGRAM, Kind.EXPONENTIAL_HISTOGRAM)
_OWN_NAMES = frozenset(each.name for each in vars(semconv).values() if isinstance(each, Metric))


class Telemetry:
    """
    What was recorded since `capture` was entered; once it is left, up to then.

    Counters, up-down counters, histograms and summaries count from zero; gauges,
    and the quantiles of summaries, are what they are. May be read at any time,
    by one thread at a time, while others record.

    Labels are given by keyword, or, where the name is no identifier, as a
    mapping: ``value("service.errors", {"error.type": "KeyError"})``. Those not
    given may have any value.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._exporter = InMemorySpanExporter()
        self._reader = registry.add_reader()
        self._deltas = Deltas(_COUNTED)
        before = registry.snapshot(self._reader)
        self._deltas.take(before)
        self._deltas.commit()
        self._summaries = {
            id(point.attributes): point for _, points in before for point in points if isinstance(point, SummaryPoint)
        }
        self._final: list[MetricSnapshot] | None = None

    def value(self, name: str, labels: Mapping[str, str] | None = None, /, **more: str) -> float:
        """
        Return what ``name`` amounts to.

        Returns:
            Of counters and up-down counters the sum, of histograms, timers and
            summaries the number of observations, over all series with these
            labels: 0 if there is none. Of a gauge its value.

        Raises:
            KeyError: No such metric is declared.
            LookupError: Not exactly one series of a gauge has these labels.
        """
        points = self.points(name, labels, **more)
        if self._kind(name) is Kind.GAUGE and len(points) != 1:
            where = {**(labels or {}), **more}
            raise LookupError(f"Expected labels of one series of gauge {name!r}, got {where}: {len(points)} series.")
        return sum(point.value if isinstance(point, NumberPoint) else point.count for point in points)

    def points(self, name: str, labels: Mapping[str, str] | None = None, /, **more: str) -> list[Point]:
        """
        Return the points of ``name`` that have these labels; series without news are left out.

        Raises:
            KeyError: No such metric is declared.
        """
        wanted = {**(labels or {}), **more}.items()
        for metric, points in self.snapshot():
            if metric.name == name:
                return [point for point in points if wanted <= point.attributes.items()]
        self._kind(name)
        return []

    def snapshot(self) -> list[MetricSnapshot]:
        """Return all metrics with their points."""
        if self._final is not None:
            return self._final
        taken = self._deltas.take(self._registry.snapshot(self._reader))
        return [MetricSnapshot(metric, self._without_earlier(points)) for metric, points in taken]

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The spans that ended, in the order in which they did."""
        return self._exporter.get_finished_spans()

    def _kind(self, name: str) -> Kind | None:
        if name in _OWN_NAMES:  # known before the first one is counted
            return None
        return self._registry.describe(name)[0].kind

    def _without_earlier(self, points: list[Any]) -> list[Any]:
        """Subtract what summaries held on entry, which `Deltas` does not."""
        found = []
        for point in points:
            before = self._summaries.get(id(point.attributes)) if isinstance(point, SummaryPoint) else None
            if before is not None:
                point = point._replace(count=point.count - before.count, sum=point.sum - before.sum)
            if not isinstance(point, SummaryPoint) or point.count:
                found.append(point)
        return found

    def _finish(self) -> None:
        self._final = self.snapshot()
        self._registry.remove_reader(self._reader)


@contextmanager
def capture(registry: Registry = default_registry) -> Iterator[Telemetry]:
    """
    See what the block records, metrics and spans.

    Spans come from the program's own tracer provider. If it has none yet, one
    is installed, for good, since OpenTelemetry allows that once a process: it
    samples everything and numbers traces and spans from 1, anew in each
    outermost capture. Captures may be nested.

    Cost: reads all metrics, on entry and whenever asked.
    """
    _listen()
    telemetry = Telemetry(registry)
    _listening.append(telemetry)
    try:
        yield telemetry
    finally:
        _listening.remove(telemetry)
        telemetry._finish()


@contextmanager
def strict() -> Iterator[None]:
    """Let failures inside otelkit, and in callbacks given to it, raise where they happen instead of being counted."""
    before = guard.strict
    guard.strict = True
    try:
        yield
    finally:
        guard.strict = before


class SequentialIds(IdGenerator):
    """Trace and span ids 1, 2, 3, ...: a test knows them beforehand."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin with 1 again."""
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._traces)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._spans)


class _Listener(SpanProcessor):
    """Hands ended spans to the captures of the moment; the SDK cannot take a processor away again."""

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            for listening in tuple(_listening):
                listening._exporter.export((span,))


_listening: list[Telemetry] = []
_listener = _Listener()
_ids = SequentialIds()
_joined: weakref.WeakSet[TracerProvider] = weakref.WeakSet()


def _listen() -> None:
    """Make sure that the program's tracer provider reports to `_listener`, once."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = TracerProvider(id_generator=_ids, shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    if isinstance(provider, TracerProvider) and provider not in _joined:
        provider.add_span_processor(_listener)
        _joined.add(provider)
    if not _listening:
        _ids.restart()


@_fixture
def telemetry() -> Iterator[Telemetry]:
    """A pytest fixture: what the test records; see `capture`."""
    with capture() as captured:
        yield captured


@_fixture
def strict_guard() -> Iterator[None]:
    """A pytest fixture: failures inside otelkit fail the test; see `strict`."""
    with strict():
        yield
