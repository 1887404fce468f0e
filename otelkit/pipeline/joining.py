# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Cells for the readers of an SDK MeterProvider, whoever built it and whatever its readers are.

Each collection of a reader passes through its provider's measurement consumer.
That is wrapped, once per provider: what it returns has the cells beside it, on
readers that are there and on those that come later, and also when the SDK
itself had nothing to report. Our own readers are left out: they take the cells
when they export, and know whether that succeeded.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, MetricsData, ResourceMetrics
from opentelemetry.sdk.resources import Resource

from otelkit._core._guard import guard
from otelkit._core._snapshot import Kind
from otelkit.pipeline.producer import Producer, delta_kinds, joined

if TYPE_CHECKING:
    from otelkit.instruments.registry import Registry


class Join:
    """
    The connection of one provider's readers to the cells.

    Raises:
        AttributeError: This SDK's inside is different; feed the provider by instruments instead.
    """

    def __init__(self, provider: MeterProvider, registry: Registry) -> None:
        self._provider = provider
        self._registry = registry
        self._own: weakref.WeakSet[MetricReader] = weakref.WeakSet()
        self._producers: weakref.WeakKeyDictionary[MetricReader, Producer] = weakref.WeakKeyDictionary()
        # There is no public list of a provider's readers and no public way to what they are given; recording.md's
        # prototype wrapped each reader, which misses those added later.
        self._consumer: Any = provider._measurement_consumer  # type: ignore[attr-defined]
        self._collect = self._consumer.collect
        for reader in self.readers():
            self._redirect(reader, self.collect)
        self._consumer.collect = self.collect

    def readers(self) -> list[MetricReader]:
        """Return the provider's present readers."""
        return list(self._consumer._reader_storages)

    def leave_out(self, reader: MetricReader) -> None:
        """Have ``reader`` take care of the cells itself."""
        self._own.add(reader)

    def collect(self, reader: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        """Collect for ``reader`` as the SDK does, and put the cells beside it."""
        data = self._collect(reader, timeout_millis=timeout_millis)
        if reader in self._own:
            return data
        with guard.shield("collection of cells"):
            producer = self._producer(reader)
            with producer.lock:
                produced = producer.produce()
                # What becomes of it cannot be known here: delivered at most once.
                producer.commit()
            if data is None or not data.resource_metrics:
                resource = self._resource()
                data = MetricsData([ResourceMetrics(resource, [], resource.schema_url)])
            return joined(data, produced)
        return data

    def _producer(self, reader: MetricReader) -> Producer:
        producer = self._producers.get(reader)
        if producer is None:
            wanted = delta_kinds(reader._instrument_class_temporality)
            left_out = (Kind.EXPONENTIAL_HISTOGRAM,) if _is_stock_prometheus(reader) else ()
            producer = self._producers[reader] = Producer(self._registry, wanted, left_out)
        return producer

    def _resource(self) -> Resource:
        return self._consumer._sdk_config.resource

    @staticmethod
    def _redirect(reader: MetricReader, collect: Any) -> None:  # typed too narrowly in the SDK
        reader._set_collect_callback(collect)

    def leave(self) -> None:
        """Give the readers back as they were."""
        if self._consumer.__dict__.get("collect") == self.collect:
            del self._consumer.collect
        for reader in self.readers():
            self._redirect(reader, self._collect)
        for producer in list(self._producers.values()):
            producer.close()


def _is_stock_prometheus(reader: MetricReader) -> bool:
    # One exponential histogram makes its whole scrape fail with AttributeError.
    return any(base.__module__ == "opentelemetry.exporter.prometheus" for base in type(reader).__mro__)
