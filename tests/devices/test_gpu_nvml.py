# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The GPU monitor on the real pynvml, which is on a fake libnvidia-ml.so.1 (fake_nvml/nvml.c).

GPU 0 tells everything, GPU 1 has no power sensor and can be lost, GPU 2 has
two MIG instances.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.gpu_fake

Run = Callable[..., Any]

FIRST = "GPU-11111111-0000-0000-0000-000000000000"
SECOND = "GPU-11112222-0000-0000-0000-000000000000"
THIRD = "GPU-33333333-0000-0000-0000-000000000000"
MIGS = ["MIG-aaaa1111-0000-0000-0000-000000000000", "MIG-aaaa2222-0000-0000-0000-000000000000"]

READ = """
import dataclasses, json, os, time
from otelkit.devices import GpuMonitor, GpuUnavailableError
monitor = GpuMonitor()
def told(reading):
    return {name: value for name, value in dataclasses.asdict(reading).items() if value is not None}
"""

COLLECT = """
import json, logging, os, sys, time
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otelkit.devices import observe_machine
lines = []
handler = logging.Handler()
handler.emit = lambda record: lines.append([record.name, record.levelname, record.getMessage()])
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.DEBUG)
reader = InMemoryMetricReader()
provider = MeterProvider([reader])
machine = observe_machine(provider, parts=["gpu"])
def collect():
    time.sleep(0.26)
    data = reader.get_metrics_data()
    metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
    return {m.name: [[p.value, dict(p.attributes)] for p in m.data.data_points] for m in metrics}
def shape():
    metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    letter = lambda data: "G" if not hasattr(data, "is_monotonic") else "C" if data.is_monotonic else "U"
    return {m.name: [letter(m.data), m.unit, sorted(m.data.data_points[0].attributes)] for m in metrics}
"""


def ids(collected: dict[str, list[list[Any]]], name: str) -> set[str]:
    """Return the devices that have a metric."""
    return {labels["hw.id"] for _value, labels in collected.get(name, ())}


def test_every_figure_of_a_full_device(with_gpus: Run) -> None:
    """Units are converted: milliwatts, millijoules, megahertz, per cent and kilobytes come as base units."""
    reading, pid = with_gpus(READ + "print(json.dumps([told(monitor.device(0)), os.getpid()]))")
    assert reading == {
        "index": 0,
        "uuid": FIRST,
        "name": "Fake H200",
        "driver_version": "999.42",
        "serial_number": "4711",
        "status": "ok",
        "general_utilization_ratio": 0.42,
        "encoder_utilization_ratio": 0.05,
        "decoder_utilization_ratio": 0.07,
        "memory_used_bytes": 200_000,
        "memory_total_bytes": 1_000_000,
        "temperature_celsius": 61,
        "memory_temperature_celsius": 70,
        "power_watts": 312.5,
        "energy_joules": 9000.5,
        "graphics_clock_hertz": 1_000_000_000,
        "sm_clock_hertz": 1_010_000_000,
        "memory_clock_hertz": 1_020_000_000,
        "video_clock_hertz": 1_030_000_000,
        "pcie_received_bytes": 6_000_000_000,
        "pcie_transmitted_bytes": 5_000_000_000,
        "pcie_received_bytes_per_s": 2_000_000,
        "pcie_transmitted_bytes_per_s": 1_000_000,
        "ecc_corrected_errors": 3,
        "ecc_uncorrected_errors": 1,
        "processes": [{"pid": pid, "used_bytes": 123_456}, {"pid": 999_999, "used_bytes": None}],
    }


def test_what_a_device_cannot_read_is_none(with_gpus: Run) -> None:
    """No power, energy, ECC or byte count; memory and temperature by the older calls; an idle GPU is a real 0."""
    reading = with_gpus(READ + "print(json.dumps(told(monitor.device(1))))")
    assert not {name for name in reading if name.startswith(("power", "energy", "ecc", "encoder", "decoder"))}
    assert "pcie_received_bytes" not in reading
    assert reading["memory_used_bytes"] == 250_000
    assert reading["temperature_celsius"] == 55
    assert reading["general_utilization_ratio"] == 0
    assert reading["pcie_received_bytes_per_s"] == 2_000_000
    assert reading["processes"] == []


