# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One batch or job."""

from __future__ import annotations

from otelkit import semconv
from otelkit.viewer.analysis import trend, wording
from otelkit.viewer.api import jobs, lanes, marks, steps
from otelkit.viewer.api.calls import total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.jobs import Jobs
from otelkit.viewer.api.marks import plain
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.shapes.batch import Job, Pending, RunTime, Straggler
from otelkit.viewer.api.shapes.finding import Headline
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span

STRAGGLER = 3.0
LEAST_STRAGGLER_S = 10.0
"""A run is a straggler from three medians on, if it is longer than this."""


def answer(context: Context, window: Window, key: str) -> Job:
    """Return one job's page."""
    span, terms = context.span(window, 180), context.terms(window)
    found = jobs.read(context, span, terms).get(key) or _quiet(context, span, key)
    findings = [each for each in verdict.find(context, span) if (each.about, each.subject) == ("batch", found.name)]
    row = jobs.row(found, findings)
    median = row.ran.value if row.ran else None
    drawn = lanes.read(context, span, found, threshold(median))
    note = (
        plain(findings[0].sentence)
        if findings
        else f"{wording.count(row.done)} done, {wording.count(row.failed)} failed"
    )
    return Job(
        range=context.range(span),
        row=row,
        headline=Headline(text=note, note="", state="findings" if findings else "usual"),
        findings=findings,
        lanes=drawn.lanes,
        lanes_note=drawn.note,
        run_time=_run_time(found, median, drawn.stragglers),
        pending=_pending(found, span),
        wait_run=_wait_run(found, span),
        error_types={kind: round(count) for kind, count in found.errors.items() if count >= 0.5},
    )


def _quiet(context: Context, span: Span, key: str) -> Jobs:
    for name in (semconv.JOB_STATUS.name, semconv.JOB_RUNS.name):
        for each in context.reader.series(name):
            engine, job = (str(each.attributes.get(label, "")) for label in jobs.BY)
            if jobs.key_of(engine, job) == key:
                return Jobs(key, engine, job, span.count)
    raise Missing(f"There is no job {key!r}.", "The keys are at /api/v1/batch.")


def threshold(median: float | None) -> float | None:
    """Return the length from which a run is a straggler."""
    return None if median is None else max(STRAGGLER * median, LEAST_STRAGGLER_S)


def _run_time(found: Jobs, median: float | None, stragglers: list[Straggler]) -> RunTime | None:
    whole = total(found.duration.steps) if found.duration is not None else None
    if found.duration is None or whole is None:
        return None
    shown = marks.histogram(found.duration.bounds, whole[:-1], "s")
    limit = threshold(median)
    if shown is None:
        return None
    beyond = None
    if limit is not None:
        beyond = round(
            sum(count for bound, count in zip(found.duration.bounds, whole[1:-1], strict=True) if bound >= limit)
        )
    return RunTime(
        histogram=shown,
        p50=jobs.quantile(found.duration, 0.5),
        threshold=limit,
        stragglers=stragglers,
        straggler_count=beyond,
    )


def _pending(found: Jobs, span: Span) -> Pending | None:
    if not any(found.pending):
        return None
    line = marks.line("pending", found.pending, span, "{job}", found.every)
    known = [
        (edge / SECOND + span.step / 2, value)
        for edge, value in zip(span.edges, found.pending, strict=False)
        if value is not None
    ]
    recent = [each for each in known if each[0] >= known[-1][0] - (known[-1][0] - known[0][0]) / 3]
    fitted = trend.fit([when for when, _ in recent], [value for _, value in recent])
    ends = fitted.reaches(0.0) if fitted is not None and fitted.slope < 0 and known[-1][1] > 0 else None
    points = None
    if fitted is not None and ends is not None:
        points = [(recent[0][0], max(0.0, fitted.at(recent[0][0]))), (ends, 0.0)]
    return Pending(line=line, left=known[-1][1], fitted=points, ends=ends, usual_ends=None)


def _wait_run(found: Jobs, span: Span) -> list[Line]:
    lines = []
    if found.queue is not None:
        lines.append(marks.line("wait p50", steps.quantiles(found.queue, 0.5), span, "s", found.every))
    if found.duration is not None:
        lines.append(marks.line("run p50", steps.quantiles(found.duration, 0.5), span, "s", found.every))
        lines.append(marks.line("slowest run", jobs.highest(found.duration), span, "s", found.every))
    return lines
