# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The parts of a TracerProvider that a second `configure` may replace.

OpenTelemetry lets a program set its global provider once, and tracers keep
their provider's sampler and processor for good. So ours are given a sampler
and a processor that pass on to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler, SamplingResult

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit.exceptions import ConfigurationError
from otelkit.masking import Masker
from otelkit.pipeline.health import Work
from otelkit.pipeline.masking import masked_spans
from otelkit.pipeline.sampling import SAMPLERS

if TYPE_CHECKING:
    from otelkit.config import Settings

_RATIO_SAMPLERS = ("traceidratio", "parentbased_traceidratio")


def create_sampler(settings: Settings) -> Sampler:
    """Return the sampler that the settings name, made by its ``opentelemetry_traces_sampler`` entry point."""
    argument = settings.sampler_arg
    if settings.sampler in _RATIO_SAMPLERS and argument is None:
        argument = 1.0
    try:
        entry_point = next(iter(entry_points(group="opentelemetry_traces_sampler", name=settings.sampler)))
        sampler = entry_point.load()(argument)
    except Exception as error:
        got = f"{settings.sampler!r} that fails with {argument!r}: {error}"
        raise ConfigurationError("a sampler", got, "sampler", "Correct sampler_arg.") from error
    if not isinstance(sampler, Sampler):
        raise ConfigurationError("a sampler", f"{settings.sampler!r} that makes {type(sampler).__name__}", "sampler")
    return sampler


def _sampler_factory(name: str) -> Any:
    if name in SAMPLERS:
        return SAMPLERS[name]
    (entry_point,) = entry_points(group="opentelemetry_traces_sampler", name=name)
    return entry_point.load()


class ReplaceableSampler(Sampler):
    """Asks `sampler`, which may be set at any time."""

    def __init__(self) -> None:
        self.sampler: Sampler = DEFAULT_ON

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        """Ask the present sampler."""
        forks.notice()  # nothing else of ours sees each span of a child that no hook told of the fork
        return self.sampler.should_sample(*args, **kwargs)

    def get_description(self) -> str:
        """Return the present sampler's."""
        return self.sampler.get_description()


class ReplaceableProcessors(SynchronousMultiSpanProcessor):
    """The SDK's own sequence of processors, with the one operation that it lacks."""

    def remove(self, processors: Sequence[SpanProcessor]) -> None:
        """Take ``processors`` out; those that the application added stay."""
        with self._lock:
            self._span_processors = tuple(known for known in self._span_processors if known not in processors)


class CountedSpanExporter(SpanExporter):
    """
    Counts exports in ``otelkit.exports`` and remembers failures, which the processor does not; masks credentials.

    Args:
        counts: False where the exporter counts by itself.
        masker: None for spans as they are.

    Attributes:
        failures: Exports that failed so far.
    """

    def __init__(self, name: str, exporter: SpanExporter, *, counts: bool = True, masker: Masker | None = None) -> None:
        self.name = name
        self.exporter = exporter
        self._masker = masker
        self._work = Work("encoding" if hasattr(exporter, "outbox") else "export", name, signal="traces")
        self._counts = counts
        self.failures = 0
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass on; an exporter that raises has failed."""
        result = SpanExportResult.FAILURE
        with guard.shield(f"export to {self.name}"), self._work.measured():
            shown = masked_spans(spans, self._masker) if self._masker else spans
            result = self.exporter.export(shown)
        delivered = result is SpanExportResult.SUCCESS
        if not delivered:
            self.failures += 1
        if self._counts:
            guard.exported(self.name, "success" if delivered else "failure")
            if not delivered:
                guard.dropped("spans", "export failed", len(spans), detail=f"The exporter is {self.name}.")
        return result

    def buffered(self) -> dict[str, int]:
        """Return the bytes that the exporter keeps for later, by ``memory`` and ``disk``; empty if it keeps none."""
        outbox = getattr(self.exporter, "outbox", None)
        return {} if outbox is None else {"memory": outbox.memory_bytes, "disk": outbox.disk_bytes}

    def shutdown(self) -> None:
        """Pass on, once: the processor does it, and whoever has lost patience with the processor."""
        if not self._closed:
            self._closed = True
            self.exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on."""
        return self.exporter.force_flush(timeout_millis)
