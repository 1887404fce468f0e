# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the simple exporters have in common: they write now, hold nothing back, and never raise."""

from __future__ import annotations

from abc import abstractmethod

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)

from otelkit._core._guard import guard


class GuardedMetricExporter(MetricExporter):
    """
    Counts every export in ``otelkit.exports`` and turns errors into FAILURE.

    Args:
        name: The exporter's name in ``otelkit.exports`` and in the log.
        preferred_temporality: Per instrument class; cumulative unless said otherwise.
    """

    def __init__(self, name: str, preferred_temporality: dict[type, AggregationTemporality] | None = None) -> None:
        super().__init__(preferred_temporality=preferred_temporality)
        self._name = name

    @abstractmethod
    def write(self, data: MetricsData) -> None:
        """Write ``data``; raises what it likes."""

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:
        """Write ``metrics_data``; never raises, also on a full disk or without its folder."""
        with guard.shield(f"exporters.{self._name}"):
            self.write(metrics_data)
            guard.exported(self._name, "success")
            return MetricExportResult.SUCCESS
        guard.exported(self._name, "failure")
        return MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Return True: nothing is held back."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Do nothing: nothing stays open between exports."""
