# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is to be committed."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from otelkit.viewer.store.catalogue import Catalogue, LiveSeries, canonical
from otelkit.viewer.store.journal import Entry
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.model import Attributes, Metric
from otelkit.viewer.store.pieces import ArrivedSpan

__all__ = ("Batch",)


class Batch:
    """
    Points and spans on their way into the store.

    Attributes:
        entry: The points.
        traces: Spans by trace id.
        exemplars: Rows: series, time, span id, trace id, value, attributes.
        metric_names: Metrics that have points in it.
    """

    def __init__(self, connection: sqlite3.Connection, catalogue: Catalogue, limits: Limits) -> None:
        self._connection = connection
        self.catalogue = catalogue
        self.limits = limits
        self.entry = Entry()
        self.traces: dict[bytes, list[ArrivedSpan]] = {}
        self.exemplars: list[tuple[int, int, bytes, bytes, float, bytes]] = []
        self.metric_names: set[str] = set()

    def series(self, template: Metric, resource: bytes, attributes: Attributes) -> LiveSeries | None:
        """
        Return the series, made where there is none, with its metric; None beyond the limits.

        Args:
            template: The metric; its id does not matter.
            resource: Canonical.
        """
        catalogue, limits = self.catalogue, self.limits
        key = canonical(attributes)
        metric = catalogue.find_metric(template)
        found = catalogue.find(metric, resource, key) if metric else None
        if found is not None:
            return found
        full = len(catalogue.series) >= limits.series or catalogue.label_bytes >= limits.label_bytes
        if full or (metric and catalogue.count_of(metric) >= limits.series_of_metric):
            return None
        metric = metric or catalogue.add_metric(self._connection, template)
        return catalogue.add(self._connection, metric, resource, key)

    def layout(self, bounds: tuple[float, ...]) -> int | None:
        """Return the id of bounds of buckets, made where there is none; None beyond the limit."""
        return self.catalogue.layout(self._connection, bounds, self.limits.layouts)

    def exemplar(
        self, live: LiveSeries, time_ns: int, trace_id: bytes, span_id: bytes, value: float, attributes: dict[str, Any]
    ) -> None:
        """Add an exemplar."""
        self.exemplars.append((live.id, time_ns, span_id, trace_id, value, msgspec.msgpack.encode(attributes)))
