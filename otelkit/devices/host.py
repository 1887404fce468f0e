# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The host: CPUs, memory, swap, disks, filesystems, network."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from otelkit import semconv
from otelkit.devices._part import Labels, Reading, add, quietly

__all__ = ("METRICS", "Host")

METRICS = (
    semconv.SYSTEM_CPU_TIME,
    semconv.SYSTEM_CPU_UTILIZATION,
    semconv.SYSTEM_CPU_LOGICAL_COUNT,
    semconv.SYSTEM_CPU_PHYSICAL_COUNT,
    semconv.SYSTEM_CPU_FREQUENCY,
    semconv.SYSTEM_MEMORY_USAGE,
    semconv.SYSTEM_MEMORY_UTILIZATION,
    semconv.SYSTEM_MEMORY_LIMIT,
    semconv.SYSTEM_MEMORY_LINUX_AVAILABLE,
    semconv.SYSTEM_PAGING_USAGE,
    semconv.SYSTEM_PAGING_UTILIZATION,
    semconv.SYSTEM_DISK_IO,
    semconv.SYSTEM_DISK_OPERATIONS,
    semconv.SYSTEM_DISK_MERGED,
    semconv.SYSTEM_DISK_IO_TIME,
    semconv.SYSTEM_DISK_OPERATION_TIME,
    semconv.SYSTEM_FILESYSTEM_USAGE,
    semconv.SYSTEM_FILESYSTEM_UTILIZATION,
    semconv.SYSTEM_FILESYSTEM_LIMIT,
    semconv.SYSTEM_NETWORK_IO,
    semconv.SYSTEM_NETWORK_PACKET_COUNT,
    semconv.SYSTEM_NETWORK_PACKET_DROPPED,
    semconv.SYSTEM_NETWORK_ERRORS,
    semconv.SYSTEM_UPTIME,
)

_CPU_MODES = {
    "user": "user",
    "system": "system",
    "nice": "nice",
    "idle": "idle",
    "iowait": "iowait",
    "irq": "interrupt",
    "softirq": "interrupt",
    "interrupt": "interrupt",  # Windows
    "steal": "steal",
}
"""psutil's fields and the conventions' modes. guest is in user already, and dpc in Windows' system."""


