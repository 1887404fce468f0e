# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs: tasks of batch engines, and functions with ``@job``."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from otelkit import semconv
from otelkit.viewer.analysis import buckets
from otelkit.viewer.api import machines, marks
from otelkit.viewer.api.calls import Row, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import Term
from otelkit.viewer.api.groups import Group
from otelkit.viewer.api.reader import Kind
from otelkit.viewer.api.shapes.batch import JobRow
from otelkit.viewer.api.shapes.finding import Finding
from otelkit.viewer.api.shapes.line import Quantile
from otelkit.viewer.api.steps import Distribution
from otelkit.viewer.api.timing import Span

BY = (semconv.BATCH_ENGINE, semconv.JOB)
OWN = "@job"


@dataclass(slots=True)
class Jobs:
    """
    What one job did in each step of a span.

    Attributes:
        came: How many came to be of each status.
        running, pending: Readings; empty where not reported.
    """

    key: str
    engine: str
    name: str
    size: int
    came: dict[str, Row] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    retries: float = 0.0
    running: Row = field(default_factory=list)
    pending: Row = field(default_factory=list)
    duration: Distribution | None = None
    queue: Distribution | None = None
    workers: float | None = None
    last_success: float | None = None
    last: int = 0
    every: int = 0

    def count(self, *statuses: str) -> int:
        """Return how many came to be of these statuses, over the span."""
        return round(sum(each or 0.0 for status in statuses for each in self.came.get(status, ())))


def key_of(engine: str, name: str) -> str:
    """Return what names a job in a route."""
    return f"{engine or OWN}:{name}"


def read(context: Context, span: Span, terms: Sequence[Term] = ()) -> dict[str, Jobs]:
    """Return all jobs by key."""
    found: dict[str, Jobs] = {}

    def each(kind: Kind, name: str, *more: str) -> Iterator[tuple[Jobs, Group, list[str]]]:
        for (engine, job, *rest), group in context.reader.read(kind, (name,), (*BY, *more), span, terms).items():
            key = key_of(engine, job)
            jobs = found.get(key)
            if jobs is None:
                jobs = found[key] = Jobs(key, engine, job, span.count)
            jobs.last, jobs.every = max(jobs.last, group.last), max(jobs.every, group.every)
            yield jobs, group, rest

    for jobs, group, (status,) in each("sums", semconv.JOB_STATUS.name, semconv.STATUS):
        jobs.came[status] = _first(group)
    for jobs, group, _ in each("sums", semconv.JOB_RUNS.name):
        jobs.came["submitted"] = _first(group)
    for jobs, group, (error,) in each("sums", semconv.JOB_FAILURES.name, semconv.ERROR_TYPE):
        _fail(jobs, error, group, counted=not jobs.engine)
    for jobs, group, (error,) in each("sums", semconv.JOB_ERRORS.name, semconv.ERROR_TYPE):
        _fail(jobs, error, group, counted=False)
    for jobs, group, _ in each("sums", semconv.JOB_RETRIES.name):
        jobs.retries += _whole(group)
    for jobs, group, _ in each("gauges", semconv.JOB_ACTIVE.name):
        jobs.running = _first(group)
    for jobs, group, _ in each("gauges", semconv.JOB_PENDING.name):
        jobs.pending = _first(group)
    for jobs, group, (error,) in each("distributions", semconv.JOB_DURATION.name, semconv.ERROR_TYPE):
        _add_duration(jobs, group, failed=bool(error))
    for jobs, group, _ in each("distributions", semconv.JOB_QUEUE_TIME.name):
        jobs.queue = Distribution.of(group)
    for jobs, group, _ in each("gauges", semconv.JOB_LAST_SUCCESS.name):
        jobs.last_success = machines.last(_first(group))
    _add_workers(context, span, found)
    return found


def _fail(jobs: Jobs, error: str, group: Group, counted: bool) -> None:
    jobs.errors[error or "error"] = jobs.errors.get(error or "error", 0.0) + _whole(group)
    if counted:
        jobs.came["failed"] = _plus(jobs.came.get("failed"), _first(group))


def _add_duration(jobs: Jobs, group: Group, failed: bool) -> None:
    if jobs.duration is None:
        jobs.duration = Distribution.of(group)
    else:
        jobs.duration.add(group)
    if not jobs.engine and not failed:
        jobs.came["completed"] = _plus(
            jobs.came.get("completed"), [sum(s[:-1]) if s is not None else None for s in group.steps]
        )


def _add_workers(context: Context, span: Span, found: dict[str, Jobs]) -> None:
    by = (semconv.BATCH_ENGINE,)
    for (engine,), group in context.reader.read("gauges", (semconv.BATCH_WORKERS.name,), by, span).items():
        for jobs in found.values():
            if jobs.engine == engine:
                jobs.workers = machines.last(_first(group))


def rows(found: dict[str, Jobs], findings: Sequence[Finding]) -> list[JobRow]:
    """Return rows, those with findings first, then by what is left, then by what was done."""
    made = [row(each, findings) for each in found.values()]
    return sorted(made, key=lambda each: (each.status == "ok", -(each.pending or 0), -each.done, each.name))


def row(jobs: Jobs, findings: Sequence[Finding]) -> JobRow:
    """Return the row of one job."""
    mine = [each for each in findings if (each.about, each.subject) == ("batch", jobs.name)]
    running, pending = machines.last(jobs.running), machines.last(jobs.pending)
    done, failed, cancelled = jobs.count("completed"), jobs.count("failed"), jobs.count("cancelled")
    left = [max(0, round(each)) for each in (running, pending) if each is not None]
    return JobRow(
        key=jobs.key,
        name=jobs.name or "unnamed",
        engine=jobs.engine or OWN,
        kind="batch" if jobs.engine else "job",
        status="err" if any(each.severity == "err" for each in mine) else "warn" if mine else "ok",
        done=done,
        failed=failed,
        cancelled=cancelled,
        retries=round(jobs.retries),
        running=None if running is None else max(0, round(running)),
        pending=None if pending is None else max(0, round(pending)),
        total=done + failed + cancelled + sum(left),
        waited=quantile(jobs.queue, 0.5),
        ran=quantile(jobs.duration, 0.5),
        workers=None if jobs.workers is None else round(jobs.workers),
        last_success=jobs.last_success,
        abnormal=[each.kind for each in mine],
    )


def quantile(of: Distribution | None, share: float) -> Quantile | None:
    """Return a quantile over the span."""
    whole = total(of.steps) if of is not None else None
    if of is None or whole is None:
        return None
    return marks.quantile(buckets.quantile(of.bounds, whole[:-1], share), round(sum(whole[:-1])))


def _first(group: Group) -> Row:
    return [each[0] if each is not None else None for each in group.steps]


def _whole(group: Group) -> float:
    return (total(group.steps) or array("d", (0.0,)))[0]


def _plus(known: Row | None, more: Row) -> Row:
    if known is None:
        return more
    return [b if a is None else a if b is None else a + b for a, b in zip(known, more, strict=True)]


def highest(of: Distribution) -> Row:
    """Return the upper bound of the highest bucket that was filled, in each step: the slowest, to a bucket's width."""
    row: Row = []
    for each in of.steps:
        filled = [index for index, count in enumerate(each[:-1]) if count >= 0.5] if each is not None else []
        row.append(of.bounds[min(filled[-1], len(of.bounds) - 1)] if filled and of.bounds else None)
    return row
