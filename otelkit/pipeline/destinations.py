# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
From a name in ``metrics_exporters`` or ``traces_exporters`` to what sends there.

One function per name, so that only what is wanted is imported. Any other name
is an entry point of OpenTelemetry's groups: a class that takes no arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, MetricReader
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter

from otelkit.exceptions import ConfigurationError
from otelkit.masking import masker_of
from otelkit.pipeline.dashboard import DASHBOARD
from otelkit.pipeline.readers import CellReader
from otelkit.pipeline.spans import CountedSpanExporter

if TYPE_CHECKING:
    from otelkit.config import Settings
    from otelkit.instruments.registry import Registry


def create_reader(name: str, settings: Settings, registry: Registry) -> tuple[MetricReader, bool]:
    """
    Return the reader for one destination, and whether it takes the cells by itself.

    Errors: whatever its maker raises, a `ConfigurationError` for a port that is taken, say.
    """
    if name in _READERS:
        return _READERS[name](settings, registry), True
    exporter = _EXPORTERS[name](settings) if name in _EXPORTERS else _load("opentelemetry_metrics_exporter", name)
    if isinstance(exporter, MetricReader):
        return exporter, False
    if not isinstance(exporter, MetricExporter):
        got = f"{name!r}, which is {type(exporter).__name__}"
        raise ConfigurationError("a MetricExporter or MetricReader", got, "metrics_exporters")
    reader = CellReader(
        exporter,
        registry,
        name=name,
        interval_s=settings.export_interval_s,
        timeout_s=settings.export_timeout_s,
        batch_points=_batch_points(settings) if name in ("otlp", DASHBOARD) else 0,
        counts=name not in _COUNT_THEMSELVES,
    )
    return reader, True


def create_span_exporter(name: str, settings: Settings) -> CountedSpanExporter:
    """Return the exporter of spans for one destination."""
    make = _SPAN_EXPORTERS.get(name)
    exporter = make(settings) if make else _load("opentelemetry_traces_exporter", name)
    if not isinstance(exporter, SpanExporter):
        raise ConfigurationError("a SpanExporter", f"{name!r}, which is {type(exporter).__name__}", "traces_exporters")
    counts = name not in (*_COUNT_THEMSELVES, "otlp", DASHBOARD)
    return CountedSpanExporter(name, exporter, counts=counts, masker=masker_of(settings))


def _load(group: str, name: str) -> Any:
    for entry_point in entry_points(group=group, name=name):
        return entry_point.load()()
    raise ConfigurationError(f"an entry point of {group}", repr(name), "exporters", f"Install what provides {name!r}.")


def _batch_points(settings: Settings) -> int:
    from otelkit.pipeline.otlp import BATCH_POINTS

    return BATCH_POINTS[settings.otlp("metrics").protocol]


def _prometheus(settings: Settings, registry: Registry) -> MetricReader:
    from otelkit.exporters.prometheus import create_reader

    return create_reader(settings, registry)


def _pushgateway(settings: Settings, registry: Registry) -> MetricReader:
    from otelkit.exporters.pushgateway import create_reader

    return create_reader(settings, registry)


def _otlp(settings: Settings) -> MetricExporter:
    from otelkit.pipeline.otlp import create_metric_exporter

    return create_metric_exporter(settings)


def _console(_: Settings) -> MetricExporter:
    return ConsoleMetricExporter(out=sys.stdout)


def _statsd(settings: Settings) -> MetricExporter:
    from otelkit.exporters.statsd import create_exporter

    return create_exporter(settings)


def _json(settings: Settings) -> MetricExporter:
    from otelkit.exporters.json_file import create_exporter

    return create_exporter(settings)


def _csv(settings: Settings) -> MetricExporter:
    from otelkit.exporters.csv_file import create_exporter

    return create_exporter(settings)


def _otlp_file(settings: Settings) -> MetricExporter:
    from otelkit.exporters.otlp_file import create_exporter

    return create_exporter(settings)


def _otlp_spans(settings: Settings) -> SpanExporter:
    from otelkit.pipeline import otlp

    return otlp.create_span_exporter(settings)


def _otlp_file_spans(settings: Settings) -> SpanExporter:
    from otelkit.exporters import otlp_file

    return otlp_file.create_span_exporter(settings)


def _console_spans(_: Settings) -> SpanExporter:
    return ConsoleSpanExporter(out=sys.stdout)


_READERS: dict[str, Callable[[Settings, Registry], MetricReader]] = {
    "prometheus": _prometheus,
    "pushgateway": _pushgateway,
}
_EXPORTERS: dict[str, Callable[[Settings], MetricExporter]] = {
    "otlp": _otlp,
    DASHBOARD: _otlp,
    "console": _console,
    "statsd": _statsd,
    "json": _json,
    "csv": _csv,
    "otlp_file": _otlp_file,
}
_COUNT_THEMSELVES = ("statsd", "json", "csv", "otlp_file")
_SPAN_EXPORTERS: dict[str, Callable[[Settings], SpanExporter]] = {
    "otlp": _otlp_spans,
    DASHBOARD: _otlp_spans,
    "otlp_file": _otlp_file_spans,
    "console": _console_spans,
}
