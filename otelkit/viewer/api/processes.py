# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that report themselves."""

from __future__ import annotations

from otelkit import semconv
from otelkit.viewer.api import machines, marks
from otelkit.viewer.api.calls import Row, rates
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.groups import Group
from otelkit.viewer.api.shapes.host import ProcessRow
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Series

_BY = ("service.instance.id",)
MOST = 200


def read(context: Context, span: Span, host: str) -> list[ProcessRow]:
    """Return the processes of a host, those that use most CPU first."""
    series: dict[str, Series] = {}
    for metric in (semconv.PROCESS_MEMORY_USAGE, semconv.PROCESS_CPU_TIME):
        for each in context.reader.series(metric.name):
            if machines.host_of(each) == host and each.last_ns >= span.from_ns:
                series[each.instance] = each
    reading = _Reading(context, span)
    rows = [_row(reading, span, instance, each) for instance, each in series.items()]
    rows.sort(key=lambda row: (row.stale, -((row.cpu.last if row.cpu else None) or 0.0), row.name))
    return rows[:MOST]


class _Reading:
    """Metrics by process."""

    def __init__(self, context: Context, span: Span) -> None:
        reader = context.reader
        self.span = span
        self.cpu = reader.read("sums", (semconv.PROCESS_CPU_TIME.name,), _BY, span)
        self.memory = reader.read("gauges", (semconv.PROCESS_MEMORY_USAGE.name,), _BY, span)
        self.threads = reader.read("gauges", (semconv.PROCESS_THREAD_COUNT.name,), _BY, span)
        self.descriptors = reader.read("gauges", (semconv.PROCESS_UNIX_FILE_DESCRIPTOR_COUNT.name,), _BY, span)
        self.collections = reader.read("sums", (semconv.CPYTHON_GC_COLLECTIONS.name,), _BY, span)
        self.uptime = reader.read("gauges", (semconv.PROCESS_UPTIME.name,), _BY, span)

    def rate_line(self, name: str, group: Group | None, unit: str) -> Line | None:
        if group is None:
            return None
        return marks.line(name, rates(_first(group), self.span, group.last, group.first), self.span, unit, group.every)

    def gauge_line(self, name: str, group: Group | None, unit: str) -> Line | None:
        return marks.line(name, _first(group), self.span, unit, group.every) if group is not None else None


def _row(reading: _Reading, span: Span, instance: str, series: Series) -> ProcessRow:
    key = (instance,)
    resource = series.resource
    pid = resource.get("process.pid")
    uptime = machines.last(_first(reading.uptime.get(key)))
    seen = series.last_ns / SECOND
    every = max((group.every for group in (reading.memory.get(key), reading.cpu.get(key)) if group), default=0) / SECOND
    return ProcessRow(
        instance=instance,
        name=str(resource.get("service.name") or resource.get("process.executable.name") or "unknown"),
        pid=pid if isinstance(pid, int) else None,
        cpu=reading.rate_line("CPU", reading.cpu.get(key), "{core}"),
        memory=reading.gauge_line("memory", reading.memory.get(key), "By"),
        threads=machines.last(_first(reading.threads.get(key))),
        descriptors=machines.last(_first(reading.descriptors.get(key))),
        collections=reading.rate_line("collections", reading.collections.get(key), "/s"),
        started=seen - uptime if uptime is not None else None,
        last_seen=seen,
        stale=span.live and span.now - seen > 3 * (every or 60.0) + 2,
    )


def _first(group: Group | None) -> Row:
    return [each[0] if each is not None else None for each in group.steps] if group is not None else []
