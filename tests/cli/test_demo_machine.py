# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's lines about host, process and GPUs."""

from __future__ import annotations

import contextlib
import time

from otelkit import semconv
from otelkit.cli import _demo_machine as demo
from otelkit.devices._part import KEEP_S, Labels, Reading

MIB = 1 << 20


def gpu(number: int, **more: str) -> Labels:
    return {semconv.HW_ID: f"GPU-{number}", semconv.HW_NAME: f"H{number}", **more}


def test_this_machine_has_a_host_a_process_and_a_gpu_line():
    """Memory and threads at once; shares of CPU time from the second reading on."""
    with contextlib.closing(demo.Machine()) as machine:
        first = {reading.name: reading.text for reading in machine.readings()}
        time.sleep(KEEP_S * 2)
        second = {reading.name: reading.text for reading in machine.readings()}
    assert "memory" in first["host"]
    assert "cpu" not in first["host"]
    assert "threads" in first["process"]
    assert "cpu" in second["host"]
    assert "cpu" in second["process"]
    assert any(name.startswith("gpu") for name in second)


def test_idle_time_is_no_use_of_a_cpu():
    """Two CPUs, one fully busy and one waiting, are at half."""
    shares = [
        (0.75, {semconv.CPU_MODE: "user", semconv.CPU_LOGICAL_NUMBER: 0}),
        (0.25, {semconv.CPU_MODE: "system", semconv.CPU_LOGICAL_NUMBER: 0}),
        (0.9, {semconv.CPU_MODE: "idle", semconv.CPU_LOGICAL_NUMBER: 1}),
        (0.1, {semconv.CPU_MODE: "iowait", semconv.CPU_LOGICAL_NUMBER: 1}),
    ]
    assert demo.host_line({semconv.SYSTEM_CPU_UTILIZATION: shares}).text == "cpu  50% of 2"


def test_each_gpu_says_what_it_can():
    """A device without power reading has no watts, rather than 0; a lost one says so."""
    reading: Reading = {
        semconv.HW_STATUS: [(0, gpu(0, **{semconv.HW_STATE: "failed"})), (1, gpu(1, **{semconv.HW_STATE: "failed"}))],
        semconv.HW_GPU_UTILIZATION: [
            (0.2, gpu(0, **{semconv.HW_GPU_TASK: "encoder"})),
            (0.42, gpu(0, **{semconv.HW_GPU_TASK: "general"})),
        ],
        semconv.HW_GPU_MEMORY_USAGE: [(512 * MIB, gpu(0))],
        semconv.HW_GPU_MEMORY_LIMIT: [(2048 * MIB, gpu(0))],
        semconv.HW_TEMPERATURE: [
            (80.0, gpu(0, **{semconv.HW_SENSOR_LOCATION: "memory"})),
            (61.0, gpu(0, **{semconv.HW_SENSOR_LOCATION: "gpu"})),
        ],
    }
    assert demo.gpu_lines(reading) == [
        demo.Reading("gpu 0", "H0   busy  42%   memory 512 MiB of 2.0 GiB   61 °C"),
        demo.Reading("gpu 1", "H1   failed"),
    ]


def test_without_a_gpu_it_says_so():
    """No reading is one line, not none."""
    assert demo.gpu_lines({}) == [demo.Reading("gpu", "none found")]
