# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard of machines and processes, and of otelkit itself."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.choices import CHOSEN, programs
from otelkit.dashboards.drawing import Drawing
from otelkit.dashboards.panel import Dashboard, Row
from otelkit.dashboards.promql import PROCESS, PROGRAM, label, part_of, rate, series, total

__all__ = ("LOW_MEMORY", "SYSTEM")

LOW_MEMORY = 0.10
"""Share of the memory that is left when it becomes too little."""

_FULL = 0.9
_NO_FILES = "containers may have no block device or filesystem of their own"

_hosts = Drawing(CHOSEN, by=(PROCESS,))
_used = Drawing((*CHOSEN, f'{label(semconv.SYSTEM_FILESYSTEM_STATE)}="used"'), by=(PROCESS,))
_processes = Drawing(CHOSEN, by=(PROGRAM, PROCESS))
_own = Drawing(CHOSEN, by=(PROGRAM,), empty="Nothing to tell", may_be_empty="appears when there is something to tell")


def _available() -> str:
    free, size = (
        total(series(metric, *CHOSEN), PROCESS)
        for metric in (semconv.SYSTEM_MEMORY_LINUX_AVAILABLE, semconv.SYSTEM_MEMORY_LIMIT)
    )
    return f"{free} / {size}"


def _busy() -> str:
    idle = series(semconv.SYSTEM_CPU_UTILIZATION, *CHOSEN, f'{label(semconv.CPU_MODE)}="idle"')
    return f"1 - {total(idle, PROCESS, how='avg')}"


_HOST = Row(
    "Machine, as each instance sees it",
    (
        _hosts.panel("CPU", "Share of the CPUs' time that was not idle.", "percentunit", _busy(), maximum=1.0),
        _hosts.level(
            semconv.SYSTEM_CPU_UTILIZATION, "CPU by mode", "Mean over the logical CPUs.", semconv.CPU_MODE, how="avg",
        ),
        _hosts.panel(
            "Memory available", "Share that programs can still have without swapping.", "percentunit", _available(),
            maximum=1.0,
        ),
        _hosts.level(
            semconv.SYSTEM_MEMORY_USAGE, "Memory by state", "The states add up to what there is.",
            semconv.SYSTEM_MEMORY_STATE,
        ),
        _hosts.rate(
            semconv.SYSTEM_DISK_IO, "Disks", "Bytes per second.", semconv.SYSTEM_DEVICE, semconv.DISK_IO_DIRECTION,
            empty="No block device", may_be_empty=_NO_FILES,
        ),
        _used.level(
            semconv.SYSTEM_FILESYSTEM_UTILIZATION, "Filesystems", "Share of the space that is used.",
            semconv.SYSTEM_FILESYSTEM_MOUNTPOINT, limit=_FULL, maximum=1.0,
            empty="No filesystem", may_be_empty=_NO_FILES,
        ),
        _hosts.rate(
            semconv.SYSTEM_NETWORK_IO, "Network", "Bytes per second, by interface.", semconv.NETWORK_INTERFACE_NAME,
            semconv.NETWORK_IO_DIRECTION,
        ),
        _hosts.rate(
            semconv.SYSTEM_NETWORK_ERRORS, "Network errors", "Errors per second, by interface.",
            semconv.NETWORK_INTERFACE_NAME, semconv.NETWORK_IO_DIRECTION,
        ),
    ),
)  # fmt: skip

_HOST_MORE = Row(
    "Machine, in detail",
    (
        _hosts.rate(
            semconv.SYSTEM_DISK_IO_TIME, "Disks busy", "Seconds per second in which a disk had something to do.",
            semconv.SYSTEM_DEVICE, width=8, empty="No block device", may_be_empty=_NO_FILES,
        ),
        _hosts.rate(
            semconv.SYSTEM_DISK_OPERATIONS, "Disk operations", "Per second.", semconv.SYSTEM_DEVICE,
            semconv.DISK_IO_DIRECTION, width=8, empty="No block device", may_be_empty=_NO_FILES,
        ),
        _hosts.rate(
            semconv.SYSTEM_DISK_OPERATION_TIME, "Time of disk operations",
            "Seconds per second that operations took, waiting included.", semconv.SYSTEM_DEVICE,
            semconv.DISK_IO_DIRECTION, width=8, empty="No block device", may_be_empty=_NO_FILES,
        ),
        _hosts.rate(
            semconv.SYSTEM_NETWORK_PACKET_COUNT, "Packets", "Per second.", semconv.SYSTEM_DEVICE,
            semconv.NETWORK_IO_DIRECTION, width=8,
        ),
        _hosts.rate(
            semconv.SYSTEM_NETWORK_PACKET_DROPPED, "Packets dropped", "Per second.", semconv.NETWORK_INTERFACE_NAME,
            semconv.NETWORK_IO_DIRECTION, width=8,
        ),
        _hosts.level(
            semconv.SYSTEM_PAGING_USAGE, "Swap", "Bytes, by state.", semconv.SYSTEM_PAGING_STATE, width=8,
             empty="No swap", may_be_empty="the kernel does not tell of swap everywhere",
        ),
        _hosts.level(
            semconv.SYSTEM_CPU_FREQUENCY, "CPU frequency", "Mean over the logical CPUs.", how="avg", width=12,
            empty="The kernel does not tell", may_be_empty="virtual machines hide it",
        ),
        _hosts.level(semconv.SYSTEM_UPTIME, "Up since", "Time the machine has been running.", how="max", width=12),
    ),
    folded=True,
)  # fmt: skip

