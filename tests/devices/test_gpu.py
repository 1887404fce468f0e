# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""GPU readings become metrics of the hardware conventions, and nothing that was not read does."""

from __future__ import annotations

import os
from typing import Any

import pytest

from otelkit import semconv
from otelkit.devices import GpuProcess, GpuReading
from otelkit.devices.gpu import METRICS, Gpus

FULL = GpuReading(
    index=0,
    uuid="GPU-1",
    name="H200",
    driver_version="570.1",
    status="ok",
    general_utilization_ratio=0.5,
    encoder_utilization_ratio=0.25,
    decoder_utilization_ratio=0.0,
    memory_used_bytes=25,
    memory_total_bytes=100,
    temperature_celsius=60,
    memory_temperature_celsius=70,
    power_watts=300.5,
    energy_joules=1000.0,
    graphics_clock_hertz=1,
    sm_clock_hertz=2,
    memory_clock_hertz=3,
    video_clock_hertz=4,
    pcie_received_bytes=10,
    pcie_transmitted_bytes=20,
    pcie_received_bytes_per_s=1.0,
    pcie_transmitted_bytes_per_s=2.0,
    ecc_corrected_errors=3,
    ecc_uncorrected_errors=0,
    processes=(GpuProcess(os.getpid(), 77), GpuProcess(1, 88)),
)
GPU = {"hw.id": "GPU-1", "hw.name": "H200", "hw.vendor": "NVIDIA", "hw.driver_version": "570.1"}


class Played:
    """A monitor that plays back what it was given, one list a reading."""

    def __init__(self, *readings: list[GpuReading]) -> None:
        self.readings = list(readings)

    def collect_all(self) -> list[GpuReading]:
        return self.readings.pop(0)


def reading_of(*devices: GpuReading) -> dict[str, list[tuple[float, dict[str, Any]]]]:
    """Return the metrics of one reading, by name."""
    reading = Gpus(Played(list(devices))).read()  # type: ignore[arg-type]
    return {metric.name: [(value, dict(labels)) for value, labels in points] for metric, points in reading.items()}


def test_a_gpu_that_tells_everything_fills_every_metric() -> None:
    """Values, and hw.type exactly where the conventions require it."""
    typed = {**GPU, "hw.type": "gpu"}
    assert reading_of(FULL) == {
        "hw.status": [(1, {**typed, "hw.state": "ok"}), (0, {**typed, "hw.state": "failed"})],
        "hw.gpu.utilization": [
            (0.5, {**GPU, "hw.gpu.task": "general"}),
            (0.25, {**GPU, "hw.gpu.task": "encoder"}),
            (0.0, {**GPU, "hw.gpu.task": "decoder"}),
        ],
        "hw.gpu.clock.frequency": [
            (hertz, {**GPU, "hw.gpu.clock": clock})
            for hertz, clock in ((1, "graphics"), (2, "sm"), (3, "memory"), (4, "video"))
        ],
        "hw.temperature": [
            (60, {**GPU, "hw.sensor_location": "gpu"}),
            (70, {**GPU, "hw.sensor_location": "memory"}),
        ],
        "hw.gpu.memory.usage": [(25, GPU)],
        "hw.gpu.memory.limit": [(100, GPU)],
        "hw.gpu.memory.utilization": [(0.25, GPU)],
        "hw.gpu.process.memory.usage": [(77, GPU)],
        "hw.power": [(300.5, typed)],
        "hw.energy": [(1000.0, typed)],
        "hw.errors": [(3, {**typed, "error.type": "corrected"}), (0, {**typed, "error.type": "uncorrected"})],
        "hw.gpu.io": [
            (10, {**GPU, "network.io.direction": "receive"}),
            (20, {**GPU, "network.io.direction": "transmit"}),
        ],
        "hw.gpu.pcie.throughput": [
            (1.0, {**GPU, "network.io.direction": "receive"}),
            (2.0, {**GPU, "network.io.direction": "transmit"}),
        ],
    }
    assert set(reading_of(FULL)) == {metric.name for metric in METRICS}


def test_what_cannot_be_read_is_left_out() -> None:
    """A device that answers nothing yields nothing, not even a status: no value is made up."""
    assert reading_of(GpuReading(index=0, uuid="GPU-1")) == {}


def test_a_lost_gpu_tells_only_that_it_has_failed() -> None:
    """Status is the one metric of a lost GPU, with 0 for ok and 1 for failed."""
    reading = reading_of(GpuReading(index=0, uuid="GPU-1", status="failed"), FULL)
    lost = {name: points for name, points in reading.items() if any(p[1].get("hw.name") is None for p in points)}
    assert list(lost) == ["hw.status"]
    assert [(value, labels["hw.state"]) for value, labels in lost["hw.status"]][:2] == [(0, "ok"), (1, "failed")]


def test_a_mig_instance_names_its_parent() -> None:
    """hw.parent is the UUID of the GPU that the instance is a part of."""
    mig = GpuReading(index=0, uuid="MIG-1", parent_uuid="GPU-1", memory_used_bytes=1)
    assert reading_of(mig)["hw.gpu.memory.usage"][0][1]["hw.parent"] == "GPU-1"


@pytest.mark.parametrize(("values", "expected"), [([5, 8, 2, 3], [5, 8, 10, 11]), ([5, 5, 5], [5, 5, 5])])
def test_a_counter_that_the_device_starts_again_goes_on_rising(values: list[int], expected: list[int]) -> None:
    """After a reset of the device what was counted before is carried on."""
    played = Played(*[[GpuReading(index=0, uuid="GPU-1", energy_joules=value)] for value in values])
    gpus = Gpus(played)  # type: ignore[arg-type]
    assert [gpus.read()[semconv.HW_ENERGY][0][0] for _ in values] == expected
