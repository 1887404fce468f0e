# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How the demo speaks: a live screen on a terminal, plain lines everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from otelkit.cli import _demo_tables as tables
from otelkit.cli._demo_header import Header
from otelkit.cli._demo_machine import Machine
from otelkit.cli._demo_statistics import ACTION, JOB, View

PLAIN_WIDTH = 100


class Display(Protocol):
    """Shows steps, then views; used from one thread."""

    interval_s: float

    def steps(self, steps: Iterable[str]) -> None: ...
    def show(self, view: View, elapsed_s: float) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...


class Screen:
    """A screen that is drawn anew twice a second, in the terminal's alternate buffer."""

    interval_s = 0.5

    def __init__(self, console: Console, header: Header) -> None:
        self._console = console
        self._header = header
        self._machine = Machine()
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def steps(self, steps: Iterable[str]) -> None:
        """Run through ``steps`` with a spinner, and leave a tick and the time behind for each."""
        if self._header.dashboard_url:
            self._console.print(Text.assemble("Open ", (self._header.dashboard_url, "cyan")), soft_wrap=True)
        timed(steps, self._step)

    def _step(self, step: str, run: Callable[[], None]) -> None:
        began = time.monotonic()
        with self._console.status(step):
            run()
        self._console.print(Text.assemble(("✓ ", "green"), step, (f"  {time.monotonic() - began:.1f} s", "dim")))

    def show(self, view: View, elapsed_s: float) -> None:
        """Draw ``view``."""
        size = self._console.size
        footer = Text(f"rates, errors and quantiles of the last {view.window_s:.0f} s   Ctrl-C ends the demo", "dim")
        readings = self._machine.readings()
        head = self._head(elapsed_s)
        self._live.update(tables.screen(view, readings, head, footer, size.width, size.height), refresh=True)

    def _head(self, elapsed_s: float) -> Table:
        head = Table.grid(expand=True)
        head.add_column(no_wrap=True)
        head.add_column(justify="right", no_wrap=True)
        head.add_row(
            Text.assemble(("otelkit demo", "bold"), f"   {_clock(elapsed_s, self._header.duration_s)}"),
            Text(self._header.metrics_url, "cyan"),
        )
        if self._header.dashboard_url:
            head.add_row(Text("dashboard", "dim"), Text(self._header.dashboard_url, "cyan"))
        return head

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._live.stop()

    def close(self) -> None:
        """Let the machine's parts go."""
        self._machine.close()


class Lines:
    """One line every few seconds, for logs and pipes."""

    interval_s = 2.0

    def __init__(self, console: Console, header: Header) -> None:
        self._console = console
        self._header = header

    def steps(self, steps: Iterable[str]) -> None:
        """Run through ``steps`` with a line for each, the dashboard's address first."""
        if self._header.dashboard_url:
            self._say(f"Open {self._header.dashboard_url}")
        timed(steps, self._step)

    def _step(self, step: str, run: Callable[[], None]) -> None:
        began = time.monotonic()
        self._say(f"{step} ...")
        run()
        self._say(f"  done in {time.monotonic() - began:.1f} s")

    def show(self, view: View, elapsed_s: float) -> None:
        """Say in one line how things go."""
        actions = [row for row in view.rows if row.key.kind == ACTION]
        jobs = [row for row in view.rows if row.key.kind == JOB]
        slowest = view.slowest[0] if view.slowest else None
        self._say(
            f"{_clock(elapsed_s, self._header.duration_s)}"
            f"  {sum(row.rate_per_s for row in actions):5.1f} requests/s"
            f"  {sum(row.errors or 0 for row in actions)} errors"
            f"  {sum(row.total for row in jobs)} job runs"
            + (f"  slowest {slowest.key.name} {tables.seconds(slowest.seconds).strip()}" if slowest else "")
        )

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
        # A pipe is buffered by blocks: without this a log shows nothing for minutes.
        self._console.file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to undo."""

    def close(self) -> None:
        """Nothing is held."""


def timed(steps: Iterable[str], show: Callable[[str, Callable[[], None]], None]) -> None:
    """
    Call ``show(step, run)`` for each step.

    A step is the name that the iterable yields *before* it does the work:
    ``run`` does it, by asking for the next one.
    """
    iterator = iter(steps)
    upcoming = next(iterator, None)
    while upcoming is not None:
        following: list[str | None] = []
        show(upcoming, lambda found=following: found.append(next(iterator, None)))
        upcoming = following[0]


def create_console() -> Console:
    """Return the console; wide enough for all columns when nothing says how wide the output is."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def create_display(console: Console, header: Header) -> Display:
    """Return a screen where there is one, otherwise lines."""
    if console.is_terminal and not console.is_dumb_terminal:
        return Screen(console, header)
    return Lines(console, header)


def _clock(elapsed_s: float, duration_s: float | None) -> str:
    def text(value_s: float) -> str:
        return f"{int(value_s) // 60:02d}:{int(value_s) % 60:02d}"

    return text(elapsed_s) if duration_s is None else f"{text(elapsed_s)} of {text(duration_s)}"
