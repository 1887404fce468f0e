# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One service, and one of its actions in full."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import calls as calling
from otelkit.viewer.api import marks, prometheus, rows, signals
from otelkit.viewer.api.calls import Calls
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import Term
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.groups import key_of
from otelkit.viewer.api.history import Signal
from otelkit.viewer.api.parameters import ServiceWindow
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.shapes.finding import Finding, Headline
from otelkit.viewer.api.shapes.heatmap import Exemplar
from otelkit.viewer.api.shapes.service import Action, ActionRow, ErrorType, Service
from otelkit.viewer.api.timing import SECOND, Span, on_steps
from otelkit.viewer.store import Series

MOST_EXEMPLARS = 400
HISTORY_S = 3_600.0


def answer(context: Context, window: ServiceWindow, name: str) -> Service:
    """Return a service's page; without the service anywhere in the store it is missing."""
    span, terms = context.span(window, 90), context.terms(window)
    parts = [each for each in calling.read(context.reader, span, terms) if each.service == name]
    if not parts:
        return _without_calls(context, span, name)
    findings = [each for each in verdict.find(context, span) if (each.about, each.subject) == ("service", name)]
    table = [rows.action(context, span, each) for each in parts]
    table.sort(key=lambda row: (row.status == "ok", row.quiet, -row.calls, row.label))
    wanted = window.action or table[0].action
    chosen = next((each for each in parts if each.action == wanted), None)
    if chosen is None:
        raise Missing(
            f"Expected an action of {name}, got {window.action!r} - at action.", "Leave it out for the first."
        )
    return Service(
        range=context.range(span, calling.ignored(context.reader, terms)),
        name=name,
        source=parts[0].source,
        headline=_headline(table, findings),
        findings=findings,
        actions=table,
        chosen=_action(context, span, chosen, window.failures, terms),
    )


def _without_calls(context: Context, span: Span, name: str) -> Service:
    """Return the page of a service of which the range has no calls; it is missing if nobody ever heard of it."""
    traced = next((row for row in rows.services(context, span, [], []) if row.name == name), None)
    known = name in context.store.services() or any(signal.subject == name for signal in context.judge.signals())
    if traced is None and not known:
        raise Missing(f"There is no service {name!r}.", "The names are at /api/v1/services.")
    text = "Traces only: no metrics of it arrived" if traced else "No calls in this range"
    return Service(
        range=context.range(span),
        name=name,
        source="spans",
        headline=Headline(text=text, note="", state="young"),
        findings=[],
        actions=[],
        chosen=None,
    )


def _headline(table: Sequence[ActionRow], findings: Sequence[Finding]) -> Headline:
    bad = [row for row in table if row.status != "ok"]
    if not findings:
        judged = sum(row.usual_p95 is not None for row in table)
        text = "all as usual" if judged else "too young to judge"
        return Headline(text=text, note="", state="usual" if judged else "young", judged=judged)
    failing = [row.label for row in bad if "error_share" in row.abnormal]
    slow = [row.label for row in bad if row.label not in failing]
    since = f" since {wording.moment(findings[0].since)}"
    said = [
        f"{wording.listed(names)} {verb}"
        for names, verb in ((failing, _verb(failing, "fail")), (slow, _is(slow)))
        if names
    ]
    rest = ", the rest is as usual" if len(bad) < len(table) else ""
    return Headline(text=", ".join(said) + since + rest, note="", state="findings", judged=len(table))


def _verb(names: Sequence[str], verb: str) -> str:
    return verb if len(names) > 1 else f"{verb}s"


def _is(names: Sequence[str]) -> str:
    return "are slow" if len(names) > 1 else "is slow"


