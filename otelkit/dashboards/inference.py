# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard of models: steps, their phases and caches, and generations."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.choices import CHOSEN, choice, programs
from otelkit.dashboards.drawing import Drawing
from otelkit.dashboards.panel import Dashboard, Row
from otelkit.dashboards.promql import chosen, label, part_of, quantile, rate, series, total
from otelkit.dashboards.units import unit_of

__all__ = ("INFERENCE", "LOW_HIT_SHARE")

LOW_HIT_SHARE = 0.5
"""Below this a cache answers less than every other look-up."""

_MODEL = (semconv.INFERENCE_ENGINE, semconv.INFERENCE_MODEL)
_STEADY = f'{label(semconv.INFERENCE_WARMUP)}!="true"'
"""A model's first steps would spoil every quantile."""
_MATCHERS = (*CHOSEN, chosen(semconv.INFERENCE_MODEL, "model"), _STEADY)
_GENERATED = (*CHOSEN, chosen(semconv.GEN_AI_REQUEST_MODEL, "model"))

_all = Drawing(_MATCHERS)
_models = Drawing(_MATCHERS, by=_MODEL)
_some = Drawing(
    _MATCHERS, by=_MODEL, empty="Not told by this engine", may_be_empty="only some engines and programs tell this"
)
_sessions = Drawing(
    (*CHOSEN, chosen(semconv.INFERENCE_MODEL, "model")),
    by=(semconv.INFERENCE_MODEL, semconv.INFERENCE_PROVIDER),
    empty="No ONNX Runtime sessions",
    may_be_empty="only ONNX Runtime tells",
)
_generations = Drawing(
    _GENERATED,
    by=(semconv.GEN_AI_REQUEST_MODEL,),
    empty="No generations",
    may_be_empty="only models that generate tokens have these",
)


def _failed(*by: str) -> str:
    errors, requests = (
        total(rate(metric, *_MATCHERS), *by) for metric in (semconv.INFERENCE_ERRORS, semconv.INFERENCE_REQUESTS)
    )
    return part_of(errors, requests)


def _hit_share() -> str:
    hits, misses = (
        total(rate(metric, *_MATCHERS), *_MODEL)
        for metric in (semconv.INFERENCE_CACHE_HITS, semconv.INFERENCE_CACHE_MISSES)
    )
    # Neither has a series before it first happened.
    return f"({hits} or 0 * {misses}) / (({hits} or 0 * {misses}) + ({misses} or 0 * {hits}))"


_GLANCE = Row(
    "At a glance",
    (
        _all.rate(semconv.INFERENCE_REQUESTS, "Steps", "Steps started per second.", kind="number", width=6),
        _all.panel(
            "Failed", "Share of the steps that failed.", "percentunit", _failed(), kind="number", width=6, limit=0.05,
        ),
        _all.panel(
            "95 % are quicker than", "The time that 95 of 100 steps do not exceed.",
            unit_of(semconv.INFERENCE_DURATION), quantile(0.95, semconv.INFERENCE_DURATION, *_MATCHERS),
            kind="number", width=6,
        ),
        _all.level(
            semconv.INFERENCE_THROUGHPUT, "Throughput", "Items per second over the last minute.", kind="number",
            width=6,
        ),
    ),
)  # fmt: skip

