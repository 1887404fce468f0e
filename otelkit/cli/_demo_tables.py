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
from otelkit.cli._demo_statistics import TIME, Number, Row, Slow, View

WIDE = 96
"""Columns from which on there is room for all of them."""

SHOWN_SERIES = 6

FEWEST_SLOWEST, MOST_SLOWEST = 3, 5

NOTHING = "-"


def calls_table(rows: Iterable[Row], width: int) -> Table:
    """Return one line per action, call, event, job and timer; narrow terminals lose kind and total."""
    wide = width >= WIDE
    table = _table(gap=1)
    if wide:
        table.add_column("", style="dim", no_wrap=True)
    table.add_column("calls", no_wrap=True, overflow="ellipsis", ratio=1)
    for heading in ("per s", "errors", "active", "p50", "p95", "p99", *(["total"] if wide else [])):
        table.add_column(heading, justify="right", no_wrap=True, min_width=7 if heading in ("p50", "p95", "p99") else 6)
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


def machine_table(readings: Sequence[Reading], heading: bool = True) -> Table:
    """Return host, process and each GPU in a line of its own."""
    table = _table()
    table.show_header = heading
    table.add_column("machine", no_wrap=True, min_width=10)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for reading in readings:
        table.add_row(Text(reading.name), Text(reading.text))
    return table


def screen(
    view: View, readings: Sequence[Reading], header: RenderableType, footer: RenderableType, width: int, height: int
) -> Group:
    """
    Put all parts on a screen of ``width`` by ``height``.

    Where it is too low for everything, first the loose numbers go, then the
    blank lines, then the timers, so that the slowest calls still have a place.
    """
    rows = view.rows
    numbers = numbers_table(view.numbers)
    airy = _lines_left(height, rows, readings, blank=1) >= FEWEST_SLOWEST
    if not airy and _lines_left(height, rows, readings, blank=0) < FEWEST_SLOWEST:
        rows = [row for row in rows if row.key.kind != TIME]
    left = _lines_left(height, rows, readings, blank=int(airy))
    parts: list[RenderableType] = [header, calls_table(rows, width), machine_table(readings, airy)]
    if airy and numbers.row_count and left >= FEWEST_SLOWEST + 2 + numbers.row_count:
        parts.append(numbers)
        left -= 2 + numbers.row_count
    if left > 0:
        parts.append(slowest_table(view.slowest, min(MOST_SLOWEST, left)))
    above = [line for part in parts for line in ((part, "") if airy else (part,))]
    return Group(*above, footer)


def _lines_left(height: int, rows: Sequence[Row], readings: Sequence[Reading], blank: int) -> int:
    """Return how many slow calls fit under header, calls and machine, above the footer."""
    header = footer = heading = 1
    machine = len(readings) + (heading if blank else 0)
    return height - header - heading - len(rows) - machine - heading - footer - 4 * blank


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


def _table(gap: int = 2) -> Table:
    return Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, expand=True, header_style="bold dim")


def _count(value: int | None, style: str) -> Text:
    if value is None:
        return Text(NOTHING, style="dim")
    return Text(f"{value:,}", style=style if value else "dim")


def _series(number: Number) -> str:
    labels = " ".join(label.partition("=")[2] for label in number.labels)
    value = f"{number.value:,.2f}" if number.metric.unit == "1" or number.value % 1 else f"{number.value:,.0f}"
    return f"{labels} {value}" if labels else value
