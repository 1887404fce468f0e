# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Any metric as lines or heatmap, by what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from otelkit.viewer.analysis import curve
from otelkit.viewer.api import marks
from otelkit.viewer.api.calls import Row, rates, total
from otelkit.viewer.api.catalogue import Entry
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import Term
from otelkit.viewer.api.groups import Group, Groups, key_of
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.steps import Distribution, quantiles
from otelkit.viewer.api.timing import Span
from otelkit.viewer.store import Series

OTHERS = "others"
MOST_LINES = 8

VIEWS: dict[str, tuple[str, ...]] = {
    "counter": ("rate", "increase"),
    "up_down_counter": ("value",),
    "gauge": ("value",),
    "histogram": ("heatmap", "quantile", "rate", "count"),
    "exponential_histogram": ("heatmap", "quantile", "rate", "count"),
    "summary": ("value",),
}
"""How a kind can be shown; the first is how it is, unless asked otherwise."""

Only = Callable[[Series], bool] | None


def read(
    context: Context,
    span: Span,
    entry: Entry,
    by: Sequence[str] = (),
    terms: Sequence[Term] = (),
    only: Only = None,
    mark: object = None,
) -> Groups:
    """Return a metric's groups, read as its kind asks for."""
    if entry.kind == "summary":
        return _summaries(context, span, entry, by, terms, only)
    kind = (
        "sums"
        if entry.kind == "counter"
        else "distributions"
        if entry.kind in ("histogram", "exponential_histogram")
        else "gauges"
    )
    return context.reader.read(kind, (entry.name,), by, span, terms, only, mark)


def _summaries(
    context: Context, span: Span, entry: Entry, by: Sequence[str], terms: Sequence[Term], only: Only
) -> Groups:
    """Return the medians of summaries: their quantiles cannot be added up, so series of one group are averaged."""
    chosen = [each for each in context.reader.choose(entry.name, terms) if only is None or only(each)]
    points = context.store.summaries([each.id for each in chosen], span.from_ns, span.to_ns)
    found: Groups = {}
    counted: dict[tuple[str, ...], curve.Floats] = {}
    edges = np.array(span.edges, dtype=np.int64)
    for series in chosen:
        of = points.get(series.id, [])
        if not of:
            continue
        times = np.array([each.time_ns for each in of], dtype=np.int64)
        values = np.array([_median(each.quantiles) for each in of], dtype=np.float64)
        rise = curve.means(times, values, edges, context.reader.gap_ns)
        key = key_of(series, by)
        if key in found:
            found[key].rise.add(rise)
        else:
            found[key] = Group(rise)
        found[key].seen(times)
        counted.setdefault(key, np.zeros(span.count))[rise.known] += 1
    for key, counts in counted.items():
        found[key].rise.values /= np.maximum(counts, 1.0)[:, None]
    return found


def _median(quantiles: Sequence[tuple[float, float]]) -> float:
    return min(quantiles, key=lambda each: abs(each[0] - 0.5))[1] if quantiles else float("nan")


def row_of(group: Group, span: Span, view: str, quantile: float) -> Row:
    """Return one group as a row of numbers."""
    if view == "quantile":
        return quantiles(Distribution.of(group), quantile)
    if group.bounds is None:
        row: Row = [each[0] if each is not None else None for each in group.steps]
    else:
        row = [sum(each[:-1]) if each is not None else None for each in group.steps]
    return rates(row, span, group.last, group.first) if view == "rate" else row


def unit_of(entry: Entry, view: str) -> str:
    """Return the unit of what is shown."""
    if view == "rate":
        return f"{entry.unit if entry.kind == 'counter' and entry.unit != '1' else ''}/s"
    if view == "count":
        return "{observation}"
    return entry.unit or "1"


def spark(context: Context, span: Span, entry: Entry) -> Line | None:
    """Return the sparkline: a counter's rate, a gauge's value, a histogram's median."""
    view = {"histogram": "quantile", "exponential_histogram": "quantile"}.get(entry.kind, VIEWS[entry.kind][0])
    group = read(context, span, entry).get(())
    if group is None:
        return None
    return marks.line(entry.name, row_of(group, span, view, 0.5), span, unit_of(entry, view), group.every)


def weight(group: Group) -> float:
    """Return how much of the whole a group is: a counter's rise, a histogram's count, a gauge's last value."""
    if group.bounds is not None:
        whole = total(group.steps)
        return sum(whole[:-1]) if whole is not None else 0.0
    return sum(abs(each[0]) for each in group.steps if each is not None)


def others(groups: Sequence[Group], additive: bool) -> Group | None:
    """Return everything that is not among the heaviest, as one group; None where values do not add up."""
    if not groups or not additive:
        return None
    first = groups[0]
    merged = replace(first, rise=curve.Rise(first.rise.values.copy(), first.rise.known.copy()))
    for each in groups[1:]:
        if each.bounds == merged.bounds:
            merged.rise.add(each.rise)
            merged.last = max(merged.last, each.last)
            merged.series += each.series
    return merged
