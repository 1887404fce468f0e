# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What otelkit costs, and what was lost."""

from __future__ import annotations

from collections import Counter

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import kept, machines, marks, own
from otelkit.viewer.api.calls import rates, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.groups import Group
from otelkit.viewer.api.jobs import quantile
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.shapes.finding import Headline
from otelkit.viewer.api.shapes.health import Explosion, Export, Health, Loss
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.steps import Distribution
from otelkit.viewer.api.timing import Span

MANY_SERIES = 500
MOST_EXPLOSIONS = 10
_SENDER = "service.name"


def answer(context: Context, window: Window) -> Health:
    """Return otelkit's own page."""
    span = context.span(window, 120)
    findings = [each for each in verdict.find(context, span) if each.about == "otelkit"]
    losses = _losses(context, span)
    lost = sum(each.count for each in losses)
    text = "Nothing was lost" if not lost else f"{wording.plural(lost, 'item was', 'items were')} lost"
    return Health(
        range=context.range(span),
        headline=Headline(text=text, note="", state="findings" if lost else "usual"),
        findings=findings,
        own=own.cost(context, span),
        cpu=_cpu(context, span),
        memory=None,
        losses=losses,
        exports=_exports(context, span),
        explosions=_explosions(context),
        kept=kept.read(context),
    )


def _cpu(context: Context, span: Span) -> list[Line]:
    groups = context.reader.read("sums", (semconv.CPU_TIME.name,), (_SENDER, semconv.ACTIVITY), span)
    return [
        marks.line(
            f"{sender}, {activity}", rates(_first(group), span, group.last, group.first), span, "{core}", group.every
        )
        for (sender, activity), group in sorted(groups.items())
    ]


def _losses(context: Context, span: Span) -> list[Loss]:
    found: list[Loss] = []
    for what, metric, by in (
        ("dropped", semconv.DROPPED, (_SENDER, semconv.METRIC, semconv.REASON)),
        ("overflowed", semconv.OVERFLOWED, (_SENDER, semconv.METRIC, semconv.LABEL)),
        ("failed", semconv.FAILURES, (_SENDER, semconv.WHERE, semconv.ERROR_TYPE)),
    ):
        for (sender, item, reason), group in context.reader.read("sums", (metric.name,), by, span).items():
            count = round((total(group.steps) or (0.0,))[0])
            if count:
                why = f"label {reason} has too many values" if what == "overflowed" else reason
                found.append(Loss(what=what, item=item, reason=why, count=count, sender=sender or "unknown"))  # type: ignore[arg-type]
    for each in kept.refusals(context.store.statistics().counts):
        item, _, reason = each.reason.partition(": ")
        found.append(Loss(what="refused", item=item, reason=reason or "", count=each.count, sender="this viewer"))
    return sorted(found, key=lambda each: -each.count)


def _exports(context: Context, span: Span) -> list[Export]:
    by = (_SENDER, semconv.EXPORTER)
    reader = context.reader
    outcomes: dict[tuple[str, ...], Counter[str]] = {}
    for (*key, outcome), group in reader.read("sums", (semconv.EXPORTS.name,), (*by, semconv.OUTCOME), span).items():
        outcomes.setdefault(tuple(key), Counter())[outcome] += round((total(group.steps) or (0.0,))[0])
    durations = reader.read("distributions", (semconv.EXPORT_DURATION.name,), by, span)
    queues = reader.read("gauges", (semconv.SPAN_QUEUE_SIZE.name,), by, span)
    limits = reader.read("gauges", (semconv.SPAN_QUEUE_LIMIT.name,), by, span)
    buffers = reader.read("gauges", (semconv.SPAN_BUFFER_SIZE.name,), by, span)
    return [
        Export(
            sender=key[0] or "unknown",
            exporter=key[1],
            outcomes=dict(outcomes.get(key, {})),
            p95=quantile(_distribution(durations.get(key)), 0.95),
            queue=_last(queues.get(key)),
            queue_limit=_last(limits.get(key)),
            buffer_bytes=_last(buffers.get(key)),
        )
        for key in sorted({*outcomes, *durations, *queues})
    ]


def _explosions(context: Context) -> list[Explosion]:
    """Return the metrics with very many label sets, and the label that has most values."""
    sizes = Counter(each.metric.name for each in context.reader.all_series())
    found = []
    for name, count in sizes.most_common(MOST_EXPLOSIONS):
        if count < MANY_SERIES:
            break
        values: dict[str, Counter[str]] = {}
        for each in context.reader.series(name):
            for key, value in each.attributes.items():
                values.setdefault(key, Counter())[str(value)] += 1
        if values:
            label = max(sorted(values), key=lambda key: len(values[key]))
            examples = [value[:100] for value, _ in values[label].most_common(5)]
            found.append(
                Explosion(metric=name, series=count, label=label, values=len(values[label]), examples=examples)
            )
    return found


def _first(group: Group) -> list[float | None]:
    return [each[0] if each is not None else None for each in group.steps]


def _last(group: Group | None) -> float | None:
    return machines.last(_first(group)) if group is not None else None


def _distribution(group: Group | None) -> Distribution | None:
    return Distribution.of(group) if group is not None else None
