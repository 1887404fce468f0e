# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Telemetry that was lost: by the senders, or refused here."""

from __future__ import annotations

from dataclasses import dataclass

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import kept, marks
from otelkit.viewer.api.calls import Row, rates, row_of
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.shapes.finding import Finding, Link
from otelkit.viewer.api.timing import SECOND, Span

_SENDER = "service.name"
_LINK = Link(text="What was lost", route="#/otelkit")
_NO_LOSS = "requests: logs"
"""The viewer shows no logs: who sends some loses nothing that could be here."""


@dataclass(slots=True)
class _Part:
    """What one sender lost of one item: how much, why, in which step first, and in all steps."""

    count: float
    item: str
    why: str
    first: int
    row: Row
    last: int


def find(context: Context, span: Span) -> list[Finding]:
    """Return a finding for each sender that lost something in the range, and one for what was refused here."""
    found = []
    for metric, label in ((semconv.DROPPED, semconv.REASON), (semconv.OVERFLOWED, semconv.LABEL)):
        lost: dict[str, list[_Part]] = {}
        groups = context.reader.read("sums", (metric.name,), (_SENDER, semconv.METRIC, label), span)
        for (sender, item, why), group in groups.items():
            count = float(group.rise.values.sum())
            if count >= 1:
                row = row_of(group.rise)
                first = next(index for index, each in enumerate(row) if each)
                lost.setdefault(sender, []).append(_Part(count, item, why, first, row, group.last))
        for sender, parts in lost.items():
            found.append(_lost(span, sender or "unknown", parts, overflowed=metric is semconv.OVERFLOWED))
    refused = _refused(context, span)
    return found + ([refused] if refused else [])


def _lost(span: Span, sender: str, parts: list[_Part], overflowed: bool) -> Finding:
    most = max(parts, key=lambda each: each.count)
    whole, first = sum(each.count for each in parts), min(each.first for each in parts)
    what, why = marks.escaped(most.item), marks.escaped(most.why)
    if overflowed:
        text = f"*{wording.count(whole)}* observations went to an overflow series: label {why} of {what} "
        text += "has too many values."
    else:
        text = f"*{wording.count(whole)}* items were dropped, {wording.count(most.count)} of them {what}: {why}."
    return Finding(
        id=f"lost/{sender}/{'overflow' if overflowed else 'drop'}",
        kind="lost",
        severity="err",
        subject=sender,
        about="otelkit",
        since=(span.from_ns + first * span.step_ns) / SECOND,
        sentence=marks.sentence(text),
        line=marks.line("lost", rates(most.row, span, most.last), span, "/s", status="err"),
        link=_LINK,
        sample=round(whole),
    )


def _refused(context: Context, span: Span) -> Finding | None:
    refusals = [each for each in kept.refusals(context.store.statistics().counts) if each.reason != _NO_LOSS]
    count = sum(each.count for each in refusals)
    if not count or not span.live:
        return None
    first = refusals[0]
    since = wording.moment(context.about.started)
    text = f"*{wording.plural(count, 'thing was', 'things were')}* refused here since {since}, "
    text += f"most of them {first.reason}. {first.remedy}".rstrip()
    return Finding(
        id="lost/viewer",
        kind="lost",
        severity="err",
        subject="this viewer",
        about="otelkit",
        since=context.about.started,
        sentence=marks.sentence(text),
        line=None,
        link=_LINK,
        sample=count,
    )
