# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every name of the machine is checked against the conventions' own package."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry.metrics import ObservableGauge
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum
from opentelemetry.semconv._incubating.metrics import cpython_metrics, hw_metrics, process_metrics, system_metrics

from otelkit import semconv
from otelkit._core._snapshot import Kind, Metric
from otelkit.devices.machine import _PARTS

MODULES = {"system": system_metrics, "process": process_metrics, "cpython": cpython_metrics, "hw": hw_metrics}
OURS = {"hw.gpu.clock.frequency", "hw.gpu.pcie.throughput", "hw.gpu.process.memory.usage"}
OUR_ATTRIBUTES = {"hw.gpu.clock"}
METRICS = [metric for _make, metrics in _PARTS.values() for metric in metrics]


def module_of(metric: Metric) -> ModuleType:
    """Return the package's module for a metric."""
    return MODULES[metric.name.partition(".")[0]]


def official(metric: Metric) -> tuple[Kind, str]:
    """Return instrument and unit that the conventions' package makes for this name."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    create = getattr(module_of(metric), "create_" + metric.name.replace(".", "_"))
    if metric.kind is Kind.GAUGE:
        gauge = create(meter, [])
        assert isinstance(gauge, ObservableGauge)
        return Kind.GAUGE, gauge.unit
    instrument = create(meter)
    instrument.add(1)
    data = reader.get_metrics_data()
    assert data is not None
    made = data.resource_metrics[0].scope_metrics[0].metrics[0].data
    assert isinstance(made, Sum)
    return (Kind.COUNTER if made.is_monotonic else Kind.UP_DOWN_COUNTER), instrument.unit


def is_deprecated(module: ModuleType, name: str) -> bool:
    """Tell whether the text beneath a name's constant calls it deprecated."""
    source = Path(str(module.__file__)).read_text()
    return "Deprecated" in source.split(f'= "{name}"', 1)[1].split("\ndef ", 1)[0].split(": Final", 1)[0]


@pytest.mark.parametrize("metric", [m for m in METRICS if m.name not in OURS], ids=lambda metric: metric.name)
def test_instrument_and_unit_are_the_conventions(metric: Metric) -> None:
    """Each metric exists in the package, is not deprecated, and has its instrument and unit."""
    assert getattr(module_of(metric), metric.name.upper().replace(".", "_")) == metric.name
    assert official(metric) == (metric.kind, metric.unit)
    assert not is_deprecated(module_of(metric), metric.name)


def test_a_deprecated_name_would_be_noticed() -> None:
    """The check above finds the package's word for it."""
    assert is_deprecated(system_metrics, "system.network.dropped")


def test_our_own_names_are_in_nobodys_way() -> None:
    """Names without a convention are not those of another metric of the package."""
    names = {value for module in MODULES.values() for value in vars(module).values() if isinstance(value, str)}
    assert not OURS & names
    assert {metric.name for metric in METRICS} >= OURS


def test_attribute_names_are_the_conventions() -> None:
    """Every attribute name of the machine's section of semconv.py exists in the package."""
    package = Path(str(system_metrics.__file__)).parents[2]
    files = [*package.glob("attributes/*.py"), *package.glob("_incubating/attributes/*.py")]
    known = {name for file in files for name in re.findall(r'Final = "([^"]+)"', file.read_text())}
    used = {
        value
        for value in vars(semconv).values()
        if isinstance(value, str) and re.match(r"(system|process|cpython|hw|cpu|disk|network)\.", value)
    }
    assert len(used) > 20
    assert used - known == OUR_ATTRIBUTES
