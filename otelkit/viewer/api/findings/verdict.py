# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All findings of a moment, in order, and the headline over them."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit.viewer.analysis import usual, wording
from otelkit.viewer.api import calls as calling
from otelkit.viewer.api import jobs, steps
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import batch, hosts, inference, otelkit, senders, services
from otelkit.viewer.api.shapes.finding import Finding, Headline
from otelkit.viewer.api.timing import Span

_SEVERITY = {"err": 0, "warn": 1}


def find(context: Context, span: Span) -> list[Finding]:
    """Return what is outside of usual at the end of the range, worst first."""
    return context.remembered(("findings", span.first, span.count, span.step, span.live), lambda: _find(context, span))


def _find(context: Context, span: Span) -> list[Finding]:
    reader = context.reader
    found = [
        *services.find(context, span, calling.read(reader, span)),
        *inference.find(context, span, steps.read(reader, span).values()),
        *batch.find(context, span, jobs.read(context, span).values()),
        *hosts.find(context, span),
        *senders.find(context, span),
        *otelkit.find(context, span),
    ]
    return sorted(found, key=lambda each: (_SEVERITY[each.severity], -(each.factor or 0.0), each.subject))


def headline(context: Context, span: Span, findings: Sequence[Finding], empty: bool) -> Headline:
    """Return the sentence over the Overview."""
    judge = context.judge
    if empty:
        listening = wording.age(span.now - context.about.started)
        return Headline(text="Nothing yet", note=f"listening for {listening}", state="empty")
    signals = judge.signals()
    judged = sum(judge.judged(each, span) for each in signals)
    unjudged = len(signals) - judged
    if findings:
        count = len(findings)
        text = f"{wording.in_words(count)} thing{'s need' if count > 1 else ' needs'} a look"
        rest = max(0, judged - _concerned(context, span))
        note = f"the other {wording.plural(rest, 'signal')} {'is' if rest == 1 else 'are'} within the usual range"
        return Headline(text=text, note=note if rest else "", state="findings", judged=judged, unjudged=unjudged)
    if not judged:
        # The two kinds of "too little": of time, and of calls in that time.
        shortest = usual.SCALES[-1][0]
        least = shortest * (usual.LEAST_WINDOWS + usual.JUDGED)
        if judge.age_s < least:
            text, note = (
                f"Too young to judge: {wording.duration(round(judge.age_s))} of history",
                f"{wording.duration(least)} are needed",
            )
        else:
            text = "Too little to judge"
            note = f"nothing has {usual.LEAST_WINDOWS} windows of time with {usual.LEAST_OBSERVATIONS} calls in each"
        return Headline(text=text, note=note, state="young", judged=0, unjudged=unjudged)
    note = f"{wording.plural(judged, 'signal')} judged"
    if unjudged:
        note += f", {wording.count(unjudged)} with too little data"
    return Headline(text="All as usual", note=note, state="usual", judged=judged, unjudged=unjudged)


def _concerned(context: Context, span: Span) -> int:
    """Count the signals that left their range."""
    judge = context.judge
    return sum(judge.departure(each, span.end) is not None for each in judge.signals())
