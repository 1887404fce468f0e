# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One model."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import gpus, machines, marks, models, steps, worklanes
from otelkit.viewer.api.calls import Row, rates, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.groups import Group
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.reader import Kind
from otelkit.viewer.api.shapes.finding import Headline
from otelkit.viewer.api.shapes.host import GpuRow
from otelkit.viewer.api.shapes.inference import BatchSize, Generation, Model
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.steps import Model as Steps
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Series


def answer(context: Context, window: Window, key: str) -> Model:
    """Return one model's page."""
    span, terms = context.span(window, 180), context.terms(window)
    model = steps.read(context.reader, span, terms).get(key) or _quiet(context, span, key)
    row = models.row(context, span, model)
    findings = [each for each in verdict.find(context, span) if (each.about, each.subject) == ("inference", row.model)]
    series = _series(context, model)
    lanes, absent = worklanes.read(context, span, model)
    duration = model.duration
    return Model(
        range=context.range(span),
        row=row,
        headline=Headline(
            text=f"{row.engine}, {wording.listed(_programs(series))}".strip(", "),
            note="",
            state="findings" if findings else "usual",
        ),
        findings=findings,
        programs=_programs(series),
        throughput=_throughput(context, span, model, row.items),
        phases=models.phases(model, span, lines=True),
        latency=marks.heatmap(duration.bounds, duration.steps, span, "s", model.every, None, duration.inexact)
        if duration
        else None,
        p50=marks.line("p50", steps.quantiles(duration, 0.5), span, "s", model.every) if duration else None,
        warmup=_warmup(model, span),
        lanes=lanes,
        batch_size=_batch_size(context, span, model),
        gpus=_gpus(context, span, series),
        generation=_generation(context, span, model),
        energy=_energy(context, span, model, series),
        cache_hits=_cache_hits(context, span, model),
        absent=absent,
    )


def _quiet(context: Context, span: Span, key: str) -> Steps:
    """Return a model that is known but did nothing in the range."""
    for name in (semconv.INFERENCE_REQUESTS.name, semconv.INFERENCE_DURATION.name):
        for each in context.reader.series(name):
            engine, model = (str(each.attributes.get(label, "")) for label in steps.MODEL)
            if steps.key_of(engine, model) == key:
                return Steps(key, engine, model, span.count)
    raise Missing(f"There is no model {key!r}.", "The keys are at /api/v1/inference.")


def _mine(model: Steps, series: Series) -> bool:
    return tuple(str(series.attributes.get(label, "")) for label in steps.MODEL) == (model.engine, model.name)


def _series(context: Context, model: Steps) -> list[Series]:
    names = (semconv.INFERENCE_REQUESTS.name, semconv.INFERENCE_DURATION.name)
    return [each for name in names for each in context.reader.series(name) if _mine(model, each)]


def _programs(series: Sequence[Series]) -> list[str]:
    return sorted({each.service or "unknown" for each in series})


def _read(
    context: Context, span: Span, model: Steps, kind: Kind, name: str, by: tuple[str, ...] = ()
) -> dict[tuple[str, ...], Group]:
    mark = ("model", model.key)
    return context.reader.read(kind, (name,), by, span, (), lambda series: _mine(model, series), mark)


def _throughput(context: Context, span: Span, model: Steps, whole: Line) -> list[Line]:
    """Return items a second of all, and of each process where there are several."""
    by_process = _read(context, span, model, "sums", semconv.INFERENCE_ITEMS.name, ("service.instance.id",))
    lines = [whole]
    if len(by_process) > 1:
        whole.name, whole.total = "all", True
        parts = sorted(by_process.items(), key=lambda item: -(total(item[1].steps) or (0.0,))[0])
        for number, (key, group) in enumerate(parts[:8], start=1):
            row = rates([each[0] if each is not None else None for each in group.steps], span, group.last, group.first)
            labels = {"service.instance.id": key[0]}
            lines.append(marks.line(f"process {number}", row, span, "/s", group.every, labels=labels))
    return lines


def _warmup(model: Steps, span: Span) -> list[tuple[float, float]]:
    """Return the stretches in which steps of warm-up were reported."""
    stretches: list[tuple[float, float]] = []
    for index, seconds in enumerate(model.warm):
        if not seconds:
            continue
        left = (span.from_ns + index * span.step_ns) / SECOND
        if stretches and stretches[-1][1] >= left:
            stretches[-1] = (stretches[-1][0], left + span.step)
        else:
            stretches.append((left, left + span.step))
    return stretches


