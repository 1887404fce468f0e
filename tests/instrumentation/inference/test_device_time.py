# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Device time from CUDA events; without a GPU, so what the device does is said by the test."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from otelkit_instrumentation.inference._device_time import DeviceTimes

from otelkit._core._guard import guard
from otelkit.loops import inference_of
from otelkit.testing import Telemetry, capture, strict


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What the test records; failures inside otelkit fail it."""
    with strict(), capture() as captured:
        yield captured


class FakeCuda:
    """As much of torch.cuda as device times need; the test moves the device's clock and says when it is idle."""

    def __init__(self) -> None:
        self.clock_ms = 0.0
        self.done = False
        self.capturing = False
        self.broken = False
        self.made = 0
        cuda = self

        class Event:
            def __init__(self, enable_timing: bool) -> None:
                assert enable_timing
                cuda.made += 1

            def record(self, stream: str) -> None:
                assert stream == "stream of 0"
                self.at = cuda.clock_ms

            def query(self) -> bool:
                if cuda.broken:
                    raise RuntimeError("CUDA error: device-side assert triggered")
                return cuda.done

            def elapsed_time(self, end: Any) -> float:
                assert cuda.done, "asked of a busy device: that waits"
                return end.at - self.at

        self.Event = Event

    def is_initialized(self) -> bool:
        return True

    def is_current_stream_capturing(self) -> bool:
        return self.capturing

    def current_stream(self, device: Any) -> str:
        return f"stream of {device.index}"


DEVICE = SimpleNamespace(index=0)


def _device_step(cuda: FakeCuda, devices: DeviceTimes, milliseconds: float, name: str) -> None:
    recorder = inference_of("torch", name, "forward", spans=False)
    end = devices.begin(DEVICE)
    with recorder.step(1) as step:
        cuda.clock_ms += milliseconds
        if end is not None:
            end(step)


def of(model: str) -> dict[str, str]:
    """Return the label of a model."""
    return {"inference.model": model}


def test_device_time_is_asked_for_later(telemetry: Telemetry) -> None:
    """The device's time is recorded when the device has got there, in seconds; a busy device is never waited for."""
    cuda = FakeCuda()
    devices = DeviceTimes(cuda)
    for milliseconds in (5, 7, 9):
        _device_step(cuda, devices, milliseconds, "OnDevice")
    assert telemetry.value("inference.device_time") == 0
    cuda.done = True
    devices.poll()
    points = telemetry.points("inference.device_time", of("OnDevice"))
    assert sum(point.count for point in points) == 3
    assert sum(point.sum for point in points) == pytest.approx(0.021)


def test_events_are_used_again() -> None:
    """Events are made for as many steps as are under way, and used again."""
    cuda = FakeCuda()
    cuda.done = True
    devices = DeviceTimes(cuda)
    for _ in range(100):
        _device_step(cuda, devices, 1, "Pooled")
    assert cuda.made <= 4


def test_captured_graphs_stay_free_of_events(telemetry: Telemetry) -> None:
    """While the program captures a CUDA graph, nothing is marked and nothing asked."""
    cuda = FakeCuda()
    devices = DeviceTimes(cuda)
    cuda.capturing = True
    _device_step(cuda, devices, 1, "Captured")
    assert cuda.made == 0
    cuda.capturing, cuda.done = False, True
    devices.poll()
    assert telemetry.value("inference.device_time", of("Captured")) == 0


def test_device_that_falls_behind_costs_no_memory(telemetry: Telemetry) -> None:
    """The oldest of too many steps under way are dropped, and that is counted."""
    cuda = FakeCuda()
    devices = DeviceTimes(cuda)
    for _ in range(1_005):
        _device_step(cuda, devices, 1, "Behind")
    dropped = {"otelkit.metric": "inference.device_time"}
    assert telemetry.value("otelkit.dropped", dropped) == 5


def test_child_leaves_the_devices_events_alone(telemetry: Telemetry) -> None:
    """A forked child asks for none of its parent's events."""
    cuda = FakeCuda()
    devices = DeviceTimes(cuda)
    _device_step(cuda, devices, 1, "Parent")
    devices.after_fork()
    cuda.done = True
    devices.poll()
    assert telemetry.value("inference.device_time", of("Parent")) == 0


class FakeRuntime:
    """As much of cuda.bindings.runtime as it takes to be exempt from captures."""

    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeRelaxed="relaxed")
    cudaError_t = SimpleNamespace(cudaSuccess="success")

    def __init__(self, error: str) -> None:
        self.error = error
        self.modes = ["global"]

    def cudaThreadExchangeStreamCaptureMode(self, mode: str) -> tuple[str, str | None]:
        if self.error != "success":
            return self.error, None
        self.modes.append(mode)
        return self.error, self.modes[-2]


@pytest.mark.parametrize(
    ("runtime", "asked"), [(FakeRuntime("success"), 1), (FakeRuntime("cudaErrorInsufficientDriver"), 0), (None, 0)]
)
def test_collecting_thread_breaks_no_capture(telemetry: Telemetry, runtime: FakeRuntime | None, asked: int) -> None:
    """A collection asks only while its thread is exempt from others' captures, and puts the mode back."""
    cuda = FakeCuda()
    devices = DeviceTimes(cuda, lambda: runtime)
    name = f"Collected{asked}{runtime is None}"
    _device_step(cuda, devices, 1, name)
    cuda.done = True
    devices.start()
    try:
        assert telemetry.value("inference.requests", of(name)) == 1  # collects
        assert telemetry.value("inference.device_time", of(name)) == asked
    finally:
        devices.stop()
    if runtime is not None:
        assert runtime.modes == (["global", "relaxed", "global"] if asked else ["global"])


def test_end_of_a_program_on_a_broken_device(telemetry: Telemetry) -> None:
    """What CUDA raises at the end of the program stays out of the program's own end, and is counted."""
    cuda = FakeCuda()
    devices = DeviceTimes(cuda)
    _device_step(cuda, devices, 1, "Broken")
    cuda.broken = True
    guard.strict = False
    devices.finish()
    assert telemetry.value("otelkit.failures", {"error.type": "RuntimeError"}) == 1
    assert telemetry.value("inference.device_time", of("Broken")) == 0
