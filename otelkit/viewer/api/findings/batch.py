# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs that only fail, jobs with stragglers, and queues that grow while nothing more is done."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import jobs, lanes, marks
from otelkit.viewer.api.calls import total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.jobs import Jobs
from otelkit.viewer.api.shapes.finding import Finding, Link, Severity
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span

STRAGGLER = 3.0
LEAST_STRAGGLER_S = 10.0
LEAST_RUNS = 20
GROWN = 1.5
"""A queue is stuck if it grew by half over the range, in every third of it, and nothing more is active."""
LEAST_GROWTH = 20
LEAST_FAILED = 3


def find(context: Context, span: Span, found: Iterable[Jobs]) -> list[Finding]:
    """Return the findings about jobs."""
    possible = (
        finding
        for each in found
        for finding in (_failing(span, each), _stragglers(context, span, each), _stuck(span, each))
    )
    return [each for each in possible if each is not None]


def _failing(span: Span, found: Jobs) -> Finding | None:
    """Return a finding where every run of the range failed."""
    failed = found.count("failed")
    if failed < LEAST_FAILED or found.count("completed"):
        return None
    row = found.came.get("failed", [])
    first = next((index for index, each in enumerate(row) if each), 0)
    kinds = sorted(found.errors, key=lambda kind: -found.errors[kind])
    named = [kind for kind in kinds if kind != "error"]
    why = f", all as *{marks.escaped(named[0])}*" if len(kinds) == 1 and named else ""
    text = f"*All {wording.count(failed)}* runs that ended in this range failed{why}"
    if found.last_success and found.last_success < span.end:
        text += f"; the last success was at {wording.moment(found.last_success)}"
    since = max(span.start, (span.from_ns + first * span.step_ns) / SECOND)
    line = marks.line("failed", row, span, "{run}", found.every, status="err")
    return _finding(found, "failing", since, f"{text}.", line, "Job", failed, "err")


def _stragglers(context: Context, span: Span, found: Jobs) -> Finding | None:
    whole = total(found.duration.steps) if found.duration is not None else None
    if found.duration is None or whole is None:
        return None
    median = jobs.quantile(found.duration, 0.5)
    runs = round(sum(whole[:-1]))
    if median is None or runs < LEAST_RUNS:
        return None
    limit = max(STRAGGLER * median.value, LEAST_STRAGGLER_S)
    # Only buckets that lie beyond the limit wholly are counted: what is said is then true of all of them.
    bounds = found.duration.bounds
    beyond = round(sum(count for bound, count in zip(bounds, whole[1:-1], strict=True) if bound >= limit))
    if not beyond or beyond > runs / 4:
        return None
    drawn = lanes.read(context, span, found, limit)
    workers = sorted({each.worker for each in drawn.stragglers})
    all_kept = len(drawn.stragglers) >= beyond
    where = f"; all are on *{workers[0]}*" if len(workers) == 1 and all_kept and len(drawn.lanes) > 1 else ""
    longer = wording.duration(limit)
    text = f"*{wording.count(beyond)} of {wording.count(runs)}* runs take longer than {longer}, the median is "
    text += f"{wording.duration(median.value)}{where}."
    since = min((each.time for each in drawn.stragglers), default=_first(found, span, limit))
    return _finding(found, "stragglers", since, text, _slowest(found, span), "Stragglers", runs)


def _first(found: Jobs, span: Span, limit: float) -> float:
    for index, each in enumerate(jobs.highest(found.duration) if found.duration is not None else ()):
        if each is not None and each >= limit:
            return (span.from_ns + index * span.step_ns) / SECOND
    return span.start


def _slowest(found: Jobs, span: Span) -> Line | None:
    if found.duration is None:
        return None
    return marks.line("slowest run", jobs.highest(found.duration), span, "s", found.every, status="warn")


def _stuck(span: Span, found: Jobs) -> Finding | None:
    """Return a finding where pending grows and what is active does not."""
    known = [(index, value) for index, value in enumerate(found.pending) if value is not None]
    if len(known) < 9:
        return None
    third = len(known) // 3
    means = [sum(value for _, value in known[part * third : (part + 1) * third]) / third for part in range(3)]
    growing = means[0] < means[1] < means[2] and means[2] >= GROWN * means[0] and means[2] - means[0] >= LEAST_GROWTH
    active = [value for value in found.running if value is not None]
    if not growing or (active and active[-1] > 1.1 * max(1.0, active[0])):
        return None
    text = f"*{wording.count(known[-1][1])}* are pending, {wording.count(means[0])} were at first; "
    text += f"{wording.count(active[-1])} are active." if active else "how many are active is not known."
    since = (span.from_ns + known[0][0] * span.step_ns) / SECOND
    line = marks.line("pending", found.pending, span, "{job}", found.every, status="warn")
    return _finding(found, "stuck", since, text, line, "Pending", len(known))


def _finding(
    found: Jobs,
    kind: str,
    since: float,
    text: str,
    line: Line | None,
    link: str,
    sample: int,
    severity: Severity = "warn",
) -> Finding:
    return Finding(
        id=f"{kind}/{found.key}",
        kind=kind,
        severity=severity,
        subject=found.name or "unnamed",
        about="batch",
        since=since,
        sentence=marks.sentence(text),
        line=line,
        link=Link(text=link, route=f"#/batch/{quote(found.key, safe='')}"),
        sample=sample,
    )