def _batch_size(context: Context, span: Span, model: Steps) -> BatchSize | None:
    sizes = model.batch_size
    whole = total(sizes.steps) if sizes is not None else None
    if sizes is None or whole is None or (count := sum(whole[:-1])) < 0.5:
        return None
    shown = marks.histogram(sizes.bounds, whole[:-1], "{item}")
    if shown is None:
        return None
    filled = _read(context, span, model, "distributions", semconv.INFERENCE_BATCH_FILL.name).get(())
    padded = _read(context, span, model, "distributions", semconv.INFERENCE_PADDING.name).get(())
    largest = shown.edges[-1]
    return BatchSize(
        histogram=shown,
        mean=whole[-1] / count,
        largest=largest,
        # Where the fill was reported the last bucket of it is "all places"; else the largest bucket seen stands for it.
        full_share=_last_share(filled) if filled else shown.counts[-1] / shown.total,
        padding=_mean(padded) if padded else None,
    )


def _last_share(group: Group) -> float | None:
    whole = total(group.steps)
    return whole[-2] / count if whole is not None and (count := sum(whole[:-1])) else None


def _mean(group: Group) -> float | None:
    whole = total(group.steps)
    return whole[-1] / count if whole is not None and (count := sum(whole[:-1])) else None


def _gpus(context: Context, span: Span, series: Sequence[Series]) -> list[GpuRow]:
    hosts = {machines.host_of(each) for each in series}
    return [row for host in sorted(hosts) for row in gpus.read(context, span, host)]


def _generation(context: Context, span: Span, model: Steps) -> Generation | None:
    def mine(series: Series) -> bool:
        return model.name in (
            str(series.attributes.get(semconv.GEN_AI_REQUEST_MODEL)),
            str(series.attributes.get(semconv.GEN_AI_RESPONSE_MODEL)),
        )

    mark = ("generation", model.name)
    first = context.reader.read(
        "distributions", (semconv.GEN_AI_TIME_TO_FIRST_TOKEN.name,), (), span, (), mine, mark
    ).get(())
    tokens = context.reader.read(
        "distributions", (semconv.GEN_AI_TOKEN_USAGE.name,), (semconv.GEN_AI_TOKEN_TYPE,), span, (), mine, mark
    )
    if first is None and not tokens:
        return None
    lines = [
        marks.line(key or "tokens", rates(_sums(group), span, group.last, group.first), span, "/s", group.every)
        for (key,), group in sorted(tokens.items())
    ]
    if first is None:
        return Generation(first_token=None, first_token_p50=None, first_token_p95=None, tokens=lines)
    seen = steps.Distribution.of(first)
    return Generation(
        first_token=marks.heatmap(seen.bounds, seen.steps, span, "s", first.every),
        first_token_p50=marks.line("p50", steps.quantiles(seen, 0.5), span, "s", first.every),
        first_token_p95=marks.line("p95", steps.quantiles(seen, 0.95), span, "s", first.every),
        tokens=lines,
    )


def _sums(group: Group) -> Row:
    return [each[-1] if each is not None else None for each in group.steps]


def _energy(context: Context, span: Span, model: Steps, series: Sequence[Series]) -> float | None:
    """Return items per joule, where this is the host's only model: else nobody can tell whose energy it was."""
    hosts = {machines.host_of(each) for each in series}
    others = context.reader.series(semconv.INFERENCE_REQUESTS.name)
    if not hosts or any(machines.host_of(each) in hosts and not _mine(model, each) for each in others):
        return None
    joules = [row.energy_per_s for host in hosts for row in gpus.read(context, span, host)]
    watts = sum(each for each in joules if each)
    items = machines.last(models.items_per_s(model, span))
    return items / watts if items and watts else None


def _cache_hits(context: Context, span: Span, model: Steps) -> float | None:
    hits, misses = (
        sum((total(group.steps) or (0.0,))[0] for group in _read(context, span, model, "sums", name).values())
        for name in (semconv.INFERENCE_CACHE_HITS.name, semconv.INFERENCE_CACHE_MISSES.name)
    )
    return hits / (hits + misses) if hits + misses >= 1 else None