class Host:
    """
    The host that the process runs on, by psutil.

    Left out: connections and processes (a walk through all of /proc), paging
    operations (psutil has bytes only), and what needs more rights than a
    program has.
    """

    metrics = METRICS

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._cpu_times: list[dict[str, float]] = []

    def read(self) -> Reading:
        """Return all that the platform tells. Cost: about a millisecond for a small Linux host."""
        reading: Reading = {}
        for step in (
            self._cpu,
            self._cpu_counts,
            self._frequency,
            self._memory,
            self._swap,
            self._disks,
            self._filesystems,
            self._network,
            self._uptime,
        ):
            with quietly(f"devices.host.{step.__name__.strip('_')}"):
                step(reading)
        return reading

    def close(self) -> None:
        """Nothing is held."""

    def _cpu(self, reading: Reading) -> None:
        before = self._cpu_times
        now = [_by_mode(times) for times in self._psutil.cpu_times(percpu=True)]
        if len(before) != len(now):  # the first collection, or a CPU came or went
            before = []
        for number, times in enumerate(now):
            elapsed = 0.0
            if before:
                # proc(5): idle and iowait may decrease; a counter may not.
                times = now[number] = {mode: max(seconds, before[number][mode]) for mode, seconds in times.items()}
                elapsed = sum(times.values()) - sum(before[number].values())
            for mode, seconds in times.items():
                labels: Labels = {semconv.CPU_MODE: mode, semconv.CPU_LOGICAL_NUMBER: number}
                add(reading, semconv.SYSTEM_CPU_TIME, seconds, labels)
                if elapsed > 0:
                    share = min(1.0, (seconds - before[number][mode]) / elapsed)  # 1.0000000000008 was seen
                    add(reading, semconv.SYSTEM_CPU_UTILIZATION, share, labels)
        self._cpu_times = now

    def _cpu_counts(self, reading: Reading) -> None:
        add(reading, semconv.SYSTEM_CPU_LOGICAL_COUNT, self._psutil.cpu_count())
        add(reading, semconv.SYSTEM_CPU_PHYSICAL_COUNT, self._psutil.cpu_count(logical=False))

    def _frequency(self, reading: Reading) -> None:
        if not hasattr(self._psutil, "cpu_freq"):
            return
        for number, frequency in enumerate(self._psutil.cpu_freq(percpu=True) or ()):
            if frequency.current:  # 0 where the kernel does not say
                hertz = frequency.current * 1e6
                add(reading, semconv.SYSTEM_CPU_FREQUENCY, hertz, {semconv.CPU_LOGICAL_NUMBER: number})

    def _memory(self, reading: Reading) -> None:
        memory = self._psutil.virtual_memory()
        states = {name: getattr(memory, name) for name in ("free", "cached", "buffers") if hasattr(memory, name)}
        # psutil's "used" overlaps "cached"; the conventions' states add up to the limit.
        states["used"] = max(0, memory.total - sum(states.values()))
        add(reading, semconv.SYSTEM_MEMORY_LIMIT, memory.total)
        for state, amount in states.items():
            labels = {semconv.SYSTEM_MEMORY_STATE: state}
            add(reading, semconv.SYSTEM_MEMORY_USAGE, amount, labels)
            add(reading, semconv.SYSTEM_MEMORY_UTILIZATION, amount / memory.total, labels)
        if sys.platform == "linux":
            add(reading, semconv.SYSTEM_MEMORY_LINUX_AVAILABLE, memory.available)

    def _swap(self, reading: Reading) -> None:
        if sys.platform == "linux" and not os.path.exists("/proc/vmstat"):
            return  # psutil would warn of two fields that are not used here, and put 0 in them
        swap = self._psutil.swap_memory()
        for state, amount in (("used", swap.used), ("free", swap.free)):
            labels = {semconv.SYSTEM_PAGING_STATE: state}
            add(reading, semconv.SYSTEM_PAGING_USAGE, amount, labels)
            if swap.total:
                add(reading, semconv.SYSTEM_PAGING_UTILIZATION, amount / swap.total, labels)

    def _disks(self, reading: Reading) -> None:
        for device, disk in (self._psutil.disk_io_counters(perdisk=True) or {}).items():
            if not _is_whole_device(device) or not disk.read_count + disk.write_count:
                continue  # partitions would count twice; unused loop devices are noise
            for direction in ("read", "write"):
                labels = {semconv.SYSTEM_DEVICE: device, semconv.DISK_IO_DIRECTION: direction}
                add(reading, semconv.SYSTEM_DISK_IO, getattr(disk, f"{direction}_bytes"), labels)
                add(reading, semconv.SYSTEM_DISK_OPERATIONS, getattr(disk, f"{direction}_count"), labels)
                add(reading, semconv.SYSTEM_DISK_MERGED, getattr(disk, f"{direction}_merged_count", None), labels)
                milliseconds = getattr(disk, f"{direction}_time", None)
                if milliseconds is not None:
                    add(reading, semconv.SYSTEM_DISK_OPERATION_TIME, milliseconds / 1e3, labels)
            if hasattr(disk, "busy_time"):
                add(reading, semconv.SYSTEM_DISK_IO_TIME, disk.busy_time / 1e3, {semconv.SYSTEM_DEVICE: device})

    def _filesystems(self, reading: Reading) -> None:
        seen: set[str] = set()
        for partition in self._psutil.disk_partitions():
            if partition.device in seen:  # a container mounts one device in many places
                continue
            seen.add(partition.device)
            with quietly("devices.host.filesystems"):
                _filesystem(reading, partition, self._psutil.disk_usage(partition.mountpoint))

    def _network(self, reading: Reading) -> None:
        for interface, network in (self._psutil.net_io_counters(pernic=True) or {}).items():
            for direction, sent in (("transmit", True), ("receive", False)):
                way = {semconv.NETWORK_IO_DIRECTION: direction}
                # The conventions name the interface system.device here, network.interface.name elsewhere.
                packets = network.packets_sent if sent else network.packets_recv
                add(reading, semconv.SYSTEM_NETWORK_PACKET_COUNT, packets, {semconv.SYSTEM_DEVICE: interface, **way})
                labels = {semconv.NETWORK_INTERFACE_NAME: interface, **way}
                add(reading, semconv.SYSTEM_NETWORK_IO, network.bytes_sent if sent else network.bytes_recv, labels)
                add(reading, semconv.SYSTEM_NETWORK_ERRORS, network.errout if sent else network.errin, labels)
                dropped = network.dropout if sent else network.dropin
                add(reading, semconv.SYSTEM_NETWORK_PACKET_DROPPED, dropped, labels)

    def _uptime(self, reading: Reading) -> None:
        add(reading, semconv.SYSTEM_UPTIME, max(0.0, time.time() - self._psutil.boot_time()))


def _by_mode(times: Any) -> dict[str, float]:
    """Sum psutil's fields by the conventions' mode; a field that the platform lacks makes no mode."""
    modes: dict[str, float] = {}
    for field, mode in _CPU_MODES.items():
        seconds = getattr(times, field, None)
        if seconds is not None:
            modes[mode] = modes.get(mode, 0.0) + seconds
    return modes


def _is_whole_device(name: str) -> bool:
    """Tell a device from its partitions, which Linux lists beside it; elsewhere there are devices only."""
    return sys.platform != "linux" or os.path.exists(f"/sys/block/{name.replace('/', '!')}")


def _filesystem(reading: Reading, partition: Any, usage: Any) -> None:
    common = {
        semconv.SYSTEM_DEVICE: partition.device,
        semconv.SYSTEM_FILESYSTEM_TYPE: partition.fstype,
        semconv.SYSTEM_FILESYSTEM_MODE: "ro" if "ro" in partition.opts.split(",") else "rw",
        semconv.SYSTEM_FILESYSTEM_MOUNTPOINT: partition.mountpoint,
    }
    add(reading, semconv.SYSTEM_FILESYSTEM_LIMIT, usage.total, common)
    reserved = max(0, usage.total - usage.used - usage.free)  # kept back for root
    for state, amount in (("used", usage.used), ("free", usage.free), ("reserved", reserved)):
        labels = {**common, semconv.SYSTEM_FILESYSTEM_STATE: state}
        add(reading, semconv.SYSTEM_FILESYSTEM_USAGE, amount, labels)
        if usage.total:
            add(reading, semconv.SYSTEM_FILESYSTEM_UTILIZATION, amount / usage.total, labels)
