# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - tables of data, in the typography of the pages
"""A machine with two GPUs, one of them hot."""

from __future__ import annotations

from typing import Any

from dashboard.invented.shared import COUNT, FINDINGS, NOW, line, rise, shown, wave

from otelkit.viewer.api.shapes import finding, heatmap, host


def _gpu(
    number: int, busy: float, used: float, clock: list[Any], heat: list[Any], power: float, hot: bool
) -> host.GpuRow:
    status: Any = "warn" if hot else "ok"
    return host.GpuRow(
        id=f"GPU-{number}", name=f"GPU {number}", model="NVIDIA L40S", host="node-1", status=status,
        busy=line("busy", wave(busy, 0.02), "1"), memory=line("memory", [used * 2**30] * COUNT, "By", limit=48 * 2**30),
        clock=line("clock", clock, "Hz", status=status), temperature=line("temperature", heat, "Cel", status=status, limit=87),
        power=line("power", wave(power, 0.02), "W", limit=350), throttled=["thermal"] if hot else [],
        processes={"embed.py (4183)": used * 2**30},
    )  # fmt: skip


GPUS = [
    _gpu(0, 0.62, 20.2, wave(2.52e9, 0.001), wave(71, 0.005), 288, hot=False),
    _gpu(1, 0.69, 11.2, rise(2.52e9, 2.19e9, 0.1, 0.4), rise(70, 86, 0.1, 0.4), 276, hot=True),
]


MACHINE = host.Machine(
    host="node-1", core_count=8,
    cores=heatmap.Pixels(rows=[heatmap.PixelRow(name=f"core {i}", values=wave((0.95, 0.8, 0.75, 0.7, 0.6, 0.2, 0.15, 0.3)[i], 0.1)) for i in range(8)]),
    cpu=line("CPU", wave(0.61), "1"), memory=line("memory", [v * 2**30 for v in rise(44, 47.2, 0.1, 0.8)], "By", limit=64 * 2**30),
    disk=line("disk", wave(38 * 2**20, 0.25), "By/s"), gpus=GPUS,
)  # fmt: skip


def the_host() -> host.Host:
    """Return one machine's page."""
    rows = [
        host.ProcessRow(instance=f"i{i}", name=f"gunicorn worker {i}", pid=4100 + i, cpu=line("cpu", wave(0.4), "{cpu}"), memory=line("memory", wave(180e6, 0.01), "By"), threads=12, descriptors=44, collections=line("gc", wave(0.8), "/s"), started=NOW - 9000, last_seen=NOW, stale=False)
        for i in range(1, 5)
    ]  # fmt: skip
    return host.Host(range=shown(), headline=finding.Headline(text="GPU 1 is throttled, the rest is as usual", note="", state="findings"), findings=FINDINGS[2:], machine=MACHINE,
                     swap=line("swap", wave(2e8, 0.01), "By"), disk=[line("nvme0 read", wave(20e6, 0.2), "By/s"), line("nvme0 write", wave(12e6, 0.2), "By/s")], network=[line("eth0 received", wave(4e6, 0.2), "By/s"), line("eth0 sent", wave(9e6, 0.2), "By/s")],
                     filesystems=[host.Filesystem(mountpoint="/", device="nvme0n1p2", used=212e9, size=480e9, full_in_s=None)], processes=rows)  # fmt: skip
