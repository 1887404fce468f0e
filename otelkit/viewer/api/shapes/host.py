# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Machines, their processes and their GPUs."""

from __future__ import annotations

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.finding import Finding, Headline, Status
from otelkit.viewer.api.shapes.heatmap import Pixels
from otelkit.viewer.api.shapes.line import Line


class GpuRow(msgspec.Struct, kw_only=True):
    """
    One GPU. What the device does not tell is null: draw no column where all rows have null.

    Attributes:
        id: hw.id.
        name: "GPU 0".
        model: "NVIDIA L40S".
        busy: Share of the time, 0 to 1; ``values`` on the axis, as with all of these.
        memory: Bytes; ``limit`` is its size.
        clock: Of the SM, Hz.
        temperature: Cel.
        power: W.
        throttled: The reasons that the driver gives now; empty if none or not known.
        processes: Bytes by process.
    """

    id: str
    name: str
    model: str
    host: str
    status: Status
    busy: Line | None
    memory: Line | None
    clock: Line | None
    temperature: Line | None
    power: Line | None
    energy_per_s: float | None = None
    throttled: list[str] = []
    errors: int = 0
    processes: dict[str, float] = {}


class Machine(msgspec.Struct, kw_only=True):
    """
    One machine in short.

    Attributes:
        cores: Load of each core; over 24 of them are grouped.
        cpu: Share over all cores, 0 to 1, on the axis.
        memory: Bytes used; ``limit`` is the size.
        disk: Bytes a second read and written, over all devices.
        gpus: Its GPUs.
    """

    host: str
    core_count: int | None
    cores: Pixels | None
    cpu: Line | None
    memory: Line | None
    disk: Line | None
    gpus: list[GpuRow]


class HostRow(msgspec.Struct, kw_only=True):
    """One machine in the list."""

    machine: Machine
    processes: int
    status: Status
    last_seen: float
    stale: bool


class Hosts(msgspec.Struct, kw_only=True):
    """All machines that report themselves, those with findings first."""

    range: Range
    headline: Headline
    hosts: list[HostRow]


class ProcessRow(msgspec.Struct, kw_only=True):
    """
    One process on a machine.

    Attributes:
        instance: service.instance.id.
        name: service.name, with "worker n" or the pid.
        cpu: Cores in use, on the axis.
        memory: Resident bytes, on the axis.
        threads, descriptors: Last values.
        collections: Garbage collections a second.
        started: Unix seconds.
    """

    instance: str
    name: str
    pid: int | None
    cpu: Line | None
    memory: Line | None
    threads: float | None
    descriptors: float | None
    collections: Line | None
    started: float | None
    last_seen: float
    stale: bool


class Filesystem(msgspec.Struct, kw_only=True):
    """One mounted filesystem; ``full_in_s``: seconds until it is full at the slope of the range, else null."""

    mountpoint: str
    device: str
    used: float
    size: float
    full_in_s: float | None


class Host(msgspec.Struct, kw_only=True):
    """
    One machine.

    Attributes:
        swap: Bytes used.
        disk: Read and write of each device that did anything, bytes a second.
        network: The same of each interface.
    """

    range: Range
    headline: Headline
    findings: list[Finding]
    machine: Machine
    swap: Line | None
    disk: list[Line]
    network: list[Line]
    filesystems: list[Filesystem]
    processes: list[ProcessRow]
