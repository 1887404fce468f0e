# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's statistics as rich tables; every function here only formats."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from otelkit.cli._demo_machine import Reading
from otelkit.cli._demo_statistics import Number, Row, Slow, View

WIDE = 96
"""Columns from which on there is room for all of them."""

SHOWN_SERIES = 6

NOTHING = "-"


def calls_table(rows: Iterable[Row], width: int) -> Table:
    """Return one line per action, call, event, job and timer; narrow terminals lose kind and total."""
    wide = width >= WIDE
    table = _table()
    if wide:
        table.add_column("", style="dim", no_wrap=True)
    table.add_column("calls", no_wrap=True, overflow="ellipsis", ratio=1)
    for heading in ("per s", "errors", "active", "p50", "p95", "p99", *(["total"] if wide else [])):
        table.add_column(heading, justify="right", no_wrap=True, min_width=8 if heading.startswith("p") else 6)
    for row in rows:
        cells = [
            Text(row.key.name),
            Text(f"{row.rate_per_s:.1f}"),
            _count(row.errors, "bold red"),
            _count(row.active, "cyan"),
            *(Text(seconds(value)) for value in row.quantiles_s),
        ]
        table.add_row(*([Text(row.key.kind), *cells, Text(f"{row.total:,}")] if wide else cells))
    return table


def slowest_table(slowest: Sequence[Slow], lines: int) -> Table:
    """Return the slowest calls with the trace that shows why."""
    table = _table()
    table.add_column("slowest calls", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("took", justify="right", no_wrap=True, min_width=8)
    table.add_column("ago", justify="right", no_wrap=True, min_width=5)
    table.add_column("trace id", no_wrap=True, style="cyan")
    for slow in slowest[:lines]:
        ago_s = max(0.0, (time.time_ns() - slow.time_ns) / 1e9)
        table.add_row(Text(slow.key.name), seconds(slow.seconds), f"{ago_s:.0f} s", f"{slow.trace_id:032x}")
    if not slowest:
        table.add_row(Text("none with a trace yet", style="dim"))
    return table


def numbers_table(numbers: Iterable[Number]) -> Table:
    """Return the program's own counters and gauges, one line per metric; the largest series if there are many."""
    by_name: dict[str, list[Number]] = {}
    for number in numbers:
        by_name.setdefault(number.metric.name, []).append(number)
    table = _table()
    table.add_column("counters and gauges", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for name, series in sorted(by_name.items()):
        if len(series) > SHOWN_SERIES:
            series.sort(key=lambda number: -number.value)
        shown = "  ".join(_series(number) for number in series[:SHOWN_SERIES])
        table.add_row(
            Text(name), Text(f"{shown}  and {len(series) - SHOWN_SERIES} more" if len(series) > SHOWN_SERIES else shown)
        )
    return table


def machine_table(readings: Sequence[Reading]) -> Table:
    """Return host, process and each GPU in a line of its own."""
    table = _table()
    table.add_column("machine", no_wrap=True, min_width=10)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for reading in readings:
        table.add_row(Text(reading.name), Text(reading.text))
    return table


def screen(
    view: View, readings: Sequence[Reading], header: RenderableType, footer: RenderableType, width: int, height: int
) -> Group:
    """Put all parts on a screen of ``width`` by ``height``; what does not fit is left out from the bottom up."""
    numbers = numbers_table(view.numbers)
    # Header and footer with a blank line each, and two lines (blank, heading) for each part.
    left = height - 4 - (2 + len(view.rows)) - (2 + len(readings))
    parts: list[RenderableType] = [header, "", calls_table(view.rows, width), "", machine_table(readings)]
    slow_lines = min(5, left - 2 - (2 + numbers.row_count))
    if slow_lines < 3:
        slow_lines = min(5, left - 2)
    elif view.numbers:
        parts += ["", numbers]
    if slow_lines > 0:
        parts += ["", slowest_table(view.slowest, slow_lines)]
    return Group(*parts, "", footer)


def seconds(value: float) -> str:
    """Return a duration in the unit that leaves it three digits; a dash for none."""
    if math.isnan(value):
        return NOTHING
    for factor, unit in ((1.0, "s "), (1e3, "ms"), (1e6, "µs")):
        scaled = value * factor
        if scaled >= 1 or unit == "µs":
            break
    digits = max(0, 2 - int(math.log10(max(scaled, 1))))
    return f"{scaled:.{digits}f} {unit}"


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True, header_style="bold dim")


def _count(value: int | None, style: str) -> Text:
    if value is None:
        return Text(NOTHING, style="dim")
    return Text(f"{value:,}", style=style if value else "dim")


def _series(number: Number) -> str:
    labels = " ".join(label.partition("=")[2] for label in number.labels)
    value = f"{number.value:,.2f}" if number.value % 1 else f"{number.value:,.0f}"
    return f"{labels} {value}" if labels else value
