# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The SDK's providers, made so that a second `configure` may change them.

OpenTelemetry lets a program set its global providers once, and instruments and
tracers keep theirs for good: so the provider stays and its parts are replaced.
"""

from __future__ import annotations

import socket
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
    HOST_NAME,
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    SERVICE_NAMESPACE,
    SERVICE_VERSION,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider

from otelkit import __version__, semconv
from otelkit.masking import masker_of
from otelkit.pipeline.fork import suffixed
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
    chosen = settings.resource_attributes.get(SERVICE_INSTANCE_ID)
    if chosen:
        given[SERVICE_INSTANCE_ID] = suffixed(str(chosen))
    distro = {semconv.TELEMETRY_DISTRO_NAME: "otelkit", semconv.TELEMETRY_DISTRO_VERSION: __version__}
    resource = Resource.create({**distro, **settings.resource_attributes, **given})
    if settings.machine:
        # Without it the metrics of two machines are one machine's. Whatever else names the host comes first.
        resource = Resource({HOST_NAME: socket.gethostname()}).merge(resource)
    masker = masker_of(settings)
    masked = masker.attributes(resource.attributes) if masker else None
    return Resource(masked, resource.schema_url) if masked else resource


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

    def replace(self, settings: Settings) -> None:
        """Take over what can change: the resource; attributes that are no longer named stay."""
        self._update_resource(create_resource(settings))


class OwnTracerProvider(TracerProvider):
    """A TracerProvider whose sampler and processors may be replaced."""

    def __init__(self, settings: Settings) -> None:
        self.sampled_by = ReplaceableSampler()
        self.sampled_by.sampler = create_sampler(settings)
        self.processors = ReplaceableProcessors()
        super().__init__(
            sampler=self.sampled_by,
            resource=create_resource(settings),
            shutdown_on_exit=False,
            active_span_processor=self.processors,
        )

    def replace(self, settings: Settings) -> None:
        """Take over sampler and resource."""
        self.sampled_by.sampler = create_sampler(settings)
        self._update_resource(create_resource(settings))
