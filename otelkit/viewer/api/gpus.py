# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""GPUs, one row each."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.api import machines, marks
from otelkit.viewer.api.calls import Row, rates, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.groups import Group
from otelkit.viewer.api.reader import Kind
from otelkit.viewer.api.shapes.host import GpuRow
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import Span
from otelkit.viewer.store import Series

_MAIN = "general"
_SM = "sm"


def read(context: Context, span: Span, host: str) -> list[GpuRow]:
    """Return the GPUs of a host, in the order of their first appearance."""
    first: dict[str, Series] = {}
    for metric in (semconv.HW_GPU_UTILIZATION, semconv.HW_GPU_MEMORY_USAGE):
        for each in context.reader.series(metric.name):
            identity = str(each.attributes.get(semconv.HW_ID, ""))
            known = first.get(identity)
            if machines.host_of(each) == host and (known is None or each.last_ns > known.last_ns):
                first[identity] = each
    ordered = sorted(first.items(), key=lambda item: (str(item[1].attributes.get(semconv.HW_NAME, "")), item[0]))
    return [_row(context, span, host, number, key, series) for number, (key, series) in enumerate(ordered)]


class _Gpu:
    """Reads the metrics of one GPU, as one process reports them."""

    def __init__(self, context: Context, span: Span, series: Series) -> None:
        self._context, self._span = context, span
        self._instance = series.instance
        self._id = series.attributes.get(semconv.HW_ID)

    def read(self, kind: Kind, name: str, by: Sequence[str], everyone: bool = False) -> dict[tuple[str, ...], Group]:
        def mine(series: Series) -> bool:
            return series.attributes.get(semconv.HW_ID) == self._id and (everyone or series.instance == self._instance)

        mark = ("gpu", self._id, "" if everyone else self._instance)
        return self._context.reader.read(kind, (name,), by, self._span, (), mine, mark)

    def gauge(self, name: str, by: str = "", prefer: str = "") -> tuple[Row, int] | None:
        """Return readings; of several the preferred label, else the first."""
        found = self.read("gauges", name, (by,) if by else ())
        if not found:
            return None
        group = found.get((prefer,)) or found[min(found)]
        return [each[0] if each is not None else None for each in group.steps], group.every

    def line(self, name: str, read: tuple[Row, int] | None, unit: str, limit: float | None = None) -> Line | None:
        return marks.line(name, read[0], self._span, unit, read[1], limit=limit) if read else None


def _row(context: Context, span: Span, host: str, number: int, identity: str, series: Series) -> GpuRow:
    gpu = _Gpu(context, span, series)
    size = gpu.gauge(semconv.HW_GPU_MEMORY_LIMIT.name)
    energy = gpu.read("sums", semconv.HW_ENERGY.name, ())
    errors = gpu.read("sums", semconv.HW_ERRORS.name, ())
    joules = [
        rates([s[0] if s is not None else None for s in group.steps], span, group.last, group.first)
        for group in energy.values()
    ]
    return GpuRow(
        id=identity,
        name=f"GPU {number}",
        model=str(series.attributes.get(semconv.HW_NAME, "")),
        host=host,
        status="ok",
        busy=gpu.line("busy", gpu.gauge(semconv.HW_GPU_UTILIZATION.name, semconv.HW_GPU_TASK, _MAIN), "1", 1.0),
        memory=gpu.line(
            "memory", gpu.gauge(semconv.HW_GPU_MEMORY_USAGE.name), "By", machines.last(size[0]) if size else None
        ),
        clock=gpu.line("clock", gpu.gauge(semconv.HW_GPU_CLOCK_FREQUENCY.name, semconv.HW_GPU_CLOCK, _SM), "Hz"),
        temperature=gpu.line("temperature", gpu.gauge(semconv.HW_TEMPERATURE.name, semconv.HW_SENSOR_LOCATION), "Cel"),
        power=gpu.line("power", gpu.gauge(semconv.HW_POWER.name), "W"),
        energy_per_s=machines.last(joules[0]) if joules else None,
        errors=round(sum((total(group.steps) or (0.0,))[0] for group in errors.values())),
        processes=_processes(gpu),
    )


def _processes(gpu: _Gpu) -> dict[str, float]:
    by = ("service.name", "process.pid")
    found = gpu.read("gauges", semconv.HW_GPU_PROCESS_MEMORY_USAGE.name, by, everyone=True)
    processes: dict[str, float] = {}
    for (service, pid), group in found.items():
        value = machines.last([each[0] if each is not None else None for each in group.steps])
        if value is not None:
            processes[f"{service or 'unknown'}{f' {pid}' if pid else ''}"] = value
    return processes