_STEPS = Row(
    "Steps",
    (
        _models.rate(
            semconv.INFERENCE_REQUESTS, "Steps by model", "Steps started per second.", semconv.INFERENCE_OPERATION
        ),
        _models.panel(
            "Failed by model", "Share of the steps that failed.", "percentunit", _failed(*_MODEL), limit=0.05,
        ),
        _all.quantiles(
            semconv.INFERENCE_DURATION, "Duration",
            "Half, 95 and 99 of 100 steps are over within this time, on the host. Points lead to traces.",
        ),
        _all.spread(semconv.INFERENCE_DURATION, "How durations spread", "Steps by the time they took."),
        _models.quantile(semconv.INFERENCE_DURATION, "Duration by model, p95", "95 of 100 steps take no longer."),
        _models.level(
            semconv.INFERENCE_ACTIVE_REQUESTS, "Under way", "Steps started and not yet ended.", kind="stacked",
        ),
        _models.level(semconv.INFERENCE_THROUGHPUT, "Throughput by model", "Items per second over the last minute."),
        _models.rate(semconv.INFERENCE_ITEMS, "Items by model", "Items per second, of steps that succeeded."),
        _models.mean(semconv.INFERENCE_BATCH_SIZE, "Batch size", "Mean items of a step."),
        _models.rate(
            semconv.INFERENCE_ERRORS, "Errors by type", "Steps per second that failed, by class.", semconv.ERROR_TYPE,
            empty="No errors", may_be_empty="nothing failed",
        ),
    ),
)  # fmt: skip

_INSIDE = Row(
    "Inside a step",
    (
        _some.mean(
            semconv.INFERENCE_PHASE_DURATION, "Phases", "Mean time of each phase: where a step spends its time.",
            semconv.INFERENCE_PHASE, kind="stacked",
        ),
        _some.quantile(semconv.INFERENCE_DEVICE_TIME, "Device time, p95", "Time that a step keeps its device busy."),
        _some.quantile(
            semconv.INFERENCE_WAIT_TIME, "Wait for input, p95", "Long waits: the data comes slower than the model.",
        ),
        _some.panel(
            "Cache hits", "Share of the look-ups that a cache answered.", "percentunit", _hit_share(), maximum=1.0,
            empty="No cache",
        ),
        _some.mean(
            semconv.INFERENCE_BATCH_FILL, "Batch fill", "Mean share of a batch's places that held an item.", width=8,
        ),
        _some.mean(semconv.INFERENCE_PADDING, "Padding", "Mean share of the input that was padding.", width=8),
        _sessions.level(
            semconv.INFERENCE_SESSIONS, "Sessions", "Sessions in use, by what executes them.", kind="stacked", width=8,
        ),
    ),
    folded=True,
)  # fmt: skip

_GENERATION = Row(
    "Generation",
    (
        _generations.quantile(
            semconv.GEN_AI_TIME_TO_FIRST_TOKEN, "Time to the first token, p95", "What somebody who reads along waits.",
        ),
        _generations.quantile(
            semconv.GEN_AI_TIME_PER_OUTPUT_TOKEN, "Time per token, p95", "Time for each token after the first.",
        ),
        _generations.panel(
            "Tokens", "Tokens per second, by direction.", "cps",
            total(
                rate(semconv.GEN_AI_TOKEN_USAGE, *_GENERATED, part="sum"), semconv.GEN_AI_REQUEST_MODEL,
                semconv.GEN_AI_TOKEN_TYPE,
            ),
            semconv.GEN_AI_TOKEN_TYPE, kind="stacked",
        ),
        _generations.quantile(
            semconv.GEN_AI_REQUEST_DURATION, "Generations, p95",
            "Time of a generation, as the model's process sees it.",
        ),
        _generations.quantile(
            semconv.GEN_AI_OPERATION_DURATION, "Generations, p95, to the caller",
            "Time of a generation, as its caller sees it.", semconv.GEN_AI_OPERATION_NAME,
        ),
        _generations.mean(
            semconv.GEN_AI_TOKEN_USAGE, "Tokens a generation", "Mean tokens of a generation, by direction.",
            semconv.GEN_AI_TOKEN_TYPE,
        ),
    ),
    folded=True,
)  # fmt: skip

INFERENCE = Dashboard(
    "otelkit-inference",
    "Inference",
    "Models at work: how many steps, how fast, where the time goes; warm-up is left out.",
    (
        *programs(series(semconv.INFERENCE_REQUESTS)),
        choice("model", "Model", semconv.INFERENCE_MODEL, series(semconv.INFERENCE_REQUESTS)),
    ),
    (_GLANCE, _STEPS, _INSIDE, _GENERATION),
)
