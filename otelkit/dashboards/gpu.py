# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard of GPUs."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.choices import CHOSEN, choice, programs
from otelkit.dashboards.drawing import Drawing, legend
from otelkit.dashboards.panel import Dashboard, Panel, Query, Row
from otelkit.dashboards.promql import PROCESS, PROGRAM, chosen, series, total
from otelkit.dashboards.units import unit_of

__all__ = ("GPU", "HIGH_CELSIUS")

HIGH_CELSIUS = 85.0
"""From here on a GPU that runs all day is too hot; most slow down a few degrees above."""

_NO_GPU = "there is an NVIDIA GPU and its driver"
_FULL = 0.95

_MATCHERS = (*CHOSEN, chosen(semconv.HW_ID, "gpu"))
_GPU = (semconv.HW_NAME, semconv.HW_ID)

# Several processes tell of the same device: it counts once, the largest of what they say.
_gpus = Drawing(
    _MATCHERS,
    by=_GPU,
    empty="No GPU, or its driver does not tell",
    may_be_empty=f"only where {_NO_GPU}, and not every model tells everything",
)


def _largest(metric: semconv.Metric) -> str:
    return total(series(metric, *_MATCHERS), *_GPU, how="max")


_USED, _SIZE = _largest(semconv.HW_GPU_MEMORY_USAGE), _largest(semconv.HW_GPU_MEMORY_LIMIT)

_WORK = Row(
    "Work",
    (
        _gpus.level(
            semconv.HW_GPU_UTILIZATION, "Busy", "Share of the time in which the GPU did something, by task.",
            semconv.HW_GPU_TASK, how="max", maximum=1.0,
        ),
        _gpus.level(
            semconv.HW_TEMPERATURE, "Temperature", "Of the chip and, where there is a sensor, of its memory.",
            semconv.HW_SENSOR_LOCATION, how="max", limit=HIGH_CELSIUS,
        ),
        _gpus.level(
            semconv.HW_GPU_MEMORY_UTILIZATION, "Memory in use",
            "Share of the GPU's memory that is in use. Near 1 the next allocation fails.", how="max", limit=_FULL,
            maximum=1.0,
        ),
        Panel(
            "Memory", "Bytes used, and what there is.", unit_of(semconv.HW_GPU_MEMORY_USAGE),
            (Query(_USED, f"{legend(*_GPU)} used"), Query(_SIZE, f"{legend(*_GPU)} size")),
            empty=_gpus.empty, may_be_empty=_gpus.may_be_empty,
        ),
        _gpus.level(
            semconv.HW_GPU_PROCESS_MEMORY_USAGE, "Memory by process",
            "GPU memory of each process that reports. In containers with process numbers of their own the driver "
            "cannot tell whose it is.",
            PROGRAM, PROCESS, how="max", kind="stacked", empty="No process that reports uses a GPU",
        ),
        _gpus.level(
            semconv.HW_GPU_CLOCK_FREQUENCY, "Clocks", "A clock that falls under load: too hot, or out of power.",
            semconv.HW_GPU_CLOCK, how="max",
        ),
    ),
)  # fmt: skip

_FLOWS = Row(
    "Power and data",
    (
        _gpus.level(semconv.HW_POWER, "Power", "What the GPU draws at the moment.", how="max"),
        _gpus.rate(
            semconv.HW_ENERGY, "Mean power", "From the energy counter: nothing between two readings is missed.",
            how="max",
        ),
        _gpus.level(
            semconv.HW_GPU_PCIE_THROUGHPUT, "PCIe, sampled", "Bytes per second over the bus, sampled over 20 ms.",
            semconv.NETWORK_IO_DIRECTION, how="max",
        ),
        _gpus.rate(
            semconv.HW_GPU_IO, "PCIe, counted", "Bytes per second over the bus, from the counters of newer GPUs.",
            semconv.NETWORK_IO_DIRECTION, how="max",
        ),
    ),
)  # fmt: skip

_HEALTH = Row(
    "Health",
    (
        _gpus.level(
            semconv.HW_STATUS, "State", "1 for the state that the GPU is in, 0 for the others.", semconv.HW_STATE,
            how="max", unit="short",
        ),
        _gpus.rate(
            semconv.HW_ERRORS, "Memory errors", "ECC errors per second; a GPU with uncorrected ones is to be replaced.",
            semconv.ERROR_TYPE, how="max",
        ),
    ),
)  # fmt: skip

GPU = Dashboard(
    "otelkit-gpu",
    "GPU Performance",
    "What GPUs do, and whether they are too hot, too full or broken.",
    (
        # Parts of a GPU (MIG) have memory and no utilization of their own.
        *programs(series(semconv.HW_GPU_MEMORY_USAGE)),
        choice("gpu", "GPU", semconv.HW_ID, series(semconv.HW_GPU_MEMORY_USAGE)),
    ),
    (_WORK, _FLOWS, _HEALTH),
)
