# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics while a span ran."""

from __future__ import annotations

from collections.abc import Iterator

from otelkit import semconv
from otelkit.viewer.analysis import usual as analysis
from otelkit.viewer.api import anymetric, catalogue, families, marks
from otelkit.viewer.api.calls import Row
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import MomentWindow
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.queries.trace import read
from otelkit.viewer.api.shapes.line import Usual
from otelkit.viewer.api.shapes.trace import Moment, MomentLine
from otelkit.viewer.api.timing import SECOND, Span, on_steps, round_step
from otelkit.viewer.store import Series
from otelkit.viewer.store import Span as Stored

MOST_LINES = 5
MOST_TRIED = 16
LEAST_STEPS = 12
"""Steps before the span that say what is usual around it."""

_PROCESS = (
    semconv.PROCESS_CPU_TIME.name,
    semconv.PROCESS_MEMORY_USAGE.name,
    semconv.CPYTHON_GC_COLLECTIONS.name,
    semconv.PROCESS_THREAD_COUNT.name,
)
_POOLS = ("pool", "queue", "active", "pending", "in_use", "connections", "usage", "size")


def answer(context: Context, asked: MomentWindow, trace_id: str) -> Moment:
    """Return up to five metrics around a span."""
    stored = next((each for each in read(context.store, trace_id) if each.span_id == asked.span), None)
    if stored is None:
        raise Missing(f"There is no span {asked.span!r} in this trace.")
    start, end = stored.start_ns / SECOND, stored.end_ns / SECOND
    around = asked.minutes * 60
    now = context.reader.clock()
    left, right = start - around, min(now, end + around)
    span = on_steps(left, max(right, left + 1), now, round_step((right - left) / asked.columns))
    found = [each for each in _candidates(context, stored) if each is not None]
    lines = [line for name, why in found[:MOST_TRIED] if (line := _line(context, span, stored, name, why)) is not None]
    lines.sort(key=lambda each: each.line.status == "ok")
    return Moment(range=context.range(span), span_id=asked.span, start=start, end=end, lines=lines[:MOST_LINES])


def _candidates(context: Context, span: Stored) -> Iterator[tuple[str, str]]:
    """Yield metric names and why they belong to the span, in the order of what they can tell."""
    said: set[str] = set()
    told = span.attributes.get(semconv.METRIC)
    if isinstance(told, str):
        for name in _siblings(context, told):
            said.add(name)
            yield name, "its own series"
    mine = [
        each
        for each in context.reader.all_series()
        if each.instance == _instance(span) and each.service == span.service
    ]
    names = list(dict.fromkeys(each.metric.name for each in mine))
    for name in names:
        if (
            name not in said
            and any(word in name for word in _POOLS)
            and not name.startswith(("system.", "otelkit.", "hw.", "process."))
        ):
            said.add(name)
            yield name, "same process"
    for name in _PROCESS:
        if name in names:
            yield name, "same process"
    for name in (semconv.HW_GPU_UTILIZATION.name, semconv.HW_GPU_MEMORY_USAGE.name):
        if name in names:
            yield name, "GPU of its process"


def _siblings(context: Context, duration: str) -> list[str]:
    """Return the metrics of the same calls, the duration first, then what is in flight."""
    for family in families.find(context.reader.names()):
        if family.duration == duration:
            return [name for name in (family.duration, family.active) if name]
    return [duration]


def _instance(span: Stored) -> str:
    return str(span.resource.get("service.instance.id", ""))


def _line(context: Context, span: Span, stored: Stored, name: str, why: str) -> MomentLine | None:
    metrics = context.store.metrics(name)
    if not metrics:
        return None
    entry = catalogue.entry(metrics)
    own = why == "its own series"

    def mine(series: Series) -> bool:
        if own:
            # Labels that the span has as attributes tell which series is its own; error.type would leave half out.
            shared = series.attributes.keys() & stored.attributes.keys() - {semconv.ERROR_TYPE}
            return all(series.attributes[key] == stored.attributes[key] for key in shared)
        return series.instance == _instance(stored)

    key = tuple(sorted((k, str(v)) for k, v in stored.attributes.items())) if own else _instance(stored)
    group = anymetric.read(context, span, entry, (), (), mine, ("moment", key)).get(())
    if group is None:
        return None
    view = "quantile" if group.bounds is not None else anymetric.VIEWS[entry.kind][0]
    row = anymetric.row_of(group, span, view, 0.95)
    here = _at(row, span, stored)
    usual = _usual_before(row, span, stored)
    outside = usual is not None and here is not None and (here > 2 * usual.high or here < usual.low / 2)
    label = f"{name} p95" if view == "quantile" else name
    unit = "{core}" if name == semconv.PROCESS_CPU_TIME.name else anymetric.unit_of(entry, view)
    shown = marks.line(label, row, span, unit, group.every, usual, "warn" if outside else "ok")
    return MomentLine(metric=name, why=why, line=shown, here=marks.rounded(here))


def _at(row: Row, span: Span, stored: Stored) -> float | None:
    index = (stored.end_ns - span.from_ns) // span.step_ns
    near = [row[i] for i in (index, index - 1, index + 1) if 0 <= i < len(row)]
    return next((each for each in near if each is not None), None)


def _usual_before(row: Row, span: Span, stored: Stored) -> Usual | None:
    """Return the range of the steps before the span that are shown: said so by its number of windows."""
    end = (stored.start_ns - span.from_ns) // span.step_ns
    values = sorted(each for each in row[:end] if each is not None)
    if len(values) < LEAST_STEPS:
        return None
    low, high, middle = (analysis.percentile(values, share) for share in (0.05, 0.95, 0.5))
    return Usual(low=low, high=high, middle=middle, windows=len(values), window_s=span.step, observations=len(values))
