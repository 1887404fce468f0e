# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Traces: the TracerProvider, built or found, and the span processors that are ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.pipeline.dashboard import destinations
from otelkit.pipeline.deadline import Job, Jobs, await_start, prepare_to_end
from otelkit.pipeline.destinations import create_span_exporter
from otelkit.pipeline.fork import begin_anew_in_children
from otelkit.pipeline.health import Gauges, Points
from otelkit.pipeline.providers import OwnTracerProvider
from otelkit.pipeline.sampling import Adaptive
from otelkit.pipeline.spans import CountedSpanExporter

if TYPE_CHECKING:
    from otelkit.config import Settings

How = Literal["built", "used"]

# For what was built before something else failed.
_PATIENCE_S = 0.5


# Of a job's time, what is left for writing to disk what could not be delivered.
_SAVING_SHARE = 0.1


class CountingProcessor(BatchSpanProcessor):
    """The SDK's, with what a full queue drops counted, and without a line in the log for it."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span; with a full queue, drop it."""
        batch = self._batch_processor
        if len(batch._queue) < batch._max_queue_size:
            super().on_end(span)
        elif span.context and span.context.trace_flags.sampled:
            guard.dropped("spans", "queue full")

    def shutdown(self) -> None:
        """Export what is queued and end; again is harmless."""
        await_start(self._batch_processor._worker_thread)
        super().shutdown()

    def queue(self) -> tuple[int, int]:
        """Return how many spans wait, and how many may."""
        batch = self._batch_processor
        return len(batch._queue), batch._max_queue_size


class _Sender(NamedTuple):
    processor: CountingProcessor
    exporter: CountedSpanExporter


class Tracing:
    """
    Spans on their way out.

    Attributes:
        provider: The TracerProvider, ours or not.
        how: ``built``: it is ours. ``used``: it is the application's, and is used as it is; exporters are added to it
            only if they were given to ``configure`` as an argument.
        processors: The span processors that are ours.
    """

    def __init__(self, settings: Settings) -> None:
        self._senders: list[_Sender] = []
        self._gauges = Gauges()
        self.provider: trace.TracerProvider
        self.how: How
        self.provider, self.how = _find_provider(settings)
        if isinstance(self.provider, TracerProvider):
            begin_anew_in_children(self.provider)
        wanted = self.how == "built" or settings.source("traces_exporters") == "argument"
        try:
            for name, its_settings in destinations("traces", settings, others=wanted):
                self._add(name, its_settings)
        except BaseException:
            Jobs(self.shutdown_jobs(), _PATIENCE_S).wait(_PATIENCE_S)
            self.release()
            raise
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self.provider)

    def _add(self, name: str, settings: Settings) -> None:
        exporter = create_span_exporter(name, settings)
        processor = CountingProcessor(
            exporter,
            max_queue_size=settings.span_queue_size,
            schedule_delay_millis=settings.span_delay_s * 1e3,
            max_export_batch_size=settings.span_batch_size,
        )
        self._senders.append(_Sender(processor, exporter))
        if isinstance(self.provider, TracerProvider):
            self.provider.add_span_processor(processor)

    def points(self, now_ns: int) -> Points:
        """Return otelkit's own gauges: what waits for export, and how the adaptive sampler stands."""
        found: Points = []
        for processor, exporter in self._senders:
            waiting, limit = processor.queue()
            found.append(self._gauges.point(now_ns, semconv.SPAN_QUEUE_SIZE, waiting, exporter=exporter.name))
            found.append(self._gauges.point(now_ns, semconv.SPAN_QUEUE_LIMIT, limit, exporter=exporter.name))
            for storage, size in exporter.buffered().items():
                metric = semconv.SPAN_BUFFER_SIZE
                found.append(self._gauges.point(now_ns, metric, size, exporter=exporter.name, storage=storage))
        if isinstance(self.provider, OwnTracerProvider):
            sampler = getattr(self.provider.sampled_by.sampler, "root", self.provider.sampled_by.sampler)
            if isinstance(sampler, Adaptive):
                found.append(self._gauges.point(now_ns, semconv.SAMPLER_PROBABILITY, sampler.probability))
        return found

    @property
    def processors(self) -> tuple[CountingProcessor, ...]:
        """The span processors that are ours."""
        return tuple(sender.processor for sender in self._senders)

    def flush_jobs(self) -> list[Job]:
        """Return what to do so that all ended spans are delivered."""
        return [*map(_flush_job, self._senders), *self._flush_theirs()]

    def shutdown_jobs(self) -> list[Job]:
        """Return what to do at the end; a provider that is not ours is only flushed."""
        return [*map(_shutdown_job, self._senders), *self._flush_theirs()]

    def _flush_theirs(self) -> list[Job]:
        return [Job("flush of the installed TracerProvider", self._flush_provider)] if self.how == "used" else []

    def _flush_provider(self, timeout_s: float) -> object:
        provider: Any = self.provider
        flush = getattr(provider, "force_flush", None)
        return flush(int(timeout_s * 1e3)) if flush else True

    def abandon(self) -> None:
        """End attempts that are under way."""
        for sender in self._senders:
            with guard.shield("end of a span exporter"):
                sender.exporter.shutdown()

    def release(self) -> None:
        """Take our processors out; shut them down before."""
        if isinstance(self.provider, OwnTracerProvider):
            self.provider.processors.remove(self.processors)


def _find_provider(settings: Settings) -> tuple[trace.TracerProvider, How]:
    installed = trace.get_tracer_provider()
    if isinstance(installed, trace.ProxyTracerProvider):
        return OwnTracerProvider(settings), "built"
    if isinstance(installed, OwnTracerProvider):
        installed.replace(settings)
        return installed, "built"
    return installed, "used"


def _flush_job(sender: _Sender) -> Job:
    def flush(timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        before = sender.exporter.failures
        handed_over = sender.processor.force_flush() and sender.exporter.failures == before
        return sender.exporter.force_flush(_milliseconds_until(end)) is not False and handed_over

    return Job(f"flush of spans to {sender.exporter.name}", flush)


def _shutdown_job(sender: _Sender) -> Job:
    def shutdown(timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s * (1 - _SAVING_SHARE)
        before = sender.exporter.failures
        prepare_to_end(sender.exporter.exporter)
        sender.processor.force_flush()
        delivered = sender.exporter.force_flush(_milliseconds_until(end)) is not False
        sender.processor.shutdown()
        return delivered and sender.exporter.failures == before

    return Job(f"end of spans to {sender.exporter.name}", shutdown)


def _milliseconds_until(end: float) -> int:
    return max(0, int((end - time.monotonic()) * 1e3))
