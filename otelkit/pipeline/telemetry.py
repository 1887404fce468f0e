# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The pipeline of this process: set up, flushed and ended as one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import TracerProvider

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._signals import signals_blocked
from otelkit._core._span_source import span_source
from otelkit.decorators._spans import any_span, sampled_span
from otelkit.pipeline import dashboard
from otelkit.pipeline.deadline import Job, Jobs, reserve
from otelkit.pipeline.ending import Ending
from otelkit.pipeline.metering import Metering
from otelkit.pipeline.tracing import Tracing

if TYPE_CHECKING:
    from otelkit.config import Settings
    from otelkit.instruments.registry import Registry


class Telemetry:
    """
    What `configure` set up; doctor reads it.

    Thread-safe. None of its methods raises once it is built.

    Attributes:
        settings: What it was made from.
        metering: Metrics, or None where they are off; `Metering.how` says how the provider was come by.
        tracing: Traces, or None where they are off.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.settings = settings
        self._registry = registry
        self.metering: Metering | None = None
        self.tracing: Tracing | None = None
        self._ending: Jobs | None = None
        self._ended = threading.RLock()  # a signal handler may end what it interrupted
        if not settings.enabled:
            return
        if settings.metrics_enabled:
            self.metering = Metering(settings, registry)
        if settings.traces_enabled:
            try:
                self.tracing = Tracing(settings)
            except BaseException:
                if self.metering:
                    self.metering.undo()
                raise
            registry.add_source(self.tracing.points)
        self._reserve_threads()

    def _parts(self) -> list[Metering | Tracing]:
        return [part for part in (self.metering, self.tracing) if part]

    def _shutdown_jobs(self) -> list[Job]:
        return [job for part in self._parts() for job in part.shutdown_jobs()]

    def _reserve_threads(self) -> None:
        reserve(len(self._shutdown_jobs()))

    @property
    def meter_provider(self) -> MeterProvider | None:
        """The MeterProvider that is used, ours or not."""
        return self.metering.provider if self.metering else None

    @property
    def tracer_provider(self) -> TracerProvider | None:
        """The TracerProvider that is used, ours or not."""
        return self.tracing.provider if self.tracing else None

    @property
    def readers(self) -> tuple[MetricReader, ...]:
        """The metric readers that are ours."""
        return tuple(self.metering.readers) if self.metering else ()

    @property
    def span_processors(self) -> tuple[SpanProcessor, ...]:
        """The span processors that are ours."""
        return self.tracing.processors if self.tracing else ()

    def flush(self, timeout_s: float) -> bool:
        """Deliver all there is; False if something did not arrive within ``timeout_s`` seconds."""
        forks.notice()
        if self._ending:
            return self.shutdown(timeout_s)
        return not Jobs([job for part in self._parts() for job in part.flush_jobs()], timeout_s).wait(timeout_s)

    def shutdown(self, timeout_s: float) -> bool:
        """
        Deliver all there is and stop; False if something did not arrive within ``timeout_s`` seconds.

        Any number of calls, from any thread: the first one starts it, each waits as long as it was told.
        """
        forks.notice()
        with self._ended:
            first = self._ending is None
            if self._ending is None:
                self._ending = Jobs(self._shutdown_jobs(), timeout_s)
        undelivered = self._ending.wait(timeout_s)
        if first:
            self._finish(undelivered, timeout_s)
        return not undelivered

    def _finish(self, undelivered: list[str], timeout_s: float) -> None:
        if undelivered:
            guard.warn(
                "shutdown",
                f"otelkit could not deliver everything before the end ({timeout_s:g} s at most): "
                f"{', '.join(undelivered)}.",
            )
            if self.tracing:
                self.tracing.abandon()
        if self.metering:
            self.metering.stop()

    def release(self) -> None:
        """Leave the providers, so that the next configuration can take them over; after `shutdown`."""
        for part in self._parts():
            with guard.shield("release of the pipeline"):
                part.release()
        if self.tracing:
            with guard.shield("release of the pipeline"):
                self._registry.remove_source(self.tracing.points)

    def after_fork(self) -> None:
        """Take a fresh lock; an end that was under way is the parent's."""
        self._ended = threading.RLock()
        self._ending = None
        self._reserve_threads()


_lock = threading.RLock()
_current: Telemetry | None = None
_ending: Ending | None = None


def start(settings: Settings, registry: Registry) -> Telemetry:
    """
    Set the pipeline up, in place of the one before.

    The one before delivers what it has first, within ``shutdown_timeout_s``.

    Errors: `otelkit.exceptions.ConfigurationError`, and what an exporter's constructor raises; then nothing is set up.
    """
    global _current, _ending
    with _lock:
        if _current:
            _current.shutdown(settings.shutdown_timeout_s)
            _current.release()
            _current = None
        if not (settings.enabled and settings.dashboard):
            dashboard.stop()
        registry.apply(settings)
        _choose_exemplars(settings)
        with signals_blocked():
            _current = Telemetry(settings, registry)
        if settings.enabled:
            _ending = _ending or Ending(_deliver_the_last, _flush)
            _ending.watch(sigterm=settings.handle_sigterm)
        return _current


def _choose_exemplars(settings: Settings) -> None:
    """Tell the cells which spans make exemplars, in the terms of OTEL_METRICS_EXEMPLAR_FILTER."""
    span_source.enabled = settings.exemplars != "always_off"
    span_source.current = any_span if settings.exemplars == "always_on" else sampled_span


def current() -> Telemetry | None:
    """Return what was set up last, or None."""
    return _current


def _deliver_the_last() -> None:
    telemetry = _current
    if telemetry:
        telemetry.shutdown(telemetry.settings.shutdown_timeout_s)


def _flush() -> None:
    telemetry = _current
    if telemetry:
        telemetry.flush(telemetry.settings.shutdown_timeout_s)


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()
    if _current:
        _current.after_fork()


forks.in_child(_after_fork_in_child)
