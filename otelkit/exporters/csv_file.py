# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``metrics.csv``: every collection appended as rows, for spreadsheets and notebooks.

======== ==========================================================================
time     of the collection; ISO 8601, UTC, microseconds
instance ``service.instance.id`` of the process that wrote the row, or its pid
metric   OpenTelemetry name
kind     counter, up_down_counter, gauge, histogram or exponential_histogram
unit     UCUM
labels   ``key=value;key=value``, by key; ``\\``, ``;`` and ``=`` escaped with ``\\``
field    value; for histograms count, sum, min, max, p50, p95, p99
value    a number; counters, counts and sums count up from the start of the process
======== ==========================================================================

The percentiles are estimates, interpolated in the buckets. Several processes may
append to one file, each collection's rows staying together. At 64 MiB a new file
is started, with a header of its own, and three older ones are kept.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID

from otelkit.exporters._files import FolderSettings, data_folder
from otelkit.exporters._guarded import GuardedMetricExporter
from otelkit.exporters._line_file import KEEP, LIMIT_BYTES, LineFile
from otelkit.exporters._series import iso_time, series_of

__all__ = ("COLUMNS", "CsvMetricExporter", "create_exporter")

COLUMNS = ("time", "instance", "metric", "kind", "unit", "labels", "field", "value")

_ESCAPED = str.maketrans({"\\": r"\\", ";": r"\;", "=": r"\="})


def create_exporter(settings: FolderSettings) -> CsvMetricExporter:
    """
    Return the exporter.

    Raises:
        ConfigurationError: ``settings.data_folder`` cannot be written to.
    """
    return CsvMetricExporter(data_folder(settings) / "metrics.csv")


class CsvMetricExporter(GuardedMetricExporter):
    """
    Appends each collection to ``path``.

    Args:
        path: The file.
        limit_bytes: A file that would grow beyond is rotated.
        keep: How many older files stay.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES, keep: int = KEEP) -> None:
        super().__init__("csv")
        self._file = LineFile(path, header=_csv([COLUMNS]), limit_bytes=limit_bytes, keep=keep)

    def write(self, data: MetricsData) -> None:
        """Append all rows of ``data`` at once."""
        rows = _csv(_rows(data))
        if rows:
            self._file.append(rows)


def _rows(data: MetricsData) -> Iterator[tuple[object, ...]]:
    for resource_metrics in data.resource_metrics:
        instance = resource_metrics.resource.attributes.get(SERVICE_INSTANCE_ID, os.getpid())
        for metric, kind, labels, time_ns, _, fields in series_of(MetricsData([resource_metrics])):
            head = (iso_time(time_ns), instance, metric.name, kind.value, metric.unit or "", _labels(labels))
            for field, value in fields.items():
                yield (*head, field, value)


def _labels(labels: Mapping[str, Any]) -> str:
    return ";".join(f"{_escaped(key)}={_escaped(labels[key])}" for key in sorted(labels))


def _escaped(text: object) -> str:
    return str(text).translate(_ESCAPED)


def _csv(rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")
