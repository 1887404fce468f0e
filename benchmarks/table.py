# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The printed page: one table of costs, one of promises, and under what circumstances they were measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.cases import CASES, RIVALS, Case, Group
from benchmarks.imports import STATEMENTS
from benchmarks.spread import Measured, Spread
from benchmarks.targets import Verdict

Row = Sequence[str]

COSTS_HEADER = ("what", "who", "min", "median", "max", "x bare", "x otelkit")
VERDICTS_HEADER = ("promise", "promised", "measured", "kept")


def render(header: Row, rows: Iterable[Row], left: int) -> str:
    """A Markdown table that also reads well in a terminal; the first ``left`` columns are left-aligned."""
    lines = [header, *rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(header))]

    def line(row: Row) -> str:
        cells = (
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join(cells)} |"

    rule = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join([line(header), line(rule), *map(line, lines[1:])])


def costs(measured: Measured) -> str:
    """The table of costs: a row per case and rival, otelkit first."""
    rows: list[Row] = []
    for case in CASES:
        found = [(rival, measured[case.key, rival.key]) for rival in RIVALS if (case.key, rival.key) in measured]
        for number, (rival, spread) in enumerate(found):
            rows.append(
                (
                    case.title if number == 0 else "",
                    rival.title,
                    *figures(case.group, spread),
                    times_bare(case, spread, measured),
                    "" if rival.key == "otelkit" else times(measured.ratio(case.key, rival.key)),
                )
            )
    rows.extend(import_rows(measured))
    return render(COSTS_HEADER, rows, left=2)


def import_rows(measured: Measured) -> Iterable[Row]:
    """Start of an interpreter and one import statement."""
    for number, (key, (_, statement)) in enumerate(STATEMENTS.items()):
        if spread := measured.get(("import", key)):
            numbers = [f"{value * 1e3:,.0f} ms" for value in spread]
            ratio = "" if key == "otelkit" else times(measured.ratio("import", key))
            yield ("whole process" if number == 0 else "", statement, *numbers, "", ratio)


def figures(group: Group, spread: Spread) -> Row:
    """Minimum, median and maximum in the unit of their group."""
    if group is Group.MEMORY:
        return [f"{value:,.0f} B" for value in spread]
    if group in (Group.SCRAPE, Group.COLLECT):
        return [f"{value * 1e3:,.0f} ms" for value in spread]
    return [f"{value * 1e9:,.0f} ns" for value in spread]


def times_bare(case: Case, spread: Spread, measured: Measured) -> str:
    """How many bare calls the instrumented one takes, by the minimum."""
    bare = measured.bare.get(case.key)
    return times((spread.minimum + bare) / bare) if bare else ""


def times(ratio: float | None) -> str:
    """A ratio with two significant digits below ten, none after the point above."""
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def promises(verdicts: Iterable[Verdict]) -> str:
    """The table of promises."""
    marks = {True: "yes", False: "NO", None: "?"}
    rows = [(one.what, one.promised, one.found, marks[one.kept]) for one in verdicts]
    return render(VERDICTS_HEADER, rows, left=1)
