# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""This process: CPU, memory, disk, threads, file descriptors, context switches, page faults."""

from __future__ import annotations

import os
import time
from typing import Any

from otelkit import semconv
from otelkit.devices._part import Reading, add, quietly

__all__ = ("METRICS", "Process")

METRICS = (
    semconv.PROCESS_CPU_TIME,
    semconv.PROCESS_CPU_UTILIZATION,
    semconv.PROCESS_MEMORY_USAGE,
    semconv.PROCESS_MEMORY_VIRTUAL,
    semconv.PROCESS_MEMORY_UTILIZATION,
    semconv.PROCESS_DISK_IO,
    semconv.PROCESS_THREAD_COUNT,
    semconv.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
    semconv.PROCESS_UPTIME,
    semconv.PROCESS_CONTEXT_SWITCHES,
    semconv.PROCESS_PAGING_FAULTS,
)


class Process:
    """
    The process that builds it, by psutil.

    Left out, as no source tells the truth of them: network bytes (kept per
    namespace, not per process) and disk operations (Linux counts read and
    write calls, those on pipes and sockets included).
    """

    metrics = METRICS

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._total_bytes = psutil.virtual_memory().total
        self._cpu_before: tuple[float, float] | None = None

    def read(self) -> Reading:
        """Return all that the platform tells. Cost: half a millisecond on Linux."""
        reading: Reading = {}
        with self._process.oneshot():
            for step in (
                self._cpu,
                self._memory,
                self._disk,
                self._threads,
                self._file_descriptors,
                self._uptime,
                self._context_switches,
                self._page_faults,
            ):
                with quietly(f"devices.process.{step.__name__.strip('_')}"):
                    step(reading)
        return reading

    def close(self) -> None:
        """Nothing is held."""

    def _cpu(self, reading: Reading) -> None:
        now = time.monotonic()
        times = self._process.cpu_times()
        before, self._cpu_before = self._cpu_before, (now, times.user + times.system)
        add(reading, semconv.PROCESS_CPU_TIME, times.user, {semconv.CPU_MODE: "user"})
        add(reading, semconv.PROCESS_CPU_TIME, times.system, {semconv.CPU_MODE: "system"})
        if before is not None and now > before[0]:
            share = (times.user + times.system - before[1]) / (now - before[0]) / _available_cpus()
            # The kernel counts CPU time in ticks of 10 ms: over a short interval the quotient can pass 1.
            add(reading, semconv.PROCESS_CPU_UTILIZATION, min(1.0, max(0.0, share)))

    def _memory(self, reading: Reading) -> None:
        memory = self._process.memory_info()
        add(reading, semconv.PROCESS_MEMORY_USAGE, memory.rss)
        add(reading, semconv.PROCESS_MEMORY_VIRTUAL, memory.vms)
        add(reading, semconv.PROCESS_MEMORY_UTILIZATION, memory.rss / self._total_bytes)

    def _disk(self, reading: Reading) -> None:
        if hasattr(self._process, "io_counters"):
            disk = self._process.io_counters()
            add(reading, semconv.PROCESS_DISK_IO, disk.read_bytes, {semconv.DISK_IO_DIRECTION: "read"})
            add(reading, semconv.PROCESS_DISK_IO, disk.write_bytes, {semconv.DISK_IO_DIRECTION: "write"})

    def _threads(self, reading: Reading) -> None:
        add(reading, semconv.PROCESS_THREAD_COUNT, self._process.num_threads())

    def _file_descriptors(self, reading: Reading) -> None:
        if hasattr(self._process, "num_fds"):
            add(reading, semconv.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT, self._process.num_fds())

    def _uptime(self, reading: Reading) -> None:
        add(reading, semconv.PROCESS_UPTIME, max(0.0, time.time() - self._process.create_time()))

    def _context_switches(self, reading: Reading) -> None:
        kind = semconv.PROCESS_CONTEXT_SWITCH_TYPE
        usage = _usage()
        if usage is None:  # Windows: psutil has only the sum, and a 0 for the other
            switches = self._process.num_ctx_switches()
            add(reading, semconv.PROCESS_CONTEXT_SWITCHES, switches.voluntary, {kind: "voluntary"})
            return
        # Not psutil's on Linux: those of /proc/PID/status are the main thread's alone.
        add(reading, semconv.PROCESS_CONTEXT_SWITCHES, usage.ru_nvcsw, {kind: "voluntary"})
        add(reading, semconv.PROCESS_CONTEXT_SWITCHES, usage.ru_nivcsw, {kind: "involuntary"})

    def _page_faults(self, reading: Reading) -> None:
        usage = _usage()
        if usage is not None:
            kind = semconv.SYSTEM_PAGING_FAULT_TYPE
            add(reading, semconv.PROCESS_PAGING_FAULTS, usage.ru_majflt, {kind: "major"})
            add(reading, semconv.PROCESS_PAGING_FAULTS, usage.ru_minflt, {kind: "minor"})


def _usage() -> Any:
    """Return what the kernel counts of this process, all its threads together; None where it does not (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF)


def _available_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1