_PROCESS = Row(
    "Processes",
    (
        _processes.level(
            semconv.PROCESS_CPU_UTILIZATION, "CPU", "Share of the CPUs that the process may use.", width=8, maximum=1.0,
        ),
        _processes.level(semconv.PROCESS_MEMORY_USAGE, "Memory", "Physical memory in use.", width=8),
        _processes.level(
            semconv.PROCESS_UPTIME, "Running since", "Time since the process started; falls to 0 when it is restarted.",
            how="max", width=8,
        ),
        _processes.level(semconv.PROCESS_THREAD_COUNT, "Threads", "Threads of the process.", width=8),
        _processes.level(
            semconv.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT, "File descriptors", "What only rises is not closed.", width=8,
        ),
        _processes.rate(
            semconv.PROCESS_DISK_IO, "Disk", "Bytes per second that the process reads and writes.",
            semconv.DISK_IO_DIRECTION, width=8, empty="Not to be seen by this user",
            may_be_empty="/proc/PID/io may be closed",
        ),
        _processes.rate(
            semconv.PROCESS_CONTEXT_SWITCHES, "Context switches", "Per second; involuntary ones: too few CPUs.",
            semconv.PROCESS_CONTEXT_SWITCH_TYPE, width=8,
        ),
        _processes.rate(
            semconv.PROCESS_PAGING_FAULTS, "Page faults", "Per second; major ones read from disk.",
            semconv.SYSTEM_PAGING_FAULT_TYPE, width=8,
        ),
        _processes.rate(
            semconv.CPYTHON_GC_COLLECTIONS, "Garbage collections", "Per second, by generation.",
            semconv.CPYTHON_GC_GENERATION, width=8,
        ),
    ),
)  # fmt: skip


def _failing() -> str:
    tried = total(rate(semconv.EXPORTS, *CHOSEN), PROGRAM, semconv.EXPORTER)
    failed = total(rate(semconv.EXPORTS, *CHOSEN, f'{label(semconv.OUTCOME)}!="success"'), PROGRAM, semconv.EXPORTER)
    return part_of(failed, tried)


_TELEMETRY = Row(
    "otelkit itself",
    (
        _own.rate(
            semconv.EXPORTS, "Exports", "Exports per second, by exporter and outcome.", semconv.EXPORTER,
            semconv.OUTCOME, width=8, empty="No exports",
        ),
        _own.panel(
            "Exports that fail", "Share of the exports that did not succeed.", "percentunit", _failing(),
            semconv.EXPORTER, width=8, limit=0.1, empty="No exports",
        ),
        _own.rate(
            semconv.DROPPED, "Dropped", "What otelkit had to drop, per second, and why.", semconv.METRIC,
            semconv.REASON, width=8, empty="Nothing dropped",
        ),
        _own.rate(
            semconv.OVERFLOWED, "Overflowed", "Observations per second beyond a metric's limit of label sets.",
            semconv.METRIC, semconv.LABEL, width=8, empty="No overflow",
        ),
        _own.rate(
            semconv.FAILURES, "Failures", "Failures per second in otelkit, kept from the program.", semconv.WHERE,
            semconv.ERROR_TYPE, width=8, empty="No failures",
        ),
        _own.level(semconv.SERIES, "Series", "Label sets that otelkit keeps.", width=8),
        _own.rate(
            semconv.CPU_TIME, "CPU", "CPUs that otelkit's own threads use.", semconv.ACTIVITY, width=8, kind="stacked",
        ),
        _own.quantile(
            semconv.EXPORT_DURATION, "Export, p95", "Time that an export takes, sending included.", semconv.EXPORTER,
            semconv.SIGNAL, width=8,
        ),
        _own.quantile(semconv.COLLECTION_DURATION, "Collection, p95", "Time that reading all cells takes.", width=8),
        _own.quantile(
            semconv.SCRAPE_DURATION, "Scrape, p95", "Time that it takes to make a page for Prometheus.", width=6,
            empty="No scrapes", may_be_empty="only programs that are scraped have this",
        ),
        _own.panel(
            "Span queue", "Share of the places that wait for export; at 1 spans are dropped.", "percentunit",
            f"{total(series(semconv.SPAN_QUEUE_SIZE, *CHOSEN), PROGRAM, semconv.EXPORTER)}"
            f" / {total(series(semconv.SPAN_QUEUE_LIMIT, *CHOSEN), PROGRAM, semconv.EXPORTER)}",
            semconv.EXPORTER, width=6, maximum=1.0, empty="No spans are exported",
        ),
        _own.level(
            semconv.SPAN_BUFFER_SIZE, "Spans that wait for a receiver", "In memory and on disk.", semconv.STORAGE,
            width=6, kind="stacked", empty="None",
        ),
        _own.level(
            semconv.SAMPLER_PROBABILITY, "Sampling", "Probability with which a trace is kept.", how="min", width=6,
            maximum=1.0, empty="No adaptive sampler", may_be_empty="only the adaptive samplers tell",
        ),
    ),
)  # fmt: skip

SYSTEM = Dashboard(
    "otelkit-system",
    "System Overview",
    "Machines, processes, and what otelkit says about itself.",
    programs(series(semconv.PROCESS_UPTIME)),
    (_HOST, _HOST_MORE, _PROCESS, _TELEMETRY),
)
