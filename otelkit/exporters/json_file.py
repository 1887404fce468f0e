# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``metrics.json``: the newest state, replaced as a whole at every collection.

A reader sees one complete document at any time::

    {"schema": "otelkit/metrics/1",
     "time": "2026-11-22T15:33:36.123456+00:00",
     "pid": 4711,
     "resource": {"service.name": "shop", ...},
     "metrics": [
      {"name": "shop.orders", "kind": "counter", "unit": "{order}", "description": "Orders placed.", "points": [
       {"labels": {"source": "web"}, "value": 3}]},
      {"name": "shop.order_time", "kind": "histogram", "unit": "s", "description": "...", "points": [
       {"labels": {}, "count": 4, "sum": 0.4, "min": 0.05, "max": 0.2, "p50": 0.08, "p95": 0.18, "p99": 0.19}]}
     ]}

``kind`` is counter, up_down_counter, gauge, histogram or exponential_histogram.
Counters, counts and sums count up from the start of the process. Percentiles are
estimates, interpolated in the buckets; an empty histogram has count and sum only.
A number that is not finite is null. One point a line, so that ``grep`` works too.

The first process that writes into a folder writes ``metrics.json``; each further
one, a forked worker for example, writes ``metrics-<pid>.json``.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics.export import MetricsData

from otelkit.exporters._files import FILE_MODE, FolderSettings, data_folder, make_folder, replace_file
from otelkit.exporters._guarded import GuardedMetricExporter
from otelkit.exporters._series import Series, iso_time, series_of

__all__ = ("SCHEMA", "JsonMetricExporter", "create_exporter")

SCHEMA = "otelkit/metrics/1"


def create_exporter(settings: FolderSettings) -> JsonMetricExporter:
    """
    Return the exporter.

    Raises:
        ConfigurationError: ``settings.data_folder`` cannot be written to.
    """
    return JsonMetricExporter(data_folder(settings))


class JsonMetricExporter(GuardedMetricExporter):
    """
    Replaces the document in ``folder`` at each collection.

    Args:
        folder: Where ``metrics.json`` lies.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("json")
        self._folder = folder
        self._claim: _Claim | None = None

    def write(self, data: MetricsData) -> None:
        """Replace the document by one of ``data``."""
        if self._claim is None or not self._claim.holds():
            self.shutdown()
            self._claim = _Claim(self._folder)
        replace_file(self._claim.path, _document(data))

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Leave ``metrics.json`` to the next process."""
        if self._claim is not None:
            self._claim.close()
            self._claim = None


class _Claim:
    """Which file this process writes; the kernel frees ``metrics.json`` when its writer dies."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._pid = os.getpid()
        self._lock = os.open(folder / ".metrics.json.lock", os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = folder / "metrics.json"
        except OSError:  # held by another process, or a file system without locks
            self.path = folder / f"metrics-{self._pid}.json"

    def holds(self) -> bool:
        """Whether this is still the process that made it, and the lock file has not been deleted."""
        return self._pid == os.getpid() and os.fstat(self._lock).st_nlink > 0

    def close(self) -> None:
        """Give the file up; in a forked child the parent keeps it."""
        os.close(self._lock)


def _document(data: MetricsData) -> str:
    points = list(series_of(data))
    head = {
        "schema": SCHEMA,
        "time": iso_time(max((point.time_ns for point in points), default=0)),
        "pid": os.getpid(),
        "resource": _plain(dict(data.resource_metrics[0].resource.attributes) if data.resource_metrics else {}),
    }
    lines = ",\n".join(f" {_json(key)}: {_json(value)}" for key, value in head.items())
    metrics = ",\n".join(_metrics(points))
    return f'{{\n{lines},\n "metrics": [\n{metrics}\n ]\n}}\n'


def _metrics(points: list[Series]) -> Iterator[str]:
    for _, group in itertools.groupby(points, key=lambda point: id(point.metric)):
        series = list(group)
        metric, kind = series[0].metric, series[0].kind
        head = {
            "name": metric.name,
            "kind": kind.value,
            "unit": metric.unit or "",
            "description": metric.description or "",
        }
        rows = ",\n".join("   " + _json(_plain({"labels": dict(each.labels), **each.fields})) for each in series)
        yield f'  {_json(head)[:-1]}, "points": [\n{rows}\n  ]}}'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)


def _plain(value: Any) -> Any:
    """Return ``value`` with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
