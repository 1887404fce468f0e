# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA GPUs read by NVML, the driver's own library."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from otelkit.devices import _nvml
from otelkit.devices._nvml import GpuUnavailableError
from otelkit.devices._visible import Entry, choose
from otelkit.devices.gpu_reading import GpuProcess, GpuReading

__all__ = ("GpuMonitor", "GpuUnavailableError")

_logger = logging.getLogger("otelkit")

PCIE_WINDOW_S = 0.02
"""What NVML's own throughput is sampled over; a difference over less time would say less."""


class _LostError(Exception):
    """The driver has lost the device, or it waits for a reset."""


class _Device:
    """One visible GPU or MIG instance: its handle and what does not change."""

    def __init__(self, nvml: Any, entry: Entry, index: int, driver_version: str | None) -> None:
        self.nvml = nvml
        self.handle = entry.handle
        self.lost = False
        self.answered = False
        self.pcie_before: tuple[float, int, int] | None = None
        self.fixed: dict[str, Any] = {"index": index, "uuid": entry.uuid, "driver_version": driver_version}
        self.fixed["parent_uuid"] = entry.parent.uuid if entry.parent else None
        try:
            self.fixed["name"] = self.ask("nvmlDeviceGetName")
            self.fixed["serial_number"] = self.ask("nvmlDeviceGetSerial")
        except _LostError:
            pass  # the first reading says so

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call NVML; ``None`` for what this device, driver or binding does not offer."""
        call = getattr(self.nvml, function, None)
        if call is None:
            return None
        try:
            value = call(self.handle, *arguments)
        except self.nvml.NVMLError as error:
            if error.value in (self.nvml.NVML_ERROR_GPU_IS_LOST, self.nvml.NVML_ERROR_RESET_REQUIRED):
                raise _LostError(str(error)) from None
            return None
        self.answered = True
        return value

    def read(self) -> GpuReading:
        """Return what the device tells now; nothing but its identity once it is lost."""
        self.answered = False
        values: dict[str, Any] = {}
        try:
            for step in (
                self._load,
                self._memory,
                self._heat,
                self._clocks,
                self._fields,
                self._errors,
                self._processes,
            ):
                values |= step()
        except _LostError as error:
            self._say_lost(error)
            return GpuReading(**self.fixed, status="failed")
        self.lost = False
        return GpuReading(**self.fixed, **values, status="ok" if self.answered else None)

    def _say_lost(self, error: _LostError) -> None:
        if not self.lost:
            self.lost = True
            name, uuid = self.fixed.get("name") or "GPU", self.fixed["uuid"]
            _logger.warning("otelkit: %s %s cannot be read any more: %s. The others go on.", name, uuid, error)

    def _load(self) -> dict[str, Any]:
        rates = self.ask("nvmlDeviceGetUtilizationRates")
        encoder = self.ask("nvmlDeviceGetEncoderUtilization")
        decoder = self.ask("nvmlDeviceGetDecoderUtilization")
        return {
            "general_utilization_ratio": _scaled(rates.gpu if rates else None, 0.01),
            "encoder_utilization_ratio": _scaled(encoder[0] if encoder else None, 0.01),
            "decoder_utilization_ratio": _scaled(decoder[0] if decoder else None, 0.01),
        }

    def _memory(self) -> dict[str, Any]:
        # The first version's "used" includes what the driver reserves; nvidia-smi shows the second's.
        memory = self.ask("nvmlDeviceGetMemoryInfo", self.nvml.nvmlMemory_v2) or self.ask("nvmlDeviceGetMemoryInfo")
        if memory is None:
            return {}
        return {"memory_used_bytes": memory.used, "memory_total_bytes": memory.total}

    def _heat(self) -> dict[str, Any]:
        core = self.nvml.NVML_TEMPERATURE_GPU
        celsius = self.ask("nvmlDeviceGetTemperatureV", core)
        if celsius is None:  # a driver older than that call
            celsius = self.ask("nvmlDeviceGetTemperature", core)
        return {
            "temperature_celsius": celsius,
            "power_watts": _scaled(self.ask("nvmlDeviceGetPowerUsage"), 1e-3),
            "energy_joules": _scaled(self.ask("nvmlDeviceGetTotalEnergyConsumption"), 1e-3),
        }

    def _clocks(self) -> dict[str, Any]:
        clocks = {"graphics": 0, "sm": 1, "memory": 2, "video": 3}  # NVML_CLOCK_GRAPHICS and its like
        return {
            f"{clock}_clock_hertz": _scaled(self.ask("nvmlDeviceGetClockInfo", number), 1_000_000)
            for clock, number in clocks.items()
        }

    def _fields(self) -> dict[str, Any]:
        nvml = self.nvml
        wanted = {
            "heat": nvml.NVML_FI_DEV_MEMORY_TEMP,
            "received": nvml.NVML_FI_DEV_PCIE_COUNT_RX_BYTES,
            "transmitted": nvml.NVML_FI_DEV_PCIE_COUNT_TX_BYTES,
        }
        fields = self.ask("nvmlDeviceGetFieldValues", list(wanted.values())) or ()
        told = {name: _field(nvml, field) for name, field in zip(wanted, fields, strict=False)}
        received, transmitted = _wide(told.get("received")), _wide(told.get("transmitted"))
        received_per_s, transmitted_per_s = self._throughput(received, transmitted)
        heat = told.get("heat")
        return {
            "memory_temperature_celsius": heat[0] if heat and heat[0] else None,  # boards without the sensor say 0
            "pcie_received_bytes": received,
            "pcie_transmitted_bytes": transmitted,
            "pcie_received_bytes_per_s": received_per_s,
            "pcie_transmitted_bytes_per_s": transmitted_per_s,
        }

    def _throughput(self, received: int | None, transmitted: int | None) -> tuple[float | None, float | None]:
        if received is not None and transmitted is not None:
            now = time.monotonic()
            before, self.pcie_before = self.pcie_before, (now, received, transmitted)
            if before and now - before[0] >= PCIE_WINDOW_S and received >= before[1] and transmitted >= before[2]:
                elapsed = now - before[0]
                return (received - before[1]) / elapsed, (transmitted - before[2]) / elapsed
        # Blocks for 20 ms each, which is why counts come first.
        receive = self.ask("nvmlDeviceGetPcieThroughput", self.nvml.NVML_PCIE_UTIL_RX_BYTES)
        transmit = self.ask("nvmlDeviceGetPcieThroughput", self.nvml.NVML_PCIE_UTIL_TX_BYTES)
        return _scaled(receive, 1000), _scaled(transmit, 1000)

    def _errors(self) -> dict[str, Any]:
        counter = self.nvml.NVML_AGGREGATE_ECC
        return {
            "ecc_corrected_errors": self.ask("nvmlDeviceGetTotalEccErrors", 0, counter),
            "ecc_uncorrected_errors": self.ask("nvmlDeviceGetTotalEccErrors", 1, counter),
        }

    def _processes(self) -> dict[str, Any]:
        lists = [
            self.ask("nvmlDeviceGetComputeRunningProcesses_v3"),
            self.ask("nvmlDeviceGetGraphicsRunningProcesses_v3"),
        ]
        if lists == [None, None]:
            return {}
        used = {each.pid: each.usedGpuMemory for processes in lists for each in processes or ()}
        return {"processes": tuple(GpuProcess(pid, used_bytes) for pid, used_bytes in used.items())}


class GpuMonitor:
    """
    Reads this process's NVIDIA GPUs: those that ``CUDA_VISIBLE_DEVICES`` leaves visible, in its order.

    A GPU in MIG mode is followed by its instances, each a device of its own.
    Devices are listed once; a MIG instance made later is seen by a new
    monitor.

    Thread-safe; in a forked child NVML is initialised anew. NVML needs no
    privileges.

    Raises:
        GpuUnavailableError: There is no NVIDIA driver, or it cannot be used.

    Cost: a reading is some twenty calls into the driver; the first one, and each one of a device
        without byte counts, takes 40 ms longer (PCIe throughput is sampled then).
    Source: NVML API reference.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._devices: list[_Device] = []
        self._pid = 0
        with _nvml.lock():
            self._open()

    def collect_all(self) -> list[GpuReading]:
        """Return a reading of each visible device; a lost one has ``status`` "failed" and nothing else."""
        with _nvml.lock():
            self._open()
            return [device.read() for device in self._devices]

    def device(self, index: int) -> GpuReading:
        """
        Return a reading of one device.

        Raises:
            IndexError: `collect_all` has no such place.
        """
        with _nvml.lock():
            self._open()
            if not 0 <= index < len(self._devices):
                setting = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
                raise IndexError(
                    f"Expected an index below {len(self._devices)}, the number of visible GPUs, got {index}"
                    f" - at GpuMonitor.device(). CUDA_VISIBLE_DEVICES is {setting!r}."
                )
            return self._devices[index].read()

    def close(self) -> None:
        """Let NVML go; may be called again, and the next reading opens it again."""
        with _nvml.lock():
            self._close()

    def __enter__(self) -> GpuMonitor:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _open(self) -> None:
        """Initialise NVML and list the devices, unless that was done in this very process."""
        if self._nvml is not None and self._pid == os.getpid():
            return
        nvml = _nvml.initialise()
        try:
            visible = choose(os.environ.get("CUDA_VISIBLE_DEVICES"), _nvml.gpus(nvml))
        except GpuUnavailableError:
            _nvml.release(nvml)
            raise
        self._nvml, self._pid = nvml, os.getpid()
        driver_version = _nvml.attempt(nvml, nvml.nvmlSystemGetDriverVersion)
        opened = [entry for entry in visible if entry.uuid is not None]
        self._devices = [_Device(nvml, entry, index, driver_version) for index, entry in enumerate(opened)]

    def _close(self) -> None:
        if self._nvml is not None and self._pid == os.getpid():
            _nvml.release(self._nvml)
        self._nvml, self._devices = None, []


def _scaled(value: int | None, factor: float) -> Any:
    return None if value is None else value * factor


def _field(nvml: Any, field: Any) -> tuple[int, bool] | None:
    """Return a field's value and whether it is 64 bits wide; ``None`` if it cannot be read."""
    if field.nvmlReturn != nvml.NVML_SUCCESS:
        return None
    members = {
        nvml.NVML_VALUE_TYPE_UNSIGNED_INT: ("uiVal", False),
        nvml.NVML_VALUE_TYPE_SIGNED_INT: ("siVal", False),
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: ("ullVal", True),
        nvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: ("sllVal", True),
    }
    member, wide = members.get(field.valueType, (None, False))
    return (getattr(field.value, member), wide) if member else None


def _wide(told: tuple[int, bool] | None) -> int | None:
    """Return a byte count that can be trusted: one of 32 bits wraps several times a second on a busy link."""
    return told[0] if told and told[1] else None