def _action(context: Context, span: Span, calls: Calls, failures: bool, terms: Sequence[Term]) -> Action:
    steps = calls.failed if failures else calls.durations
    duration = calls.family.duration
    series = _series(context, calls, terms) if duration else []
    usual = context.judge.usual(Signal("service", calls.service, calls.action, signals.P95), span)
    metric = duration or calls.family.requests
    unit = next((each.unit for each in context.store.metrics(metric)), "s")
    return Action(
        action=calls.action,
        label=calls.label,
        metric=metric,
        prometheus=prometheus.name_of(metric, "histogram" if duration else "sum", unit, True),
        unit="s",
        heatmap=marks.heatmap(
            calls.bounds, steps, span, "s", calls.every, _usual_counts(context, span, calls, terms), calls.inexact
        )
        if calls.bounds is not None
        else None,
        p50=marks.line("p50", calls.quantiles(0.5, failures), span, "s", calls.every),
        p95=marks.line("p95", calls.quantiles(0.95, failures), span, "s", calls.every, usual),
        requests=rows.requests_line(calls, span),
        errors=rows.errors_line(context, calls, span),
        active=marks.line("active", calls.active, span, "{request}", calls.every) if calls.in_flight else None,
        exemplars=_exemplars(context, span, series, failures),
        error_types=_error_types(calls),
        labels=_labels(series, calls),
        promql=prometheus.of_calls(calls),
    )


def _series(context: Context, calls: Calls, terms: Sequence[Term]) -> list[Series]:
    wanted = calling.keys_of(calls)
    return [
        each
        for each in context.reader.choose(calls.family.duration, calling.label_terms(terms))
        if key_of(each, calls.family.labels) in wanted
    ]


def _usual_counts(context: Context, span: Span, calls: Calls, terms: Sequence[Term]) -> list[float] | None:
    """Return counts by bucket over the hour before the range: what share of calls usually lies where."""
    oldest = context.store.statistics().oldest_ns / SECOND
    begin = max(oldest, span.start - HISTORY_S)
    if not oldest or span.start - begin < 120:
        return None
    step = max(60.0, 60.0 * ((span.start - begin) // 240))
    before = on_steps(begin, span.start, span.now, step)
    labels, wanted = calls.family.labels, calling.keys_of(calls)
    groups = context.reader.read(
        "distributions",
        (calls.family.duration,),
        labels,
        before,
        calling.label_terms(terms),
        only=lambda each: key_of(each, labels) in wanted,
        mark=("usual", *sorted(wanted)),
    )
    known = groups.get(calls.key)
    if known is None or known.bounds != calls.bounds or not known.rise.known.any():
        return None
    return known.rise.values[:, :-1].sum(axis=0).tolist()


def _exemplars(context: Context, span: Span, series: Sequence[Series], failures: bool) -> list[Exemplar]:
    failed = {each.id: bool(each.attributes.get(semconv.ERROR_TYPE)) for each in series}
    if failures:
        series = [each for each in series if failed[each.id]]
    begin = int(span.start * SECOND)
    found = context.store.exemplars([each.id for each in series], begin, span.to_ns, MOST_EXEMPLARS)
    kept = context.kept({each.trace_id for each in found})
    return [
        Exemplar(
            time=each.time_ns / SECOND,
            value=each.value,
            trace_id=each.trace_id,
            span_id=each.span_id,
            failed=failed[each.series_id],
            kept=each.trace_id in kept,
        )
        for each in reversed(found)
        if each.trace_id
    ]


def _error_types(calls: Calls) -> list[ErrorType]:
    counts = {kind: round(float(rise.values.sum())) for kind, rise in calls.errors.items()}
    return [ErrorType(type=kind, count=count) for kind, count in sorted(counts.items(), key=lambda x: -x[1]) if count]


def _labels(series: Sequence[Series], calls: Calls) -> dict[str, int]:
    values: dict[str, set[str]] = {}
    for each in series:
        for key, value in each.attributes.items():
            if key not in (*calls.family.labels, *calls.family.failing):
                values.setdefault(key, set()).add(str(value))
    return {key: len(found) for key, found in sorted(values.items())}
