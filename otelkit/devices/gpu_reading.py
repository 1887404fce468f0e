# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What one look at a GPU tells."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("GpuProcess", "GpuReading")


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """
    One process that uses a GPU.

    Attributes:
        pid: As the driver numbers it: in a container, that of the host.
        used_bytes: GPU memory; ``None`` if the driver does not say.
    """

    pid: int
    used_bytes: int | None


@dataclass(frozen=True, slots=True)
class GpuReading:
    """
    One GPU, or one MIG instance of it, at one moment. ``None`` is "cannot be read", never 0.

    Attributes:
        index: Place in `GpuMonitor.collect_all`'s list.
        uuid: ``GPU-…`` or ``MIG-…``.
        parent_uuid: The GPU of a MIG instance.
        status: ``ok``, ``failed`` (the driver lost it, or it needs a reset); ``None`` if nothing answered.
        general_utilization_ratio: Share of the driver's last sampling period with a kernel running, 0 to 1.
        memory_used_bytes: Without what the driver reserves, where the driver tells them apart.
        temperature_celsius: Of the GPU's core.
        energy_joules: Since the driver was loaded.
        pcie_received_bytes: By the GPU, since the driver was loaded; only where NVML keeps a 64-bit count.
        pcie_received_bytes_per_s: Since the last reading, where there is a count; else NVML's sample of 20 ms.
        ecc_corrected_errors: Over the device's life.
        processes: All that compute or draw on the GPU.
    """

    index: int
    uuid: str
    name: str | None = None
    parent_uuid: str | None = None
    driver_version: str | None = None
    serial_number: str | None = None
    status: str | None = None
    general_utilization_ratio: float | None = None
    encoder_utilization_ratio: float | None = None
    decoder_utilization_ratio: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_celsius: float | None = None
    memory_temperature_celsius: float | None = None
    power_watts: float | None = None
    energy_joules: float | None = None
    graphics_clock_hertz: int | None = None
    sm_clock_hertz: int | None = None
    memory_clock_hertz: int | None = None
    video_clock_hertz: int | None = None
    pcie_received_bytes: int | None = None
    pcie_transmitted_bytes: int | None = None
    pcie_received_bytes_per_s: float | None = None
    pcie_transmitted_bytes_per_s: float | None = None
    ecc_corrected_errors: int | None = None
    ecc_uncorrected_errors: int | None = None
    processes: tuple[GpuProcess, ...] | None = None
