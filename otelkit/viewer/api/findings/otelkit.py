# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Telemetry that was lost: by the senders, or refused here."""

from __future__ import annotations

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import kept, marks
from otelkit.viewer.api.calls import rates, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.shapes.finding import Finding, Link
from otelkit.viewer.api.timing import SECOND, Span

_SENDER = "service.name"
_LINK = Link(text="What was lost", route="#/otelkit")


def find(context: Context, span: Span) -> list[Finding]:
    """Return a finding for each sender that lost something in the range, and one for what was refused here."""
    found = []
    for metric, by in ((semconv.DROPPED, semconv.METRIC), (semconv.OVERFLOWED, semconv.METRIC)):
        lost: dict[str, list[tuple[float, str, str, float, list[float | None], int]]] = {}
        label = semconv.REASON if metric is semconv.DROPPED else semconv.LABEL
        for (sender, item, why), group in context.reader.read(
            "sums", (metric.name,), (_SENDER, by, label), span
        ).items():
            count = (total(group.steps) or (0.0,))[0]
            if count >= 1:
                row = [each[0] if each is not None else None for each in group.steps]
                since = next(index for index, each in enumerate(row) if each)
                lost.setdefault(sender, []).append((count, item, why, since, row, group.last))
        for sender, parts in lost.items():
            found.append(_lost(span, sender or "unknown", parts, overflowed=metric is semconv.OVERFLOWED))
    refused = _refused(context, span)
    return found + ([refused] if refused else [])


def _lost(span: Span, sender: str, parts: list, overflowed: bool) -> Finding:
    count, item, why, _, row, last = max(parts, key=lambda each: each[0])
    whole = sum(each[0] for each in parts)
    since = min(each[3] for each in parts)
    what = marks.escaped(item)
    if overflowed:
        text = (
            f"*{wording.count(whole)}* observations went to an overflow series: label {marks.escaped(why)} of {what} "
        )
        text += "has too many values."
    else:
        text = (
            f"*{wording.count(whole)}* items were dropped, {wording.count(count)} of them {what}: {marks.escaped(why)}."
        )
    return Finding(
        id=f"lost/{sender}/{'overflow' if overflowed else 'drop'}",
        kind="lost",
        severity="err",
        subject=sender,
        about="otelkit",
        since=(span.from_ns + since * span.step_ns) / SECOND,
        sentence=marks.sentence(text),
        line=marks.line("lost", rates(row, span, last), span, "/s", status="err"),
        link=_LINK,
        sample=round(whole),
    )


def _refused(context: Context, span: Span) -> Finding | None:
    counts = context.store.statistics().counts
    refusals = kept.refusals(counts)
    count = sum(each.count for each in refusals)
    if not count or not span.live:
        return None
    first = refusals[0]
    text = (
        f"*{wording.count(count)}* items were refused here since {wording.time_of_day(context.about.started)}, most of "
    )
    text += f"them {first.reason}. {first.remedy}".rstrip()
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
