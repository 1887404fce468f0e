# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that fell silent, or start over and over."""

from __future__ import annotations

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import marks
from otelkit.viewer.api import senders as programs
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.shapes.finding import Finding, Link
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Sender

STARTS = 3
WITHIN_S = 600.0
LEAST_REPORTS_S = 30.0
"""Who was heard of for less did its work and ended: most programs do."""


def find(context: Context, span: Span) -> list[Finding]:
    """Return the findings about senders; only a range that ends now has any."""
    if not span.live:
        return []
    by_program: dict[str, list[Sender]] = {}
    for each in context.store.senders():
        by_program.setdefault(programs.name_of(each.resource), []).append(each)
    found = [_looping(context, span, name) for name in by_program]
    found += [_gone(context, span, name, processes) for name, processes in by_program.items()]
    return [each for each in found if each is not None]


def _gone(context: Context, span: Span, name: str, processes: list[Sender]) -> Finding | None:
    """
    Return a finding where a service that served until now is silent: there was work in flight when it went.

    A program that ended is no finding; nobody can tell one from the other but by what it left undone.
    """
    latest = max(processes, key=lambda each: each.latest_ns)
    silent = span.now - latest.latest_ns / SECOND
    if not latest.interval_s or silent < 3 * latest.interval_s + 5 or silent > programs.GONE_S:
        return None
    unfinished = _in_flight(context, latest)
    if not unfinished:
        return None
    text = f"Silent for *{wording.age(silent)}*, with {wording.plural(unfinished, 'call')} unfinished; "
    text += f"it reported every {wording.duration(latest.interval_s)}."
    return Finding(
        id=f"gone/{name}",
        kind="gone",
        severity="err",
        subject=name,
        about="sender",
        since=latest.latest_ns / SECOND,
        sentence=marks.sentence(text),
        line=None,
        link=Link(text="Its metrics", route=f"#/metrics?q=service.name:{name}"),
        sample=1,
    )


def _in_flight(context: Context, sender: Sender) -> int:
    """Return how many calls the process had begun and not ended, by its last report."""
    instance = sender.resource.get("service.instance.id")
    chosen = [
        each
        for metric in context.reader.metrics()
        if metric.kind == "sum" and not metric.monotonic and metric.name.endswith(("active_requests", "active_calls"))
        for each in context.reader.series(metric.name)
        if each.resource.get("service.instance.id") == instance
    ]
    last = context.store.numbers_before([each.id for each in chosen], 2**62)
    return round(sum(value for _, _, value in last.values() if value > 0))


def _looping(context: Context, span: Span, name: str) -> Finding | None:
    begin = (span.now - WITHIN_S) * SECOND
    born: dict[str, tuple[int, int]] = {}
    for each in context.reader.all_series():
        if each.service == name:
            first, last = born.get(each.instance, (each.first_ns, each.last_ns))
            born[each.instance] = (min(first, each.first_ns), max(last, each.last_ns))
    # One after the other: a pool that starts eight workers at once is no loop.
    lives = sorted(life for life in born.values() if life[0] >= begin)
    starts, ended = 0, 0
    for first, last in lives:
        if first >= ended:
            starts, ended = starts + 1, last
    short = [last - first for first, last in lives if last - first < 60 * SECOND]
    if starts < STARTS or len(short) < STARTS - 1:
        return None
    text = f"*Started {starts} times* in {wording.age(WITHIN_S)}, one process after the other."
    return Finding(
        id=f"crash_loop/{name}",
        kind="crash_loop",
        severity="err",
        subject=name,
        about="sender",
        since=lives[0][0] / SECOND,
        sentence=marks.sentence(text),
        line=None,
        link=Link(text="Traces", route=f"#/traces?q=service:{name}"),
        sample=starts,
    )
