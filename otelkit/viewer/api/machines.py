# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Machines: cores, memory, disk and GPUs, as processes on them report.

Each process with otelkit may report its host. They all say the same, so of every host and GPU one process is believed,
the one that reports longest of those that still do: adding them up would count everything several times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.viewer.api import marks
from otelkit.viewer.api.calls import Row, rates
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.groups import Group
from otelkit.viewer.api.reader import Kind
from otelkit.viewer.api.shapes.heatmap import PixelRow, Pixels
from otelkit.viewer.api.shapes.host import Machine
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Series

HOST = "host.name"
UNNAMED = "this machine"
SILENT_S = 180.0
MOST_ROWS = 24
_HOST_METRICS = (semconv.SYSTEM_CPU_UTILIZATION, semconv.SYSTEM_CPU_TIME, semconv.SYSTEM_MEMORY_USAGE)
_IDLE = ("idle", "iowait")


@dataclass(slots=True)
class Source:
    """A host, the process that is believed about it, and all processes on it that were heard of."""

    host: str
    instance: str
    last_ns: int
    instances: set[str] = field(default_factory=set)

    def is_believed(self, series: Series) -> bool:
        """Tell whether a series comes from the process that is believed."""
        return series.instance == self.instance and host_of(series) == self.host


def host_of(series: Series) -> str:
    """Return host.name; most programs do not send it, and run here."""
    return str(series.resource.get(HOST) or series.resource.get("host.id") or UNNAMED)


def sources(context: Context) -> dict[str, Source]:
    """Return who reports which host."""
    reports: dict[str, dict[str, tuple[int, int]]] = {}
    for metric in _HOST_METRICS:
        for each in context.reader.series(metric.name):
            of = reports.setdefault(host_of(each), {})
            first, last = of.get(each.instance, (each.first_ns, 0))
            of[each.instance] = (min(first, each.first_ns), max(last, each.last_ns))
    found = {}
    for host, processes in reports.items():
        latest = max(last for _, last in processes.values())
        alive = {key: first for key, (first, last) in processes.items() if latest - last < SILENT_S * SECOND}
        believed = min(sorted(alive), key=alive.__getitem__)
        found[host] = Source(host, believed, latest, set(processes))
    return found


class Machines:
    """Reads metrics of one host over a span."""

    def __init__(self, context: Context, span: Span, source: Source) -> None:
        self._context, self._span, self._source = context, span, source

    def read(self, kind: Kind, metric: Metric, by: Sequence[str]) -> dict[tuple[str, ...], Group]:
        """Return groups of the process that is believed."""
        mark = ("machine", self._source.host, self._source.instance)
        return self._context.reader.read(kind, (metric.name,), by, self._span, (), self._source.is_believed, mark)

    def gauge(
        self, metric: Metric, wanted: Callable[[tuple[str, ...]], bool], by: Sequence[str]
    ) -> tuple[Row, int] | None:
        """Return the sum of readings of the label sets that are wanted, and their interval; None without any."""
        groups = [group for key, group in self.read("gauges", metric, by).items() if wanted(key)]
        if not groups:
            return None
        return _sum([_first(group) for group in groups]), max(group.every for group in groups)

    def rate(self, metric: Metric, by: Sequence[str]) -> dict[tuple[str, ...], tuple[Row, int]]:
        """Return what counters rose by, a second."""
        return {
            key: (rates(_first(group), self._span, group.last, group.first), group.every)
            for key, group in self.read("sums", metric, by).items()
        }

    def cores(self) -> tuple[Pixels, Line, int] | None:
        """Return the load of each core, of all of them, and how many they are."""
        by = (semconv.CPU_LOGICAL_NUMBER, semconv.CPU_MODE)
        loads: dict[str, list[Row]] = {}
        every = 0
        for (core, mode), group in self.read("gauges", semconv.SYSTEM_CPU_UTILIZATION, by).items():
            if mode not in _IDLE:
                loads.setdefault(core, []).append(_first(group))
                every = max(every, group.every)
        if not loads:
            return None
        rows = {core: _sum(parts) for core, parts in loads.items()}
        ordered = [rows[core] for core in sorted(rows, key=lambda core: (len(core), core))]
        grouped = -(-len(ordered) // MOST_ROWS)
        pixels = [
            PixelRow(
                name=_core_name(start, grouped, len(ordered)), values=_rounded(_mean(ordered[start : start + grouped]))
            )
            for start in range(0, len(ordered), grouped)
        ]
        whole = marks.line("CPU", _mean(ordered), self._span, "1", every, limit=1.0)
        return Pixels(rows=pixels, grouped=grouped), whole, len(ordered)

    def memory(self) -> Line | None:
        """Return the bytes in use, with the size as limit."""
        by = (semconv.SYSTEM_MEMORY_STATE,)
        used = self.gauge(semconv.SYSTEM_MEMORY_USAGE, lambda key: key[0] == "used", by)
        if used is None:
            return None
        size = self.gauge(semconv.SYSTEM_MEMORY_LIMIT, lambda _: True, ())
        limit = last(size[0]) if size else None
        return marks.line("memory", used[0], self._span, "By", used[1], limit=limit)

    def disk(self) -> Line | None:
        """Return bytes a second, read and written, over all devices."""
        found = self.rate(semconv.SYSTEM_DISK_IO, (semconv.SYSTEM_DEVICE, semconv.DISK_IO_DIRECTION))
        if not found:
            return None
        row = _sum([row for row, _ in found.values()])
        return marks.line("disk", row, self._span, "By/s", max(every for _, every in found.values()))


def read(context: Context, span: Span, source: Source) -> Machine:
    """Return one machine in short."""
    from otelkit.viewer.api import gpus

    machines = Machines(context, span, source)
    cores = machines.cores()
    return Machine(
        host=source.host,
        core_count=cores[2] if cores else None,
        cores=cores[0] if cores else None,
        cpu=cores[1] if cores else None,
        memory=machines.memory(),
        disk=machines.disk(),
        gpus=gpus.read(context, span, source.host),
    )


def most_active(context: Context, span: Span) -> Machine | None:
    """Return the machine for the Overview: the one with most processes."""
    found = sources(context)
    if not found:
        return None
    return read(context, span, max(found.values(), key=lambda each: (len(each.instances), each.last_ns)))


def _first(group: Group) -> Row:
    return [each[0] if each is not None else None for each in group.steps]


def _sum(parts: Sequence[Row]) -> Row:
    return [sum(known) if (known := [x for x in step if x is not None]) else None for step in zip(*parts, strict=True)]


def _mean(parts: Sequence[Row]) -> Row:
    return [
        sum(known) / len(known) if (known := [x for x in step if x is not None]) else None
        for step in zip(*parts, strict=True)
    ]


def _rounded(row: Row) -> Row:
    return [None if each is None else round(each, 3) for each in row]


def _core_name(start: int, grouped: int, count: int) -> str:
    end = min(start + grouped, count) - 1
    return f"core {start}" if grouped == 1 else f"cores {start} to {end}"


def last(row: Row) -> float | None:
    """Return the last value of a row that there is."""
    return next((each for each in reversed(row) if each is not None), None)
