# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What lies in a rectangle of a latency heatmap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otelkit.viewer.analysis import buckets, wording
from otelkit.viewer.analysis.difference import over_represented
from otelkit.viewer.api import calls as calling
from otelkit.viewer.api import spans
from otelkit.viewer.api.calls import Calls
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import as_text
from otelkit.viewer.api.parameters import CellWindow
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.queries.traces import row
from otelkit.viewer.api.shapes.trace import Cell, Excess
from otelkit.viewer.api.timing import SECOND
from otelkit.viewer.store import Span as Stored

LEAST_TRACES = 20
MOST_COMPARED = 400
MOST_ROWS = 100
LONGEST_VALUE = 200


def answer(context: Context, window: CellWindow) -> Cell:
    """Return count, traces, and what the calls inside have that those outside have not."""
    span, terms = context.span(window, 1), context.terms(window)
    parts = [
        each
        for each in calling.read(context.reader, span, terms)
        if each.service == window.service and window.action in ("", each.action)
    ]
    if not parts:
        raise Missing(f"There are no calls of {window.service!r} {window.action!r} in this time.")
    calls = parts[0] if len(parts) == 1 else calling.together(parts)
    high = window.high if window.high is not None else float("inf")
    count, of = _counted(calls, window.low, high)
    found = context.store.traces(spans.query_for(calls, int(span.start * SECOND), span.to_ns, MOST_COMPARED))
    inside, outside, rows = [], [], []
    by_trace = context.store.spans([each.trace_id for each in found])
    for summary in found:
        for each in by_trace.get(summary.trace_id, []):
            if not spans.is_of(each, calls):
                continue
            lies_in = window.low < (each.end_ns - each.start_ns) / SECOND <= high
            (inside if lies_in else outside).append(_attributes(each, by_trace[summary.trace_id]))
            if lies_in and (not rows or rows[-1].trace_id != summary.trace_id):
                rows.append(row(summary))
    rows.sort(key=lambda each: -each.duration)
    excess, note = _excess(inside, outside)
    return Cell(count=count, of=of, traces=rows[:MOST_ROWS], excess=excess, note=note)


def _counted(calls: Calls, low: float, high: float) -> tuple[int, int]:
    counts = calls.counts()
    if not counts or calls.bounds is None:
        return 0, 0
    edges = tuple(each for each in (low, high) if 0 < each < float("inf"))
    spread = buckets.rebucket(calls.bounds, counts, edges)
    inside = spread[0] if low <= 0 else spread[1] if len(spread) > 1 else 0.0
    return round(inside), round(sum(counts))


def _attributes(span: Stored, trace: Sequence[Stored]) -> Mapping[str, str]:
    """Return what a call can differ in: attributes of its own span, and of those below it, as text."""
    found: dict[str, str] = {}
    for each in (*(other for other in trace if other.parent_span_id == span.span_id), span):
        for key, value in each.attributes.items():
            text = as_text(value)
            if len(text) <= LONGEST_VALUE:
                found[key] = text
    found["service.instance.id"] = str(span.resource.get("service.instance.id", ""))
    return found


def _excess(inside: Sequence[Mapping[str, str]], outside: Sequence[Mapping[str, str]]) -> tuple[list[Excess], str]:
    if len(inside) < LEAST_TRACES or len(outside) < LEAST_TRACES:
        few = min(len(inside), len(outside))
        where = "inside" if len(inside) <= len(outside) else "outside"
        return [], f"{wording.plural(few, 'kept trace')} {where} are too few to compare, {LEAST_TRACES} are needed"
    found = over_represented(inside, outside)
    note = f"of {wording.count(len(inside))} kept traces inside, {wording.count(len(outside))} outside"
    shown = [Excess(key=each.key, value=each.value, inside=each.inside, outside=each.outside) for each in found]
    return shown, note if found else f"No attribute stands out, {note}"
