# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Services that are slow or failing, compared with what is usual for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from otelkit.viewer.analysis import buckets, difference, wording
from otelkit.viewer.analysis.usual import Departure
from otelkit.viewer.api import marks, signals, spans
from otelkit.viewer.api.calls import Calls, together
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.history import Signal
from otelkit.viewer.api.shapes.finding import Finding, Link
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span

COMPARED = 40
"""Traces on either side that are read to say where the extra time is."""
LEAST_TRACES = 5
MOST_OF_IT = 0.5
SMALL_SAMPLE = 100
EXTRA_KEPT_S = 20.0


@dataclass(slots=True)
class _Worst:
    """The action, or the whole service, that left its usual range furthest."""

    calls: Calls
    departure: Departure
    factor: float
    measure: str


def find(context: Context, span: Span, actions: Sequence[Calls]) -> list[Finding]:
    """Return a finding for each service that is slow, failing, or both."""
    services: dict[str, list[Calls]] = {}
    for each in actions:
        services.setdefault(each.service, []).append(each)
    found: list[tuple[Finding, _Worst]] = []
    for service, parts in services.items():
        slow = _slow(context, span, service, parts)
        failing = _worst(context, span, service, parts, signals.ERRORS)
        if worst := slow or failing:
            found.append((_finding(context, span, service, slow, failing), worst))
    return [finding for finding, worst in found if not _is_said(finding, worst, found)]


def _slow(context: Context, span: Span, service: str, parts: Sequence[Calls]) -> _Worst | None:
    """Return what is slow by p95, or else by p50; by p50, too, if that tells which action it is."""
    tail = _worst(context, span, service, parts, signals.P95)
    if tail is not None and tail.calls.action:
        return tail
    middle = _worst(context, span, service, parts, signals.P50)
    return middle if tail is None or (middle is not None and middle.calls.action) else tail


def _is_said(finding: Finding, worst: _Worst, found: Sequence[tuple[Finding, _Worst]]) -> bool:
    """Tell whether it is a function within an action of whose finding it is the cause: one fault is said once."""
    if worst.calls.source not in ("function", "named"):
        return False
    names = {worst.calls.label, worst.calls.label.rpartition(".")[2]}
    return any(
        other is not finding and any(part.strong and part.text in names for part in other.sentence)
        for other, _ in found
    )


def _worst(context: Context, span: Span, service: str, parts: Sequence[Calls], measure: str) -> _Worst | None:
    whole = parts[0] if len(parts) == 1 else together(parts)
    candidates = [("", whole), *((each.action, each) for each in parts)] if len(parts) > 1 else [("", whole)]
    worst: _Worst | None = None
    for action, calls in candidates:
        departure = context.judge.departure(Signal("service", service, action, measure), span.end)
        if departure is None:
            continue
        factor = departure.value / departure.usual.middle if departure.usual.middle else float("inf")
        # An action says more than its service; of several the one furthest outside.
        if worst is None or worst.calls is whole or factor > worst.factor:
            worst = _Worst(calls, departure, factor, measure)
    return worst


def _finding(context: Context, span: Span, service: str, slow: _Worst | None, failing: _Worst | None) -> Finding:
    main = slow or failing
    assert main is not None
    since = min(each.departure.since for each in (slow, failing) if each)
    pieces: list[str] = []
    if slow:
        pieces.append(_slow_words(slow))
    if failing:
        same = slow is not None and slow.calls.action == failing.calls.action
        pieces.append(_failing_words(failing, alone=slow is None, named=not same))
    text = ", and ".join(pieces)
    sample = main.departure.observations
    text += f" ({wording.plural(sample, 'call')} since)." if sample < SMALL_SAMPLE else "."
    if slow:
        text += _where_words(context, span, slow)
    return Finding(
        id=f"service/{service}",
        kind="failing" if failing else "slow",
        severity="err",
        subject=service,
        about="service",
        since=since,
        sentence=marks.sentence(text),
        line=_line(context, span, main, service),
        link=_link(context, span, service, main, failed=slow is None),
        factor=round(main.factor, 3) if main.factor != float("inf") else None,
        sample=sample,
    )


def _of(calls: Calls) -> str:
    return f" of {marks.escaped(calls.label)}" if calls.action else ""


def _slow_words(slow: _Worst) -> str:
    departure = slow.departure
    wide = slow.calls.bounds is not None and buckets.is_wide(slow.calls.bounds, departure.value)
    value = f"{'≈ ' if wide else ''}{wording.duration(departure.value)}"
    return f"{slow.measure}{_of(slow.calls)} is *{value}*, {wording.factor(slow.factor)} the usual"


def _failing_words(failing: _Worst, alone: bool, named: bool) -> str:
    share = f"*{wording.percent(failing.departure.value)}*"
    usual = f", usual {wording.percent(failing.departure.usual.middle)}" if alone else ""
    kinds = sorted(failing.calls.errors, key=lambda kind: -_count(failing.calls, kind))
    kinds = [kind for kind in kinds if _count(failing.calls, kind) >= 0.5]
    kind = f", all as {marks.escaped(kinds[0].rpartition('.')[2])}" if len(kinds) == 1 else ""
    return f"{share}{_of(failing.calls) if named else ''} fail{usual}{kind}"


def _count(calls: Calls, kind: str) -> float:
    return float(calls.errors[kind].values.sum())


def _where_words(context: Context, span: Span, slow: _Worst) -> str:
    """Say in which span the extra time is, if most of it is in one and enough traces show it."""
    since, end = int(slow.departure.since * SECOND), span.to_ns
    # Reading traces costs more than all the rest, and what they say changes slowly.
    question = ("extra time", slow.calls.service, slow.calls.action, since)
    return context.remembered(question, lambda: _compared(context, slow, since, end), EXTRA_KEPT_S)


def _compared(context: Context, slow: _Worst, since: int, end: int) -> str:
    begin = since - int(3_600 * SECOND)
    after = spans.profiles(context.store, slow.calls, since, end, COMPARED)
    before = spans.profiles(context.store, slow.calls, begin, since, COMPARED)
    if len(after) < LEAST_TRACES or len(before) < LEAST_TRACES:
        return ""
    extra = difference.extra_time(after, before)
    if extra is None or extra.share < MOST_OF_IT:
        return ""
    few = f" (of {extra.traces} traces)" if extra.traces < 20 else ""
    name = marks.escaped(extra.name[1])
    return f" {wording.percent(extra.share)} of the extra time is in one span: *{name}*{few}."


def _line(context: Context, span: Span, main: _Worst, service: str) -> Line:
    measure = main.measure
    usual = context.judge.usual(Signal("service", service, main.calls.action, measure), span)
    if measure != signals.ERRORS:
        row = main.calls.quantiles(0.95 if measure == signals.P95 else 0.5)
        return marks.line(measure, row, span, "s", main.calls.every, usual, "err")
    return marks.line("errors", main.calls.shares, span, "1", main.calls.every, usual, "err")


def _link(context: Context, span: Span, service: str, main: _Worst, failed: bool) -> Link:
    query = spans.query_for(main.calls, int(main.departure.since * SECOND), span.to_ns, 200)
    traces = context.store.traces(query)
    if failed:
        traces = [each for each in traces if each.errors] or traces
    if traces:
        slowest = max(traces, key=lambda each: each.duration_ns)
        return Link(text="Failed trace" if failed else "Slowest trace", route=f"#/traces/{slowest.trace_id}")
    action = f"?action={quote(main.calls.action, safe='')}" if main.calls.action else ""
    return Link(text="Latency", route=f"#/services/{quote(service, safe='')}{action}")
