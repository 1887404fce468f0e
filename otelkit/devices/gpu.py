# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""GPU readings as metrics of the hardware conventions."""

from __future__ import annotations

import logging
import os

from otelkit import semconv
from otelkit.devices._part import Labels, Reading, add
from otelkit.devices.gpu_nvml import GpuMonitor, GpuUnavailableError
from otelkit.devices.gpu_reading import GpuReading

__all__ = ("METRICS", "Gpus")

_logger = logging.getLogger("otelkit")

METRICS = (
    semconv.HW_GPU_UTILIZATION,
    semconv.HW_GPU_MEMORY_USAGE,
    semconv.HW_GPU_MEMORY_LIMIT,
    semconv.HW_GPU_MEMORY_UTILIZATION,
    semconv.HW_GPU_IO,
    semconv.HW_POWER,
    semconv.HW_ENERGY,
    semconv.HW_TEMPERATURE,
    semconv.HW_ERRORS,
    semconv.HW_STATUS,
    semconv.HW_GPU_CLOCK_FREQUENCY,
    semconv.HW_GPU_PCIE_THROUGHPUT,
    semconv.HW_GPU_PROCESS_MEMORY_USAGE,
)

_said_unavailable = False


class Gpus:
    """
    All GPUs that this process sees.

    PCIe: NVML keeps byte counts on newer devices (Hopper and later), and
    they are ``hw.gpu.io``. On others it offers a rate sampled over 20 ms,
    which says nothing of the time between two samples and so makes no
    counter; it is the gauge ``hw.gpu.pcie.throughput``, which all have.

    Memory per process is that of this process alone: each process reports
    its own, so that a sum over processes counts nothing twice. The driver
    knows processes by the host's numbers: in a container with numbers of its
    own none is this one, and the metric is left out.

    A GPU in MIG mode tells the memory of the whole device, its instances
    that of each: sum over one or the other (``hw.parent``), not both.
    """

    metrics = METRICS

    def __init__(self, monitor: GpuMonitor | None = None) -> None:
        self._monitor = monitor or _open()
        self._totals: dict[tuple[str, str], tuple[float, float]] = {}

    def read(self) -> Reading:
        """Return all that the devices tell; nothing without a driver."""
        reading: Reading = {}
        for device in self._monitor.collect_all() if self._monitor else ():
            self._describe(reading, device)
        return reading

    def close(self) -> None:
        """Let NVML go."""
        if self._monitor:
            self._monitor.close()

    def _describe(self, reading: Reading, device: GpuReading) -> None:
        gpu = _identity(device)
        typed = {**gpu, semconv.HW_TYPE: "gpu"}
        _status(reading, device, typed)
        _gauges(reading, device, gpu)
        _memory(reading, device, gpu)
        add(reading, semconv.HW_POWER, device.power_watts, typed)
        add(reading, semconv.HW_ENERGY, self._total(device, "energy", device.energy_joules), typed)
        for kind, errors in (
            ("corrected", device.ecc_corrected_errors),
            ("uncorrected", device.ecc_uncorrected_errors),
        ):
            add(reading, semconv.HW_ERRORS, self._total(device, kind, errors), {**typed, semconv.ERROR_TYPE: kind})
        for way, count, per_s in (
            ("receive", device.pcie_received_bytes, device.pcie_received_bytes_per_s),
            ("transmit", device.pcie_transmitted_bytes, device.pcie_transmitted_bytes_per_s),
        ):
            labels = {**gpu, semconv.NETWORK_IO_DIRECTION: way}
            add(reading, semconv.HW_GPU_IO, self._total(device, way, count), labels)
            add(reading, semconv.HW_GPU_PCIE_THROUGHPUT, per_s, labels)

    def _total(self, device: GpuReading, what: str, value: float | None) -> float | None:
        """Keep a counter rising when the device starts it again (a reset, a wrap): earlier counts are carried."""
        if value is None:
            return None
        key = (device.uuid, what)
        last, carried = self._totals.get(key, (0.0, 0.0))
        if value < last:
            carried += last
        self._totals[key] = (value, carried)
        return value + carried


def _identity(device: GpuReading) -> dict[str, str]:
    known = {
        semconv.HW_ID: device.uuid,
        semconv.HW_NAME: device.name,
        semconv.HW_VENDOR: "NVIDIA",
        semconv.HW_DRIVER_VERSION: device.driver_version,
        semconv.HW_PARENT: device.parent_uuid,
    }
    return {name: value for name, value in known.items() if value is not None}


def _status(reading: Reading, device: GpuReading, typed: Labels) -> None:
    if device.status is not None:
        for state in ("ok", "failed"):
            add(reading, semconv.HW_STATUS, int(device.status == state), {**typed, semconv.HW_STATE: state})


def _gauges(reading: Reading, device: GpuReading, gpu: Labels) -> None:
    for task in ("general", "encoder", "decoder"):
        share = getattr(device, f"{task}_utilization_ratio")
        add(reading, semconv.HW_GPU_UTILIZATION, share, {**gpu, semconv.HW_GPU_TASK: task})
    for clock in ("graphics", "sm", "memory", "video"):
        hertz = getattr(device, f"{clock}_clock_hertz")
        add(reading, semconv.HW_GPU_CLOCK_FREQUENCY, hertz, {**gpu, semconv.HW_GPU_CLOCK: clock})
    for place, celsius in (("gpu", device.temperature_celsius), ("memory", device.memory_temperature_celsius)):
        add(reading, semconv.HW_TEMPERATURE, celsius, {**gpu, semconv.HW_SENSOR_LOCATION: place})


def _memory(reading: Reading, device: GpuReading, gpu: Labels) -> None:
    used, total = device.memory_used_bytes, device.memory_total_bytes
    add(reading, semconv.HW_GPU_MEMORY_USAGE, used, gpu)
    add(reading, semconv.HW_GPU_MEMORY_LIMIT, total, gpu)
    if used is not None and total:
        add(reading, semconv.HW_GPU_MEMORY_UTILIZATION, used / total, gpu)
    for process in device.processes or ():
        if process.pid == os.getpid():
            add(reading, semconv.HW_GPU_PROCESS_MEMORY_USAGE, process.used_bytes, gpu)


def _open() -> GpuMonitor | None:
    """Most machines have no GPU, and that is no mishap: one DEBUG line for the life of the program."""
    global _said_unavailable
    try:
        return GpuMonitor()
    except GpuUnavailableError as error:
        if not _said_unavailable:
            _said_unavailable = True
            _logger.debug("otelkit: no GPU metrics: %s", error)
        return None