def test_mig_instances_are_devices_behind_their_gpu(with_gpus: Run) -> None:
    """Each has its own UUID, memory and index, and names the GPU that it is a part of."""
    readings = with_gpus(READ + "print(json.dumps([told(each) for each in monitor.collect_all()]))")
    assert [each["uuid"] for each in readings] == [FIRST, SECOND, THIRD, *MIGS]
    assert [each.get("parent_uuid") for each in readings] == [None, None, None, THIRD, THIRD]
    assert readings[3] == {
        "index": 3,
        "uuid": MIGS[0],
        "name": "Fake H200 MIG 1g.18gb",
        "parent_uuid": THIRD,
        "driver_version": "999.42",
        "status": "ok",
        "memory_used_bytes": 20_000,
        "memory_total_bytes": 100_000,
    }


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("1,0", [SECOND, FIRST]),
        ("", []),
        ("0,-1,1", [FIRST]),
        ("GPU-33", [THIRD, *MIGS]),
        ("GPU-1111", []),
        (f"{MIGS[1]},{MIGS[0]}", [MIGS[1], MIGS[0]]),
        (f"MIG-{THIRD}/7/0", [MIGS[0]]),
    ],
)
def test_cuda_visible_devices_is_respected(with_gpus: Run, setting: str, expected: list[str]) -> None:
    """Direct readings follow the variable's choice and order."""
    code = READ + "print(json.dumps([[each.index, each.uuid] for each in monitor.collect_all()]))"
    assert with_gpus(code, CUDA_VISIBLE_DEVICES=setting) == [list(pair) for pair in enumerate(expected)]


def test_an_index_that_is_not_there_is_refused(with_gpus: Run) -> None:
    """The error says how many GPUs are visible, and why."""
    code = READ + "try:\n    monitor.device(1)\nexcept IndexError as error:\n    print(json.dumps(str(error)))"
    assert "below 1, the number of visible GPUs, got 1" in with_gpus(code, CUDA_VISIBLE_DEVICES="0")


def test_pcie_throughput_is_the_difference_of_the_counts(with_gpus: Run) -> None:
    """The fake's counts stand still: once there are two, the rate is 0 and not NVML's sample."""
    code = READ + "rates = []\nfor _ in range(2):\n    rates.append(monitor.device(0).pcie_received_bytes_per_s)\n"
    assert with_gpus(code + "    time.sleep(0.05)\nprint(json.dumps(rates))") == [2_000_000, 0]


@pytest.mark.parametrize("code", ["15", "16"], ids=["GPU_IS_LOST", "RESET_REQUIRED"])
def test_a_device_lost_in_mid_run_says_so_and_the_others_go_on(with_gpus: Run, tmp_path: Path, code: str) -> None:
    """It keeps hw.status alone, with failed at 1; one line is logged; what comes back is read again."""
    lost = tmp_path / "lost"
    before, during, again, after, lines = with_gpus(
        COLLECT
        + f"""
path = {str(lost)!r}
results = [collect()]
open(path, "w").close()
results += [collect(), collect()]
os.unlink(path)
results += [collect(), lines]
print(json.dumps(results))
""",
        FAKE_NVML_LOST=str(lost),
        FAKE_NVML_LOST_CODE=code,
    )
    assert SECOND in ids(before, "hw.gpu.memory.usage")
    for collected in (during, again):
        assert {name for name in collected if SECOND in ids(collected, name)} == {"hw.status"}
        states = {labels["hw.state"]: v for v, labels in collected["hw.status"] if labels["hw.id"] == SECOND}
        assert states == {"ok": 0, "failed": 1}
        assert ids(collected, "hw.gpu.memory.usage") == {FIRST, THIRD, *MIGS}
    assert SECOND in ids(after, "hw.gpu.memory.usage")
    assert [(name, level) for name, level, _text in lines] == [("otelkit", "WARNING")]
    assert SECOND in lines[0][2]


def test_a_device_that_answers_nothing_has_no_status(with_gpus: Run, tmp_path: Path) -> None:
    """An error that does not mean lost leaves the state unknown: neither ok nor failed is claimed."""
    lost = tmp_path / "lost"
    code = READ + f"open({str(lost)!r}, 'w').close()\nprint(json.dumps(told(monitor.device(1))))"
    reading = with_gpus(code, FAKE_NVML_LOST=str(lost), FAKE_NVML_LOST_CODE="999")
    assert reading == {
        "index": 1,
        "uuid": SECOND,
        "name": "Fake H200",
        "driver_version": "999.42",
        "serial_number": "4711",
    }


def test_a_device_lost_before_the_start_is_left_out(with_gpus: Run, tmp_path: Path) -> None:
    """It has no UUID to report under; the others keep their places in CUDA_VISIBLE_DEVICES."""
    code = READ + "print(json.dumps([each.uuid for each in monitor.collect_all()]))"
    (tmp_path / "lost").touch()
    lost = str(tmp_path / "lost")
    assert with_gpus(code, FAKE_NVML_LOST=lost) == [FIRST, THIRD, *MIGS]
    assert with_gpus(code, FAKE_NVML_LOST=lost, CUDA_VISIBLE_DEVICES="2,1") == [THIRD, *MIGS]


