# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a page draws, as rows of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from otelkit.viewer.api.problems import Invalid
from otelkit.viewer.api.shapes.axis import Axis
from otelkit.viewer.api.shapes.heatmap import Heatmap
from otelkit.viewer.api.shapes.line import Line

Row = Sequence[Any]

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def render(answer: msgspec.Struct, part: str) -> str:
    """
    Return a part of an answer, or all of its lines, as CSV.

    Args:
        part: Names of fields with dots between, ``chosen.heatmap``; empty for all lines.
    """
    found = _find(answer, part)
    axis = _axis(answer)
    if isinstance(found, Heatmap):
        rows = _heatmap(found, axis)
    elif isinstance(found, list) and found and not isinstance(found[0], Line):
        rows = _records(found)
    else:
        rows = _lines(found, part, axis)
    text = io.StringIO()
    csv.writer(text).writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def _find(answer: Any, part: str) -> Any:
    found = answer
    for name in part.split(".") if part else ():
        if isinstance(found, list) and name.isdigit() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, msgspec.Struct) and name in found.__struct_fields__:
            found = getattr(found, name)
        else:
            raise Invalid(f"Expected a list or chart of the answer, got {part!r} - at part.", "services, for one.")
    if found is None or (not isinstance(found, (msgspec.Struct, list, dict))):
        raise Invalid(f"Expected a list or chart, and {part!r} is none - at part.")
    return found


def _axis(answer: Any) -> Axis | None:
    within = getattr(answer, "range", None) or getattr(answer, "ribbon", None)
    return getattr(within, "axis", None)


def _lines(found: Any, path: str, axis: Axis | None) -> Iterator[Row]:
    yield "chart", "name", "unit", "time", "value"
    if axis is None:
        return
    times = _times(axis)
    for chart, line in _all_lines(found, path):
        for moment, value in zip(times, line.values, strict=False):
            yield chart, line.name, line.unit, moment, "" if value is None else value


def _all_lines(found: Any, path: str) -> Iterator[tuple[str, Line]]:
    if isinstance(found, Line):
        yield path, found
    elif isinstance(found, msgspec.Struct):
        for name in found.__struct_fields__:
            yield from _all_lines(getattr(found, name), f"{path}.{name}" if path else name)
    elif isinstance(found, (list, tuple)):
        for index, each in enumerate(found):
            label = next(
                (str(getattr(each, key)) for key in ("action", "name", "key") if hasattr(each, key)), str(index)
            )
            yield from _all_lines(each, f"{path}.{label}" if path else label)


def _heatmap(found: Heatmap, axis: Axis | None) -> Iterator[Row]:
    yield "time", "above", "up_to", "unit", "count"
    if axis is None:
        return
    for moment, column in zip(_times(axis), found.counts, strict=False):
        for low, high, count in zip(found.edges, found.edges[1:], column or (), strict=False):
            yield moment, "" if low is None else low, "" if high is None else high, found.unit, count


def _records(found: list[Any]) -> Iterator[Row]:
    """Rows of a table: numbers and texts, quantiles by their value; what is drawn is left out."""
    first = found[0]
    if not isinstance(first, msgspec.Struct):
        yield ("value",)
        yield from ((each,) for each in found)
        return
    names = [name for name in first.__struct_fields__ if any(_cell(getattr(each, name)) is not None for each in found)]
    yield names
    for each in found:
        yield ["" if (cell := _cell(getattr(each, name))) is None else cell for name in names]


def _cell(value: Any) -> str | int | float | bool | None:
    if isinstance(value, (str, int, float)):
        return value
    number = getattr(value, "value", None)
    return number if isinstance(number, (int, float)) else None


def _times(axis: Axis) -> list[str]:
    return [
        datetime.fromtimestamp(axis.start + index * axis.step, UTC).isoformat().replace("+00:00", "Z")
        for index in range(axis.count)
    ]


def _safe(cell: Any) -> Any:
    """Spreadsheets run what begins like a formula: names come from anybody who may send."""
    if isinstance(cell, str) and cell.startswith(_DANGEROUS):
        return f"'{cell}"
    return cell
