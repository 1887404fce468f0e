# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
OTLP-JSON lines in a folder: ``metrics.jsonl`` and ``traces.jsonl``.

One TracesData or MetricsData object a line, one signal a file, as the
specification's file exporter has it, so that the Collector's
``otlp_json_file`` receiver, and any other tool, reads them. Several processes
may write into one folder; a file is rotated at 64 MiB and three older ones are
kept.

opentelemetry-exporter-otlp-json-file (0.66b1) was not taken: it is pinned to
the exact beta of two further packages and so cannot be installed beside a newer
SDK, and it appends through a text stream of its own, so that processes tear each
other's lines, a deleted file stays deleted, nothing bounds the size and a full
disk logs a traceback for every batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from google.protobuf.message import Message
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    ResourceMetrics,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otelkit._core._guard import guard
from otelkit.exporters._files import FolderSettings, data_folder
from otelkit.exporters._guarded import GuardedMetricExporter
from otelkit.exporters._line_file import KEEP, LIMIT_BYTES, LineFile
from otelkit.exporters._otlp_json import to_json_line

__all__ = ("OtlpFileMetricExporter", "OtlpFileSpanExporter", "create_exporter", "create_span_exporter")

NAME = "otlp_file"


def create_exporter(settings: FolderSettings) -> OtlpFileMetricExporter:
    """
    Return the exporter of metrics.

    Raises:
        ConfigurationError: ``settings.data_folder`` cannot be written to.
    """
    return OtlpFileMetricExporter(data_folder(settings) / "metrics.jsonl")


def create_span_exporter(settings: FolderSettings) -> OtlpFileSpanExporter:
    """
    Return the exporter of spans.

    Raises:
        ConfigurationError: ``settings.data_folder`` cannot be written to.
    """
    return OtlpFileSpanExporter(data_folder(settings) / "traces.jsonl")


class OtlpFileMetricExporter(GuardedMetricExporter):
    """
    Appends each collection to ``path`` as one line.

    A metric that cannot be encoded is left out and counted; a line that cannot
    be written is counted as a failed export. Neither raises.

    Args:
        path: The file.
        preferred_temporality: Per instrument class; cumulative unless said otherwise.
        limit_bytes: A file that would grow beyond is rotated.
        keep: How many older files stay.
    """

    def __init__(
        self,
        path: Path,
        preferred_temporality: dict[type, AggregationTemporality] | None = None,
        *,
        limit_bytes: int = LIMIT_BYTES,
        keep: int = KEEP,
    ) -> None:
        super().__init__(NAME, preferred_temporality)
        self._file = LineFile(path, limit_bytes=limit_bytes, keep=keep)

    def write(self, data: MetricsData) -> None:
        """Append ``data`` as one line."""
        self._file.append(to_json_line(_encode(data)))


class OtlpFileSpanExporter(SpanExporter):
    """
    Appends each batch of spans to ``path`` as one line; never raises.

    Args:
        path: The file.
        limit_bytes: A file that would grow beyond is rotated.
        keep: How many older files stay.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES, keep: int = KEEP) -> None:
        self._file = LineFile(path, limit_bytes=limit_bytes, keep=keep)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append ``spans``; those of a batch that could not be written are counted as dropped."""
        with guard.shield(f"exporters.{NAME}"):
            self._file.append(to_json_line(encode_spans(spans)))
            guard.exported(NAME, "success")
            return SpanExportResult.SUCCESS
        guard.exported(NAME, "failure")
        guard.dropped("spans", "export failed", len(spans))
        return SpanExportResult.FAILURE

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: nothing is held back."""
        return True

    def shutdown(self) -> None:
        """Do nothing: no file stays open between exports."""


def _encode(data: MetricsData) -> Message:
    """Encode ``data`` without the metrics that cannot be encoded."""
    while True:
        try:
            return encode_metrics(data)
        except Exception as error:
            # The encoder's EncodingException names the metric; its class is in a private module.
            bad = getattr(error, "metric", None)
            if not isinstance(bad, Metric):
                raise
            guard.dropped(bad.name, "cannot be encoded", detail=str(getattr(error, "original_exception", "")))
            data = MetricsData([_without(bad, each) for each in data.resource_metrics])


def _without(bad: Metric, resource_metrics: ResourceMetrics) -> ResourceMetrics:
    scopes = [
        replace(scope, metrics=[metric for metric in scope.metrics if metric is not bad])
        for scope in resource_metrics.scope_metrics
    ]
    return replace(resource_metrics, scope_metrics=scopes)
