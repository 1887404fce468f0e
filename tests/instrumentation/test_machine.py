# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The machine's instrumentor starts and stops the observables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otelkit_instrumentation.machine import MachineInstrumentor


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    """A reader of a provider whose machine is instrumented."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    MachineInstrumentor().instrument(meter_provider=provider, parts=["runtime"], skip_dep_check=True)
    yield reader
    MachineInstrumentor().uninstrument()
    provider.shutdown()


def test_instrumenting_observes_and_uninstrumenting_stops(reader: InMemoryMetricReader) -> None:
    """The instruments yield until uninstrument(), on the provider and for the parts that were given."""
    data = reader.get_metrics_data()
    assert data is not None
    names = {metric.name for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    assert names == {"cpython.gc.collections", "cpython.gc.collected_objects", "cpython.gc.uncollectable_objects"}
    MachineInstrumentor().uninstrument()
    assert reader.get_metrics_data() is None
    MachineInstrumentor().instrument(meter_provider=MeterProvider(shutdown_on_exit=False), parts=["runtime"])


def test_it_depends_on_nothing_that_may_be_missing() -> None:
    """The loader skips instrumentors whose library is absent; this one has no such library."""
    assert not MachineInstrumentor().instrumentation_dependencies()
