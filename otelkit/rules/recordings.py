# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The recording rules: rates over five minutes, at which alerts look."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.promql import PROCESS, PROGRAM, label, part_of, quantile, rate, series, total
from otelkit.exporters._prometheus_names import metric_name
from otelkit.rules.rule import Recording

__all__ = ("RECORDINGS",)

_WINDOW = "5m"
_ACTION = (PROGRAM, semconv.SERVICE, semconv.ACTION)
_MODEL = (PROGRAM, semconv.INFERENCE_ENGINE, semconv.INFERENCE_MODEL)
_STEADY = f'{label(semconv.INFERENCE_WARMUP)}!="true"'
_NO_CACHE = "only programs whose model has a cache have this"
_NO_MODEL = "only programs with a model have this"


def _requests(metric: semconv.Metric) -> str:
    return total(rate(metric, prefixed=True, window=_WINDOW), *_ACTION)


def _steps(metric: semconv.Metric) -> str:
    return total(rate(metric, _STEADY, window=_WINDOW), *_MODEL)


def _or_none(part: str, whole: str) -> str:
    return f"{part} or 0 * {whole}"


def _hit_share() -> str:
    hits, misses = _steps(semconv.INFERENCE_CACHE_HITS), _steps(semconv.INFERENCE_CACHE_MISSES)
    # Neither has a series before it first happened.
    return f"({_or_none(hits, misses)}) / (({_or_none(hits, misses)}) + ({_or_none(misses, hits)}))"


def _failed_exports() -> str:
    by = (PROGRAM, semconv.EXPORTER)
    failed = f'{label(semconv.OUTCOME)}!="success"'
    return part_of(
        total(rate(semconv.EXPORTS, failed, window=_WINDOW), *by), total(rate(semconv.EXPORTS, window=_WINDOW), *by)
    )


SERVICE_REQUESTS = Recording(
    f"job_service_action:{metric_name(semconv.SERVICE_REQUESTS).removesuffix('_total')}:rate5m",
    _requests(semconv.SERVICE_REQUESTS),
    "Requests per second, by action.",
)
SERVICE_ERRORS = Recording(
    f"job_service_action:{metric_name(semconv.SERVICE_ERRORS).removesuffix('_total')}:rate5m",
    _or_none(_requests(semconv.SERVICE_ERRORS), _requests(semconv.SERVICE_REQUESTS)),
    "Failed requests per second, by action; 0 where none failed.",
)
SERVICE_P95 = Recording(
    f"job_service_action:{metric_name(semconv.SERVICE_RESPONSE_TIME)}:p95_5m",
    quantile(0.95, semconv.SERVICE_RESPONSE_TIME, by=_ACTION, prefixed=True, window=_WINDOW),
    "The response time that 95 of 100 requests to an action do not exceed.",
)
INFERENCE_P95 = Recording(
    f"job_engine_model:{metric_name(semconv.INFERENCE_DURATION)}:p95_5m",
    quantile(0.95, semconv.INFERENCE_DURATION, _STEADY, by=_MODEL, window=_WINDOW),
    "The duration that 95 of 100 steps of a model do not exceed, warm-up left out.",
    _NO_MODEL,
)
CACHE_HIT_SHARE = Recording(
    "job_engine_model:inference_cache_hits:share5m",
    _hit_share(),
    "Share of the look-ups that a model's cache answered.",
    _NO_CACHE,
)
MEMORY_AVAILABLE = Recording(
    "job_instance:system_memory_available:share",
    f"{total(series(semconv.SYSTEM_MEMORY_LINUX_AVAILABLE), PROGRAM, PROCESS)}"
    f" / {total(series(semconv.SYSTEM_MEMORY_LIMIT), PROGRAM, PROCESS)}",
    "Share of the machine's memory that programs can still have.",
)
FAILED_EXPORTS = Recording(
    "job_exporter:otelkit_exports_failed:share5m",
    _failed_exports(),
    "Share of the exports of telemetry that did not succeed.",
)

RECORDINGS = (
    SERVICE_REQUESTS,
    SERVICE_ERRORS,
    SERVICE_P95,
    INFERENCE_P95,
    CACHE_HIT_SHARE,
    MEMORY_AVAILABLE,
    FAILED_EXPORTS,
)
"""In the order in which they are evaluated."""
