# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's screen: what it holds, at which size."""

from __future__ import annotations

import io
import math
import time

import pytest
from rich.console import Console

from otelkit._core._snapshot import Kind, Metric
from otelkit.cli import _demo_tables as tables
from otelkit.cli._demo_machine import Reading
from otelkit.cli._demo_statistics import ACTION, TIME, Number, Row, RowKey, Slow, View

SIZES = [(80, 24), (100, 30), (120, 50), (60, 15)]


def view(actions: int = 11, timers: int = 3) -> View:
    rows = [Row(RowKey(ACTION, f"Shop.action_{n}"), 12_345, 12.34, n, n, (0.0012, 0.034, 0.56)) for n in range(actions)]
    rows += [Row(RowKey(TIME, f"queue.time_{n}"), 7, 0.5, None, None, (math.nan,) * 3) for n in range(timers)]
    slowest = [Slow(1.0 / n, rows[0].key, n << 100, time.time_ns()) for n in range(1, 10)]
    counter = Metric("detected.files", Kind.COUNTER)
    numbers = [Number(counter, (f"content_type=type{n}",), float(n), 0.1) for n in range(9)]
    return View(15.0, rows, slowest, numbers)


def drawn(width: int, height: int, shown: View) -> list[str]:
    readings = [Reading("host", "cpu  34% of 2"), Reading("process", "cpu   5%"), Reading("gpu", "none found")]
    screen = tables.screen(shown, readings, "HEADER", "FOOTER", width, height)
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(screen)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_line_is_wider_than_the_screen_and_every_row_is_one_line(width: int, height: int):
    """From 80 columns on each row has its three quantiles on one line; below, nothing is wider either."""
    lines = drawn(width, height, view())
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if "action_" in line and "queue" not in line and "00000000" not in line]
    assert len(rows) == 11
    assert all(line.count("ms") == 3 for line in rows)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 50)])
def test_everything_fits_and_the_slowest_calls_have_a_place(width: int, height: int):
    """Header first, footer last, at least three whole trace ids between."""
    lines = drawn(width, height, view())
    assert len(lines) <= height
    assert lines[0] == "HEADER"
    assert "FOOTER" in lines
    assert sum(line.endswith(f"{n << 100:032x}") for line in lines for n in range(1, 10)) >= 3


def test_timers_make_room_on_a_low_screen():
    """With more rows than lines it is the timers that go, not the slowest calls."""
    lines = drawn(80, 24, view(actions=13, timers=5))
    assert not [line for line in lines if line.startswith("queue.time")]
    assert [line for line in lines if line.startswith("slowest calls")]


def test_wide_screens_show_kind_and_total():
    """And narrow ones leave both out rather than the quantiles."""
    wide, narrow = drawn(100, 30, view()), drawn(80, 30, view())
    assert [line for line in wide if line.startswith("action Shop.action_0") and line.endswith("12,345")]
    assert [line for line in narrow if line.startswith("Shop.action_0") and line.endswith("560 ms")]


def test_the_largest_series_are_shown_where_there_are_many():
    """Six of nine, the largest first, and how many more there are."""
    (line,) = [line for line in drawn(120, 50, view()) if line.startswith("detected.files")]
    assert "type8 8  type7 7" in line
    assert "type2 2" not in line
    assert line.endswith("and 3 more")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "-"),
        (0.0, "0.00 µs"),
        (0.0000251, "25.1 µs"),
        (0.00123, "1.23 ms"),
        (0.0456, "45.6 ms"),
        (0.789, "789 ms"),
        (1.0, "1.00 s "),
        (63.5, "63.5 s "),
    ],
)
def test_durations_have_three_digits(value: float, text: str):
    """In the unit that suits them; none is a dash."""
    assert tables.seconds(value) == text