def test_names_units_and_attributes_are_the_conventions(with_gpus: Run) -> None:
    """Through a real provider: hw.type where it is required, hw.id always, and our own names for the rest."""
    gpu = ["hw.driver_version", "hw.id", "hw.name", "hw.vendor"]
    assert with_gpus(COLLECT + "print(json.dumps(shape()))", CUDA_VISIBLE_DEVICES="0") == {
        "hw.gpu.utilization": ["G", "1", sorted([*gpu, "hw.gpu.task"])],
        "hw.gpu.memory.usage": ["U", "By", gpu],
        "hw.gpu.memory.limit": ["U", "By", gpu],
        "hw.gpu.memory.utilization": ["G", "1", gpu],
        "hw.gpu.io": ["C", "By", sorted([*gpu, "network.io.direction"])],
        "hw.power": ["G", "W", sorted([*gpu, "hw.type"])],
        "hw.energy": ["C", "J", sorted([*gpu, "hw.type"])],
        "hw.temperature": ["G", "Cel", sorted([*gpu, "hw.sensor_location"])],
        "hw.errors": ["C", "{error}", sorted([*gpu, "hw.type", "error.type"])],
        "hw.status": ["U", "1", sorted([*gpu, "hw.type", "hw.state"])],
        "hw.gpu.clock.frequency": ["G", "Hz", sorted([*gpu, "hw.gpu.clock"])],
        "hw.gpu.pcie.throughput": ["G", "By/s", sorted([*gpu, "network.io.direction"])],
        "hw.gpu.process.memory.usage": ["U", "By", gpu],
    }


def test_nothing_unread_becomes_a_metric(with_gpus: Run) -> None:
    """The GPU without power sensor has no hw.power, hw.energy, hw.errors or hw.gpu.io at all."""
    collected = with_gpus(COLLECT + "print(json.dumps(collect()))")
    assert ids(collected, "hw.power") == {FIRST, THIRD}
    assert ids(collected, "hw.energy") == {FIRST, THIRD}
    assert ids(collected, "hw.errors") == ids(collected, "hw.gpu.io") == {FIRST}
    assert {labels.get("hw.parent") for _v, labels in collected["hw.gpu.memory.usage"]} == {None, THIRD}


def test_a_forked_child_initialises_nvml_anew(with_gpus: Run, tmp_path: Path) -> None:
    """The child reads with an initialisation of its own (the fake refuses the parent's), and the parent goes on."""
    log = tmp_path / "log"
    parent, child, pids = with_gpus(
        COLLECT
        + """
before = collect()
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(write, json.dumps(collect()).encode())
    os._exit(0)
os.wait()
print(json.dumps([collect(), json.loads(os.read(read, 1_000_000)), [os.getpid(), pid]]))
""",
        FAKE_NVML_LOG=str(log),
    )
    everything = {FIRST, SECOND, THIRD, *MIGS}
    assert ids(parent, "hw.gpu.memory.usage") == ids(child, "hw.gpu.memory.usage") == everything
    assert f"init {pids[1]}" in log.read_text().splitlines()


def test_a_fork_waits_for_a_reading_in_another_thread(with_gpus: Run) -> None:
    """Children made while another thread reads without pause all read, none hangs on a lock of the parent's."""
    read = with_gpus(
        READ
        + """
import threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
stop = threading.Event()
def busy():
    while not stop.is_set():
        monitor.collect_all()
thread = threading.Thread(target=busy)
thread.start()
good = 0
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        os._exit(len(monitor.collect_all()))
    good += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
stop.set()
thread.join()
print(json.dumps(good))
"""
    )
    assert read == 20


def test_stopping_lets_nvml_go(with_gpus: Run, tmp_path: Path) -> None:
    """stop() and close() shut the library down once each; a closed monitor opens it again when asked."""
    log = tmp_path / "log"
    code = "collect()\nmachine.stop()\nmachine.stop()\nprint(json.dumps(collect()))"
    assert with_gpus(COLLECT + code, FAKE_NVML_LOG=str(log)) == {}
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["init", "shutdown"]
    code = "monitor.close()\nmonitor.close()\nprint(json.dumps(len(monitor.collect_all())))"
    assert with_gpus(READ + code) == 5


def test_a_monitor_in_a_forked_child_reads_anew(with_gpus: Run) -> None:
    """A monitor made before the fork works in the child, and closing it there leaves the parent's alone."""
    code = """
read, write = os.pipe()
if os.fork() == 0:
    told = [each.uuid for each in monitor.collect_all()]
    monitor.close()
    os.write(write, json.dumps(told).encode())
    os._exit(0)
os.wait()
print(json.dumps([json.loads(os.read(read, 100_000)), [each.uuid for each in monitor.collect_all()]]))
"""
    assert with_gpus(READ + code) == [[FIRST, SECOND, THIRD, *MIGS]] * 2


@pytest.mark.parametrize(("code", "reason"), [("9", "Driver Not Loaded"), ("18", "NVML/RM version mismatch")])
def test_a_driver_that_does_not_answer_is_said_once(with_gpus: Run, code: str, reason: str) -> None:
    """A library without a working driver is one DEBUG line with NVML's reason, and no metrics."""
    collected, lines = with_gpus(
        COLLECT + "print(json.dumps([[collect(), collect()], lines]))",
        FAKE_NVML_INIT=code,
    )
    assert collected == [{}, {}]
    assert [(name, level) for name, level, _text in lines] == [("otelkit", "DEBUG")]
    assert reason in lines[0][2]
