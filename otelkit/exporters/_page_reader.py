# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A metric reader that turns otelkit's cells and the SDK's instruments into one page."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from opentelemetry.sdk.metrics.export import MetricReader, MetricsData

from otelkit._core._guard import guard
from otelkit._core._snapshot import MetricSnapshot
from otelkit.exporters._exposition import otelkit_scope, render
from otelkit.exporters._prometheus_text import Scope
from otelkit.exporters._sdk_snapshots import SdkSnapshots, resource_of
from otelkit.pipeline.health import Work

ScopedGroups = list[tuple[Scope | None, list[MetricSnapshot]]]


class SnapshotSource(Protocol):
    """What a page is made of; `otelkit.instruments.registry.Registry` is one."""

    def snapshot(self) -> list[MetricSnapshot]:
        """Return every metric, cumulative."""
        ...


class PageReader(MetricReader):
    """
    Collects on demand; cumulative throughout.

    It reads the cells itself, so that a scrape works before a provider exists,
    without one, and when the SDK collected nothing, in which case the SDK does
    not call `_receive_metrics`. A pipeline must not add the cells once more.

    Args:
        source: Where otelkit's own metrics come from.
        resource: For ``target_info`` until the SDK hands over its resource.
        scope_labels: Put ``otel_scope_*`` on every sample.

    Attributes:
        exporter: Its name in otelkit's own metrics.

    Thread-safe; collections come one after the other.
    """

    exporter = "prometheus"

    def __init__(self, source: SnapshotSource, resource: dict[str, str], *, scope_labels: bool = True) -> None:
        self._source = source
        self._target = resource
        self._scope_labels = scope_labels
        self._collecting = threading.Lock()
        self._collected: MetricsData | None = None
        self._sdk = SdkSnapshots()
        self._work = Work("scrape", self.exporter)
        super().__init__()

    def page(self, *, openmetrics: bool) -> bytes:
        """
        Collect, and render what there is.

        Errors: raises none; if the SDK or the source fails, the page holds the rest.
        """
        with self._work.measured():
            groups, target = self._gathered()
            if not self._scope_labels:
                groups = [(None, found) for _, found in groups]
            return render((), openmetrics=openmetrics, others=groups, target=target)

    def _gathered(self) -> tuple[ScopedGroups, dict[str, str]]:
        """Return what is on the page, and the target's attributes."""
        return self._collect_all(), self._target

    def _collect_all(self) -> ScopedGroups:
        """Return this process's metrics by scope, the cells first."""
        own: list[MetricSnapshot] = []
        with self._collecting:
            others = self._collect_sdk()
        with guard.shield("prometheus: snapshot"):
            own = self._source.snapshot()
        return [(otelkit_scope(), own), *others]

    def _collect_sdk(self) -> ScopedGroups:
        # Not yet on a provider: the SDK would log a warning at each scrape.
        if getattr(self, "_collect", None) is None:
            return []
        self._collected = None
        with guard.shield("prometheus: collection"):
            self.collect()
        data, self._collected = self._collected, None
        with guard.shield("prometheus: conversion"):
            if data is not None:
                self._target = resource_of(data) or self._target
                return [*self._sdk.convert(data)]
        return []

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        self._collected = metrics_data

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Return at once: a page is collected when it is asked for."""
        return True

    def _restart_after_fork(self) -> None:
        """Drop a lock that another thread may have held at the moment of the fork."""
        self._collecting = threading.Lock()
        self._collected = None
        self._sdk = SdkSnapshots()
