# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""From numbers to what is drawn: lines, quantiles, heatmaps, sentences."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

from otelkit.viewer.analysis import buckets
from otelkit.viewer.analysis import usual as analysis
from otelkit.viewer.api.shapes.finding import Part
from otelkit.viewer.api.shapes.heatmap import Heatmap, Histogram
from otelkit.viewer.api.shapes.line import Line, Quantile, Usual
from otelkit.viewer.api.timing import SECOND, Span

HEATMAP_ROWS = 32


def rounded(value: float | None) -> float | None:
    """Six figures are more than a pixel shows, and half the bytes."""
    return None if value is None else float(f"{value:.6g}")


def line(
    name: str,
    values: Sequence[float | None],
    span: Span,
    unit: str,
    every: int = 0,
    usual: Usual | None = None,
    status: str = "ok",
    total: bool = False,
    labels: Mapping[str, str] | None = None,
    limit: float | None = None,
) -> Line:
    """
    Return a line.

    Args:
        every: Nanoseconds between the sender's points.
    """
    known = [rounded(each) for each in values]
    # A report is late by up to its interval: only a longer silence is one.
    recent = max(2, -(-int(2 * every) // span.step_ns) + 1)
    last = next((each for each in reversed(known[-recent:]) if each is not None), None)
    return Line(
        name=name,
        values=known,
        last=last,
        unit=unit,
        every=every / SECOND if every > 1.5 * span.step_ns else None,
        usual=usual,
        status=status,
        total=total,
        labels=dict(labels or {}),
        limit=limit,
    )


def quantile(reading: buckets.Reading | None, count: int) -> Quantile | None:
    """Return a quantile, or None without observations."""
    if reading is None or reading.value != reading.value:
        return None
    return Quantile(
        value=float(f"{reading.value:.6g}"), approximate=reading.approximate, over=reading.over, count=count
    )


def usual(found: analysis.Usual | None, window_s: float) -> Usual | None:
    """Return a usual range as it is sent."""
    if found is None:
        return None
    return Usual(
        low=float(f"{found.low:.6g}"),
        high=float(f"{found.high:.6g}"),
        middle=float(f"{found.middle:.6g}"),
        windows=found.windows,
        window_s=window_s,
        observations=found.observations,
    )


def heatmap(
    bounds: buckets.Bounds,
    steps: Sequence[array[float] | None],
    span: Span,
    unit: str,
    every: int = 0,
    usual: Sequence[float] | None = None,
    inexact: bool = False,
    rows: int = HEATMAP_ROWS,
) -> Heatmap | None:
    """
    Return the counts of a histogram over time; None if there are none at all.

    Args:
        steps: Counts by bucket, then the sum.
        usual: Counts by bucket over a longer time before.
    """
    columns: list[list[float] | None] = [list(each[:-1]) if each is not None else None for each in steps]
    first, last = buckets.occupied([*columns, usual])
    if not last:
        return None
    more = [list(usual)] if usual is not None else []
    coarse, merged = buckets.coarsen(bounds, [*columns, *more], rows, first, last)
    before = merged.pop() if usual is not None else None
    edges, cut = buckets.trimmed(coarse, merged, before)
    counts = _whole(cut)
    usual_total = sum(before or ())
    return Heatmap(
        edges=edges,
        counts=counts,
        largest=max((max(each) for each in counts if each), default=0),
        unit=unit,
        usual=_shares(coarse, before, edges) if before is not None and usual_total > 0 else None,
        every=every / SECOND if every > 1.5 * span.step_ns else None,
        merged=inexact or coarse != bounds,
    )


def _shares(bounds: buckets.Bounds, before: Sequence[float], edges: Sequence[float | None]) -> list[float]:
    whole = sum(before)
    begin = 0 if edges[0] is None or edges[0] not in bounds else bounds.index(edges[0]) + 1
    return [round(each / whole, 6) for each in before[begin : begin + len(edges) - 1]]


def _whole(columns: Sequence[Sequence[float] | None]) -> list[list[int] | None]:
    """Make calls of fractions of calls, row by row, so that the sum over time stays."""
    known = [each for each in columns if each is not None]
    if not known:
        return [None] * len(columns)
    rows = [buckets.whole(row) for row in zip(*known, strict=True)]
    filled = iter(zip(*rows, strict=True))
    return [list(next(filled)) if each is not None else None for each in columns]


def histogram(bounds: buckets.Bounds, counts: Sequence[float], unit: str, rows: int = 40) -> Histogram | None:
    """Return one distribution, or None if it is empty."""
    first, last = buckets.occupied([counts])
    if not last:
        return None
    coarse, merged = buckets.coarsen(bounds, [list(counts)], rows, first, last)
    edges, cut = buckets.trimmed(coarse, merged, None)
    whole = [round(each) for each in cut[0] or ()]
    return Histogram(edges=edges, counts=whole, unit=unit, total=sum(whole))


def sentence(*pieces: str) -> list[Part]:
    """Return a sentence; what stands between asterisks is strong: ``sentence("p95 is *1.84 s*.")``."""
    parts: list[Part] = []
    for index, text in enumerate("".join(pieces).split("*")):
        if text:
            parts.append(Part(text=text, strong=bool(index % 2)))
    return parts


def plain(parts: Iterable[Part]) -> str:
    """Return a sentence as text."""
    return "".join(each.text for each in parts)


def escaped(name: str) -> str:
    """Return a name that may stand in a sentence."""
    return name.replace("*", "\u2217")
