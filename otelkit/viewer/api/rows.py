# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of services and of their actions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from otelkit.viewer.analysis import usual as analysis
from otelkit.viewer.api import calls as calling
from otelkit.viewer.api import families, marks, signals
from otelkit.viewer.api.calls import Calls
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.history import Signal
from otelkit.viewer.api.shapes.finding import Finding, Status
from otelkit.viewer.api.shapes.line import Line, Quantile
from otelkit.viewer.api.shapes.service import ActionRow, ServiceRow
from otelkit.viewer.api.timing import SECOND, Span

MOST_TRACES = 2_000
"""Traces that the quantiles of a service without metrics are of: the newest."""


def services(
    context: Context, span: Span, actions: Sequence[Calls], findings: Sequence[Finding], traced: bool = True
) -> list[ServiceRow]:
    """
    Return a row for each service, those with findings first, then by requests.

    Args:
        traced: Also those of which there are traces only; not where a filter asks for something.
    """
    parts: dict[str, list[Calls]] = {}
    for each in actions:
        parts.setdefault(each.service, []).append(each)
    rows = [_service(context, span, name, of) for name, of in parts.items()]
    rows += _from_spans(context, span) if traced else []
    worst = {each.subject: each.severity for each in findings if each.about == "service"}
    rank = {"err": 0, "warn": 1}
    return sorted(rows, key=lambda row: (rank.get(worst.get(row.name, ""), 2), -row.calls, row.name))


def _service(context: Context, span: Span, name: str, parts: Sequence[Calls]) -> ServiceRow:
    whole = calling.together(parts)
    called = [each for each in parts if _count(each.requests) >= 0.5]
    status, abnormal = judged(context, span, name, "")
    for each in parts if status == "ok" else ():
        status, _ = judged(context, span, name, each.action)
        if status != "ok":
            break
    p50, p95 = whole.quantile(0.5), whole.quantile(0.95)
    return ServiceRow(
        name=name,
        source=parts[0].source,
        actions=len(called),
        calls=round(_count(whole.requests)),
        requests=requests_line(whole, span),
        errors=errors_line(context, whole, span, status if "error_share" in abnormal else "ok"),
        rate=rate(whole, span),
        error_share=error_share(whole),
        p50=marks.quantile(*p50),
        p95=marks.quantile(*p95),
        usual_p95=context.judge.usual(Signal("service", name, "", signals.P95), span),
        active=active(whole),
        status=status,
        abnormal=abnormal,
        last_seen=whole.last / SECOND or None,
        stale=is_stale(whole, span),
    )


def action(context: Context, span: Span, calls: Calls) -> ActionRow:
    """Return the row of one action."""
    status, abnormal = judged(context, span, calls.service, calls.action)
    count = round(_count(calls.requests))
    return ActionRow(
        action=calls.action,
        label=calls.label,
        source=calls.source,
        calls=count,
        requests=requests_line(calls, span),
        errors=errors_line(context, calls, span, status if "error_share" in abnormal else "ok"),
        rate=rate(calls, span),
        error_share=error_share(calls),
        p50=marks.quantile(*calls.quantile(0.5)),
        p95=marks.quantile(*calls.quantile(0.95)),
        p99=marks.quantile(*calls.quantile(0.99)),
        usual_p95=context.judge.usual(Signal("service", calls.service, calls.action, signals.P95), span),
        active=active(calls),
        status=status,
        abnormal=abnormal,
        quiet=count == 0,
    )


def judged(context: Context, span: Span, service: str, action: str) -> tuple[Status, list[str]]:
    """Return how bad it is, and which of p50, p95 and error_share are outside of usual."""
    abnormal = [
        field
        for field, measure in (("p50", signals.P50), ("p95", signals.P95), ("error_share", signals.ERRORS))
        if context.judge.departure(Signal("service", service, action, measure), span.end) is not None
    ]
    return ("err" if abnormal else "ok"), abnormal


def requests_line(calls: Calls, span: Span) -> Line:
    """Return requests a second."""
    return marks.line("requests", calling.rates(calls.requests, span, calls.last, calls.first), span, "/s", calls.every)


def errors_line(context: Context, calls: Calls, span: Span, status: str = "ok") -> Line:
    """Return the share that failed."""
    usual = context.judge.usual(Signal("service", calls.service, calls.action, signals.ERRORS), span)
    return marks.line("errors", calls.shares, span, "1", calls.every, usual, status)


def rate(calls: Calls, span: Span) -> float | None:
    """Return requests a second over the part of the range that is known."""
    return marks.rounded(calling.mean_rate(calls.requests, span, calls.first, calls.last))


def error_share(calls: Calls) -> float | None:
    """Return failed by all, over the range."""
    ended = _count(calls.ended if calls.took is not None else calls.requests)
    return marks.rounded(min(1.0, _count(calls.failures) / ended)) if ended >= 0.5 else None


def active(calls: Calls) -> float | None:
    """Return what is in flight now."""
    known = [each for each in calls.active[-3:] if each is not None]
    return known[-1] if known else None


def is_stale(calls: Calls, span: Span) -> bool:
    """Tell whether three reports in a row are missing."""
    return span.live and calls.every > 0 and span.now - calls.last / SECOND > 3 * calls.every / SECOND + 2


def _count(row: Sequence[float | None]) -> float:
    return sum(each for each in row if each is not None)


def _from_spans(context: Context, span: Span) -> list[ServiceRow]:
    """Return rows of programs that send traces alone: their root spans are their requests."""
    names = {family.names[0] for family in families.find(context.reader.names())}
    measured = {series.service for name in names for series in context.reader.series(name)}
    question = ("traced", span.first, span.count, span.step, frozenset(measured))
    return context.remembered(question, lambda: _rows_from_spans(context, span, measured))


def _rows_from_spans(context: Context, span: Span, measured: Collection[str]) -> list[ServiceRow]:
    roots = context.store.roots(int(span.start * SECOND), span.to_ns)
    rows = []
    for program in dict.fromkeys(service for service, _, _ in roots):
        if program in measured or not program:
            continue
        count = sum(traces for service, _, traces in roots if service == program)
        rows.append(_traced(context, span, program, count, sum(service == program for service, _, _ in roots)))
    return rows


def _traced(context: Context, span: Span, program: str, count: int, actions: int) -> ServiceRow:
    tallies = context.store.tallies(program, span.step_ns, span.first, span.count)
    begun: list[float | None] = [float(traces) for traces, _ in tallies]
    shares = [failed / traces if traces else None for traces, failed in tallies]
    all_, errors = (sum(column) for column in zip(*tallies, strict=True))
    newest = context.store.durations(program, int(span.start * SECOND), span.to_ns, MOST_TRACES)
    seconds = sorted(duration / SECOND for _, duration in newest)
    latest = newest[0][0] if newest else 0
    rates = calling.rates(begun, span, span.to_ns)
    return ServiceRow(
        name=program,
        source="spans",
        actions=actions,
        calls=count,
        requests=marks.line("traces", rates, span, "/s"),
        errors=marks.line("errors", shares, span, "1"),
        rate=marks.rounded(count / span.length),
        error_share=marks.rounded(errors / all_) if all_ else None,
        p50=_of_sorted(seconds, 0.5),
        p95=_of_sorted(seconds, 0.95),
        usual_p95=None,
        active=None,
        last_seen=latest / SECOND or None,
    )


def _of_sorted(values: Sequence[float], share: float) -> Quantile | None:
    if not values:
        return None
    return Quantile(value=analysis.percentile(values, share), count=len(values))
