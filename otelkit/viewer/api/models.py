# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of models: where a batch's time goes, and what limits it."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.analysis import buckets, wording
from otelkit.viewer.api import marks, signals, steps
from otelkit.viewer.api.calls import Row, mean_rate, rates, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.history import Signal
from otelkit.viewer.api.shapes.finding import Part
from otelkit.viewer.api.shapes.inference import ModelRow, Phase, Where
from otelkit.viewer.api.shapes.line import Quantile
from otelkit.viewer.api.steps import Distribution, Model
from otelkit.viewer.api.timing import Span

WHERE: dict[str, Where] = {
    steps.WAIT: "wait",
    "preprocess": "host",
    "transfer": "transfer",
    "compute": "device",
    "postprocess": "host",
    "quantise": "host",
}
_ORDER = {name: place for place, name in enumerate(WHERE)}
OWN = "the rest"
"""What no phase accounts for."""

WAITING, TRANSFERRING, BUSY = 0.2, 0.3, 0.8


def rows(context: Context, span: Span, models: dict[str, Model]) -> list[ModelRow]:
    """Return rows, those with findings first, then by items."""
    found = [row(context, span, each) for each in models.values()]
    return sorted(found, key=lambda each: (each.status == "ok", -(each.items_per_s or 0.0), each.model))


def row(context: Context, span: Span, model: Model) -> ModelRow:
    """Return the row of one model."""
    signal = Signal("model", model.key, "", signals.ITEMS)
    fewer = context.judge.departure(signal, span.end) is not None
    parts = phases(model, span)
    batches = sum(each or 0.0 for each in model.batches)
    usual = context.judge.usual(signal, span)
    return ModelRow(
        key=model.key,
        model=model.name or "unnamed",
        engine=model.engine,
        status="warn" if fewer else "ok",
        requests=round(sum(each or 0.0 for each in model.requests) or batches),
        errors=round(model.errors),
        phases=[Phase(phase=each.phase, where=each.where, mean=each.mean, share=each.share) for each in parts],
        items=marks.line("items", items_per_s(model, span), span, "/s", model.every, usual, "warn" if fewer else "ok"),
        items_per_s=marks.rounded(mean_rate(model.items or model.batches, span, model.first, model.last)),
        usual_items_per_s=usual,
        mean=mean(model.duration),
        p95=quantile(model.duration, 0.95),
        verdict=verdict(model, parts),
        generation=any(
            str(each.attributes.get(semconv.GEN_AI_REQUEST_MODEL)) == model.name
            for each in context.reader.series(semconv.GEN_AI_TIME_TO_FIRST_TOKEN.name)
        ),
    )


def items_per_s(model: Model, span: Span) -> Row:
    """Return items a second; batches where items are not counted."""
    return rates(model.items or model.batches, span, model.last, model.first)


def phases(model: Model, span: Span, lines: bool = False) -> list[Phase]:
    """Return the parts of a batch's time: means per batch, which add up."""
    batches = model.batches
    count = sum(each or 0.0 for each in batches)
    if count < 0.5:
        return []
    sums = {name: each.sums() for name, each in model.phases.items()}
    if model.duration is not None and any(name != steps.WAIT for name in sums):
        sums[OWN] = _rest(model.duration, [row for name, row in sums.items() if name != steps.WAIT])
    elif model.duration is not None:
        sums["compute"] = model.duration.sums()
    means = {name: sum(each or 0.0 for each in row) / count for name, row in sums.items()}
    means = {name: mean for name, mean in means.items() if mean > 0}
    whole = sum(means.values())
    ordered = sorted(means, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    return [
        Phase(
            phase=name,
            where=WHERE.get(name, "other"),
            mean=means[name],
            share=means[name] / whole,
            line=marks.line(name, _per_batch(sums[name], batches), span, "s", model.every) if lines else None,
        )
        for name in ordered
    ]


def _rest(duration: Distribution, parts: Sequence[Row]) -> Row:
    """Return what of the steps' time is in no phase."""
    rest: Row = []
    for index, each in enumerate(duration.sums()):
        known = sum(row[index] or 0.0 for row in parts)
        rest.append(None if each is None else max(0.0, each - known))
    return rest


def _per_batch(sums: Row, batches: Row) -> Row:
    return [
        (whole or 0.0) / count if count and count >= 0.5 else None for whole, count in zip(sums, batches, strict=True)
    ]


def mean(of: Distribution | None) -> float | None:
    """Return the mean of a distribution over the span."""
    whole = total(of.steps) if of is not None else None
    if whole is None or (count := sum(whole[:-1])) < 0.5:
        return None
    return whole[-1] / count


def quantile(of: Distribution | None, share: float) -> Quantile | None:
    """Return a quantile of a distribution over the span."""
    whole = total(of.steps) if of is not None else None
    if of is None or whole is None:
        return None
    return marks.quantile(buckets.quantile(of.bounds, whole[:-1], share), round(sum(whole[:-1])))


def verdict(model: Model, parts: Sequence[Phase]) -> list[Part]:
    """Say what limits a model, if its phases show it: the first that holds."""
    shares: dict[str, float] = {}
    for each in parts:
        shares[each.where] = shares.get(each.where, 0.0) + each.share
    whole = sum(each.mean for each in parts)
    waited = next((each for each in parts if each.where == "wait"), None)
    busy = _busy(model)
    if waited and waited.share > WAITING and (busy is None or busy < BUSY):
        text = f"*Waiting for data* takes {wording.duration(waited.mean)} of {wording.duration(whole)} a batch"
        return marks.sentence(
            text, f"; the device is busy {wording.percent(busy)} of the time." if busy is not None else "."
        )
    if shares.get("transfer", 0.0) > TRANSFERRING:
        share = wording.percent(shares["transfer"])
        return marks.sentence(f"*Transfer* takes {share} of a batch's {wording.duration(whole)}.")
    if busy is not None and busy >= BUSY:
        return marks.sentence(
            f"*The device is the limit*: busy {wording.percent(busy)} of the time, nothing to gain on the host."
        )
    if len(parts) > 1 and (longest := max(parts, key=lambda each: each.share)).share >= 0.5:
        name, part = marks.escaped(longest.phase), wording.duration(longest.mean)
        return marks.sentence(f"*{name}* takes {part} of {wording.duration(whole)} a batch.")
    return []


def _busy(model: Model) -> float | None:
    """Return the share of time that the device was busy, from device time, while batches ran; None if not measured."""
    if model.device is None:
        return None
    used = sum(each or 0.0 for each in model.device.sums())
    whole = total(model.duration.steps) if model.duration is not None else None
    waited = model.phases.get(steps.WAIT)
    length = (whole[-1] if whole is not None else 0.0) + sum(each or 0.0 for each in (waited.sums() if waited else []))
    return min(1.0, used / length) if length > 0 else None
