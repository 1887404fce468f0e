# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The SDK's providers, made so that a second `configure` may change them.

OpenTelemetry lets a program set its global providers once, and instruments and
tracers keep theirs for good: so the provider stays and its parts are replaced.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_NAMESPACE,
    SERVICE_VERSION,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.pipeline.spans import ReplaceableProcessors, ReplaceableSampler, create_sampler

if TYPE_CHECKING:
    from otelkit.config import Settings

# Not the cells' own scope: see `otelkit.pipeline.producer.SCOPE`.
PIPELINE_SCOPE = "otelkit.pipeline"

_EXEMPLAR_FILTERS = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


def create_resource(settings: Settings) -> Resource:
    """Return who is observed: the SDK's resource detectors, and the settings above them."""
    named = {
        SERVICE_NAME: settings.service_name,
        SERVICE_VERSION: settings.service_version,
        SERVICE_NAMESPACE: settings.service_namespace,
    }
    given = {key: value for key, value in named.items() if value}
    return Resource.create({**settings.resource_attributes, **given})


def _child_resource(settings: Settings) -> Resource:
    """
    Return what a forked child's resource needs beyond what the SDK renews.

    The SDK replaces also an instance id that the user chose; the choice is kept, and made unique.
    """
    chosen = settings.resource_attributes.get(SERVICE_INSTANCE_ID)
    return Resource({SERVICE_INSTANCE_ID: f"{chosen}-{os.getpid()}"} if chosen else {})


class OwnMeterProvider(MeterProvider):
    """
    A MeterProvider whose readers may be replaced.

    Its exemplar filter stays that of the first configuration.

    Args:
        settings: The first configuration.
        series: Counts the cells, for ``otelkit.series``.
    """

    def __init__(self, settings: Settings, series: Callable[[], int]) -> None:
        # The base flushes and shuts down the readers of the very sequence that it was given, not those added later:
        # the list is shared with it so that these are the same.
        self._shared: list[MetricReader] = []
        super().__init__(
            metric_readers=self._shared,
            resource=create_resource(settings),
            exemplar_filter=_EXEMPLAR_FILTERS[settings.exemplars](),
            shutdown_on_exit=False,
        )
        self._settings = settings
        self._count_series = series
        # The SDK gives a reader nothing, not even a call, when no instrument of its own has anything to report.
        self.get_meter(PIPELINE_SCOPE).create_observable_gauge(
            semconv.SERIES.name, [self._observe], semconv.SERIES.unit, semconv.SERIES.description
        )

    def _observe(self, _: CallbackOptions) -> list[Observation]:
        return [Observation(self._count_series())]

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Add a reader that takes part in flush and shutdown."""
        super().add_metric_reader(metric_reader)
        metric_reader._set_meter_provider(self)
        self._shared.append(metric_reader)

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Take a reader out and shut it down."""
        super().remove_metric_reader(metric_reader)
        if metric_reader in self._shared:
            self._shared.remove(metric_reader)

    def _handle_fork(self) -> None:
        # A thread of the parent's may have been collecting: the copies of its locks are never released in the child.
        with guard.shield("fork of the MeterProvider"):
            consumer = self._measurement_consumer
            consumer._lock = threading.Lock()
            for storage in consumer._reader_storages.values():
                storage._lock = threading.RLock()
        super()._handle_fork()
        self._update_resource(_child_resource(self._settings))

    def replace(self, settings: Settings) -> None:
        """Take over what can change: the resource; attributes that are no longer named stay."""
        self._settings = settings
        self._update_resource(create_resource(settings))


class OwnTracerProvider(TracerProvider):
    """A TracerProvider whose sampler and processors may be replaced."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.sampled_by = ReplaceableSampler()
        self.sampled_by.sampler = create_sampler(settings)
        self.processors = ReplaceableProcessors()
        super().__init__(
            sampler=self.sampled_by,
            resource=create_resource(settings),
            shutdown_on_exit=False,
            active_span_processor=self.processors,
        )

    def _handle_fork(self) -> None:
        super()._handle_fork()
        self._update_resource(_child_resource(self._settings))

    def replace(self, settings: Settings) -> None:
        """Take over sampler and resource."""
        self._settings = settings
        self.sampled_by.sampler = create_sampler(settings)
        self._update_resource(create_resource(settings))
