# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The SDK in front of an exporter under test, and what the guard counted behind it."""

import math
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from otelkit._core._guard import guard


class Publisher:
    """A real provider and reader that feed one exporter whenever `collect` is called."""

    def __init__(self, exporter: MetricExporter) -> None:
        self._reader = PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
        resource = Resource({"service.name": "shop", "service.instance.id": "one"})
        self.provider = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self.meter = self.provider.get_meter("shop", "1.2")

    def collect(self) -> None:
        """Collect and export once."""
        self._reader.force_flush()


@pytest.fixture
def publish() -> Iterator[Callable[[MetricExporter], Publisher]]:
    """Return a function that puts the SDK in front of an exporter."""
    publishers = []

    def make(exporter: MetricExporter) -> Publisher:
        publishers.append(Publisher(exporter))
        return publishers[-1]

    yield make
    for publisher in publishers:
        publisher.provider.shutdown()


@pytest.fixture
def tally() -> Iterator[Callable[..., int]]:
    """Return a function that says how often the guard counted ``what`` with these label values."""
    guard.reset()

    def count(what: str, *values: str) -> int:
        return sum(
            items
            for counted, labels, items in guard.tallies()
            if counted == what and set(values) <= {value for _, value in labels}
        )

    yield count
    guard.reset()
