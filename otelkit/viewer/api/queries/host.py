# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One machine, its processes and GPUs."""

from __future__ import annotations

from otelkit import semconv
from otelkit._core._snapshot import Metric as Declared
from otelkit.viewer.analysis import trend, wording
from otelkit.viewer.api import machines, marks, processes
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.machines import Machines
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.shapes.finding import Headline
from otelkit.viewer.api.shapes.host import Filesystem, Host
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span


def answer(context: Context, window: Window, name: str) -> Host:
    """Return one machine."""
    span = context.span(window, 120)
    source = machines.sources(context).get(name)
    if source is None:
        raise Missing(f"There is no machine {name!r}.", "The names are at /api/v1/hosts.")
    findings = [each for each in verdict.find(context, span) if each.about in ("host", "gpu") and each.subject == name]
    reading = Machines(context, span, source)
    rows = processes.read(context, span, name)
    return Host(
        range=context.range(span),
        headline=Headline(
            text=wording.plural(len(rows), "process", "processes"),
            note="",
            state="findings" if findings else "usual",
        ),
        findings=findings,
        machine=machines.read(context, span, source),
        swap=_swap(reading, span),
        disk=_lines(reading, span, semconv.SYSTEM_DISK_IO, (semconv.SYSTEM_DEVICE, semconv.DISK_IO_DIRECTION)),
        network=_lines(
            reading, span, semconv.SYSTEM_NETWORK_IO, (semconv.NETWORK_INTERFACE_NAME, semconv.NETWORK_IO_DIRECTION)
        ),
        filesystems=_filesystems(reading, span),
        processes=rows,
    )


def _swap(reading: Machines, span: Span) -> Line | None:
    by = (semconv.SYSTEM_PAGING_STATE,)
    used = reading.gauge(semconv.SYSTEM_PAGING_USAGE, lambda key: key[0] == "used", by)
    return marks.line("swap", used[0], span, "By", used[1]) if used else None


def _lines(reading: Machines, span: Span, metric: Declared, by: tuple[str, str]) -> list[Line]:
    lines = [
        marks.line(" ".join(key), row, span, "By/s", every, labels=dict(zip(by, key, strict=True)))
        for key, (row, every) in reading.rate(metric, by).items()
        if any(row)
    ]
    return sorted(lines, key=lambda each: each.name)


def _filesystems(reading: Machines, span: Span) -> list[Filesystem]:
    by = (semconv.SYSTEM_FILESYSTEM_MOUNTPOINT, semconv.SYSTEM_DEVICE, semconv.SYSTEM_FILESYSTEM_STATE)
    states: dict[tuple[str, str], dict[str, list[float | None]]] = {}
    for (mount, device, state), group in reading.read("gauges", semconv.SYSTEM_FILESYSTEM_USAGE, by).items():
        states.setdefault((mount, device), {})[state] = [each[0] if each is not None else None for each in group.steps]
    found = []
    for (mount, device), of in sorted(states.items()):
        used = machines.last(of.get("used", []))
        if used is None:
            continue
        size = sum(machines.last(row) or 0.0 for row in of.values())
        found.append(
            Filesystem(
                mountpoint=mount, device=device, used=used, size=size, full_in_s=full_in(of["used"], span, used, size)
            )
        )
    return found


def full_in(row: list[float | None], span: Span, used: float, size: float) -> float | None:
    """Return the seconds until something is full if it goes on as it did; None if it does not grow, or only slowly."""
    edges = span.edges
    known = [(edges[index] / SECOND, value) for index, value in enumerate(row) if value is not None]
    line = trend.fit([when for when, _ in known], [value for _, value in known]) if len(known) >= 10 else None
    if line is None or line.slope <= 0:
        return None
    left = (size - used) / line.slope
    return left if left < 86_400 else None
