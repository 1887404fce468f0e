# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A search for traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.analysis.usual import percentile
from otelkit.viewer.api import filters
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import DURATION, SERVICE_KEYS, Term
from otelkit.viewer.api.parameters import TraceSearch
from otelkit.viewer.api.problems import Invalid
from otelkit.viewer.api.shapes.finding import Headline
from otelkit.viewer.api.shapes.trace import TraceGroup, TracePoint, TraceRow, Traces
from otelkit.viewer.api.spans import cpu_seconds, roots
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Span as StoredSpan
from otelkit.viewer.store import TraceQuery, TraceSummary

MOST_READ = 5_000
"""Summaries that are read for scatter and groups; beyond it ``total_at_least``."""
MOST_POINTS = 2_000
MOST_CHECKED = 1_000
"""Traces whose spans are read for terms that the store has no index for."""

NAME_KEYS = ("name", "root")
SPAN_KEYS = ("span", "span.name")


def answer(context: Context, window: TraceSearch) -> Traces:
    """Return what matches."""
    span, terms = context.span(window, 90), context.terms(window)
    query, left = to_query(window, span, terms)
    start = _offset(window.cursor)
    found = context.store.traces(replace(query, limit=MOST_READ))
    checked = bool(left)
    if checked:
        found = _fulfilling(context, found[:MOST_CHECKED], left)
    shown = found[start : start + window.limit]
    more = start + window.limit < len(found)
    rows = [row(each) for each in shown]
    _add_cpu(context, rows)
    at_least = len(found) >= (MOST_CHECKED if checked else MOST_READ)
    return Traces(
        range=context.range(span),
        headline=_headline(found, at_least),
        total=len(found),
        total_at_least=at_least,
        points=_points(found),
        rows=rows,
        groups=_groups(found),
        cursor=str(start + window.limit) if more else None,
    )


def to_query(window: TraceSearch, span: Span, terms: Sequence[Term]) -> tuple[TraceQuery, list[Term]]:
    """Return what the store can look for, and the terms that it cannot."""
    given: dict[str, object] = {
        "service": window.service or None,
        "root_name": window.name or None,
        "span_name": window.span or None,
        "min_duration_ns": _nanoseconds(window.min_duration),
        "max_duration_ns": _nanoseconds(window.max_duration),
        "failed": window.failed,
    }
    attributes: dict[str, str] = {}
    left: list[Term] = []
    for term in terms:
        field = _field(term)
        plain = term.operator == "is" and not term.negative and "*" not in term.value
        if term.key == DURATION:
            longer = term.operator in (">", ">=")
            given["min_duration_ns" if longer else "max_duration_ns"] = round(term.seconds * SECOND)
        elif term.key in (semconv.ERROR_TYPE, "error") and term.value in ("*", "true") and term.operator == "is":
            given["failed"] = not term.negative
        elif plain and field and given[field] is None:
            given[field] = term.value
        elif plain and not field and term.key not in attributes:
            attributes[term.key] = term.value
        else:
            left.append(term)
    query = TraceQuery(
        from_ns=int(span.start * SECOND), to_ns=span.to_ns, attributes=attributes or None, order=window.sort
    )
    return replace(query, **given), left  # type: ignore[arg-type]


def _field(term: Term) -> str:
    if term.key in SERVICE_KEYS:
        return "service"
    return "root_name" if term.key in NAME_KEYS else "span_name" if term.key in SPAN_KEYS else ""


def _nanoseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND)


def _offset(cursor: str) -> int:
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise Invalid(f"Expected the cursor of an answer, got {cursor!r} - at cursor.")
    return int(cursor)


def _fulfilling(context: Context, found: Sequence[TraceSummary], terms: Sequence[Term]) -> list[TraceSummary]:
    kept = []
    for begin in range(0, len(found), 200):
        some = found[begin : begin + 200]
        spans = context.store.spans([each.trace_id for each in some])
        kept += [each for each in some if all(_holds(term, each, spans.get(each.trace_id, [])) for term in terms)]
    return kept


def _holds(term: Term, trace: TraceSummary, spans: Sequence[StoredSpan]) -> bool:
    """Tell whether a term holds: a positive one for any span, a negative one for all of them."""
    if not term.key or _field(term) == "root_name":
        return term.accepts(trace.root_name)
    some = all if term.negative else any
    if _field(term) == "service":
        return some(term.accepts(each) for each in trace.services)
    if _field(term) == "span_name":
        return some(term.accepts(each.name) for each in spans)
    return some(filters.holds((term,), each.attributes, each.resource) for each in spans)


def row(trace: TraceSummary) -> TraceRow:
    """Return a row of a list."""
    return TraceRow(
        trace_id=trace.trace_id,
        name=trace.root_name,
        service=trace.root_service,
        start=trace.start_ns / SECOND,
        duration=trace.duration_ns / SECOND,
        spans=trace.spans,
        services=len(trace.services),
        errors=trace.errors,
        failed=trace.errors > 0,
        rootless=not trace.rooted,
    )


def _add_cpu(context: Context, rows: Sequence[TraceRow]) -> None:
    spans = context.store.spans([each.trace_id for each in rows[:100]])
    for each in rows[:100]:
        of = spans.get(each.trace_id, [])
        measured = [seconds for span in of if (seconds := cpu_seconds(span)) is not None]
        each.cpu = sum(measured) if measured else None
        each.failed = any(span.status == "error" for span in roots(of)) if of else each.failed


def _points(found: Sequence[TraceSummary]) -> list[TracePoint]:
    chosen = found
    if len(found) > MOST_POINTS:
        # What failed or was slow is what is looked for; of the rest every so many.
        by_interest = sorted(found, key=lambda each: (each.errors == 0, -each.duration_ns))
        interesting, rest = by_interest[: MOST_POINTS // 2], by_interest[MOST_POINTS // 2 :]
        every = -(-len(rest) // (MOST_POINTS // 2))
        chosen = [*interesting, *rest[::every]]
    return [
        TracePoint(
            time=each.start_ns / SECOND,
            duration=each.duration_ns / SECOND,
            failed=each.errors > 0,
            trace_id=each.trace_id,
        )
        for each in sorted(chosen, key=lambda each: each.start_ns)
    ]


def _groups(found: Sequence[TraceSummary]) -> list[TraceGroup]:
    parts: dict[tuple[str, str], list[TraceSummary]] = {}
    for each in found:
        parts.setdefault((each.root_service, each.root_name), []).append(each)
    groups = []
    for (service, name), traces in parts.items():
        seconds = sorted(each.duration_ns / SECOND for each in traces)
        groups.append(
            TraceGroup(
                name=name,
                service=service,
                count=len(traces),
                errors=sum(each.errors > 0 for each in traces),
                p50=percentile(seconds, 0.5),
                p95=percentile(seconds, 0.95),
                slowest=max(traces, key=lambda each: each.duration_ns).trace_id,
            )
        )
    return sorted(groups, key=lambda each: (-each.count, each.name))[:200]


def _headline(found: Sequence[TraceSummary], at_least: bool) -> Headline:
    failed = sum(each.errors > 0 for each in found)
    text = f"{'At least ' if at_least else ''}{wording.plural(len(found), 'trace')}"
    note = f"{wording.count(failed)} with errors" if failed else "none with errors" if found else ""
    return Headline(text=text, note=note, state="usual" if found else "empty")
