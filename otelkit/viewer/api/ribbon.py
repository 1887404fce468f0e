# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that was handled over the retained time."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import calls, steps
from otelkit.viewer.api.calls import Row
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import FrameWindow
from otelkit.viewer.api.shapes.frame import Notch, Ribbon
from otelkit.viewer.api.timing import SECOND, Span, on_steps, round_step

LEAST_SPAN_S = 900.0
MOST_NOTCHES = 20


def read(context: Context, asked: FrameWindow, now: float, oldest: float) -> Ribbon:
    """Return the ribbon; a young history is drawn at the right end of a quarter of an hour."""
    most = asked.span or max(LEAST_SPAN_S, now - oldest)
    length = min(most, max(LEAST_SPAN_S, now - oldest if oldest else 0.0))
    span = on_steps(now - length, now, now, round_step(length / asked.columns), live=True)
    unit, counts, failed = _handled(context, span)
    hours = wording.age(length)
    return Ribbon(
        axis=span.axis,
        caption=f"all {unit}, {hours}",
        unit=unit,
        counts=_rounded(counts),
        failed=_rounded(failed),
        notches=_notches(context, span),
    )


def _handled(context: Context, span: Span) -> tuple[str, Row, Row]:
    """Return requests; without services jobs, then items, then traces."""
    parts = calls.read(context.reader, span)
    # A call that is measured twice, as HTTP request and as service, is drawn once.
    sources = [each for each in parts if each.source in ("service", "http", "rpc")]
    chosen = [each for each in sources if each.source == "service"] or sources or parts
    if chosen:
        whole = calls.together(chosen)
        return ("requests" if sources else "calls"), whole.requests, whole.failures
    jobs = context.reader.read("sums", (semconv.JOB_STATUS.name, semconv.JOB_RUNS.name), (semconv.STATUS,), span)
    if jobs:
        done = [group.steps for (status,), group in jobs.items() if status in ("", "completed", "failed")]
        bad = [group.steps for (status,), group in jobs.items() if status == "failed"]
        return "jobs", _sum(done, span), _sum(bad, span)
    models = steps.read(context.reader, span).values()
    if models:
        items = [model.items for model in models if model.items]
        return "items", _sum_rows(items, span), [None] * span.count
    return _traces(context, span)


def _traces(context: Context, span: Span) -> tuple[str, Row, Row]:
    tallies = context.store.tallies(None, span.step_ns, span.first, span.count)
    first = next((index for index, (traces, _) in enumerate(tallies) if traces), None)
    if first is None:
        return "requests", [None] * span.count, [None] * span.count
    unknown: Row = [None] * first
    counts, failed = ([float(each) for each in column] for column in zip(*tallies[first:], strict=True))
    return "traces", [*unknown, *counts], [*unknown, *failed]


def _sum(parts: Sequence[Sequence[Sequence[float] | None]], span: Span) -> Row:
    return _sum_rows([[each[0] if each is not None else None for each in steps] for steps in parts], span)


def _sum_rows(parts: Sequence[Row], span: Span) -> Row:
    total: Row = [None] * span.count
    for row in parts:
        for index, each in enumerate(row):
            if each is not None:
                total[index] = (total[index] or 0.0) + each
    return total


def _rounded(row: Row) -> Row:
    return [None if each is None else round(each, 1) for each in row]


def _notches(context: Context, span: Span) -> list[Notch]:
    """Return when processes began to be heard of, and new versions, latest first kept."""
    first: dict[tuple[str, str], tuple[int, str]] = {}
    for series in context.reader.all_series():
        key = (series.service, series.instance)
        known = first.get(key)
        if series.first_ns and (known is None or series.first_ns < known[0]):
            first[key] = (series.first_ns, str(series.resource.get("service.version", "")))
    notches: list[Notch] = []
    versions: dict[str, str] = {}
    seen: dict[str, int] = {}
    for (service, _), (time_ns, version) in sorted(first.items(), key=lambda item: item[1]):
        name = service or "unknown"
        if name in versions and version != versions[name]:
            notches.append(Notch(time=time_ns / SECOND, kind="deployment", label=f"{name} {version}".strip()))
        elif time_ns - seen.get(name, 0) > 60 * SECOND:
            text = "restarted" if name in seen else "started"
            notches.append(Notch(time=time_ns / SECOND, kind="start", label=f"{name} {text}"))
        versions[name], seen[name] = version, time_ns
    return [each for each in notches if span.from_ns / SECOND <= each.time <= span.end][-MOST_NOTCHES:]
