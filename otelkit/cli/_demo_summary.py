# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo says when it has ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from otelkit.cli import _demo_tables as tables
from otelkit.cli._demo_header import Header
from otelkit.cli._demo_machine import Reading
from otelkit.cli._demo_statistics import View

FILES = {
    "metrics.jsonl": "OTLP, a collection each",
    "traces.jsonl": "OTLP; grep them for a trace id",
}


def show(console: Console, view: View, readings: Sequence[Reading], header: Header, elapsed_s: float) -> None:
    """Print the whole run's figures, and where the files are."""
    console.print()
    console.print(Text(f"Summary of {elapsed_s:.0f} s", "bold"))
    if not view.rows:
        console.print(Text("Nothing ran."))
    for table in (
        tables.calls_table(view.rows, console.width),
        tables.machine_table(readings),
        tables.numbers_table(view.numbers),
        tables.slowest_table(view.slowest, tables.MOST_SLOWEST),
    ):
        if table.row_count:
            console.print()
            console.print(table)
    console.print()
    console.print(Text("Files", "bold"))
    for name, text in FILES.items():
        path = Path(header.data_folder, name)
        if path.exists():
            # Never wrapped: a path is there to be copied.
            console.print(Text(f"{path}  {_lines(path)} lines, {text}"), soft_wrap=True)
    console.file.flush()


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
