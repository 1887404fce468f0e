# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`Inference`: the recorder of one model's steps; instrumentors keep one per model and operation."""

from __future__ import annotations

import threading
from typing import Any

from otelkit import semconv
from otelkit._core._fork import forks
from otelkit._core._labels import text_of
from otelkit.decorators._spans import SpanSpec
from otelkit.instruments._options import early_settings
from otelkit.loops._families import Series
from otelkit.loops.step import Step

__all__ = ("Inference", "inference_of")

_RECORDERS = 2_000
"""Recorders kept; a metric has no more series than that."""


class Inference:
    """
    Records the steps of one model; thread-safe, and survives pickling.

    Args:
        engine: What runs the model: ``torch``, ``onnxruntime``, ...
        model: Its name, of low cardinality: a class, a file's stem; never a path or an id.
        operation: What is asked of it: ``forward``, ``run``, ``predict``, ...
        warmup_steps: The first steps that count as warm-up, unless a step says itself whether it is.
        spans: Make a span of each step, where a tracer provider is installed.

    Cost: 20 µs to make: keep it, or ask `inference_of`. A step: see `otelkit.loops`.
    """

    def __init__(
        self,
        engine: str,
        model: str,
        operation: str = "predict",
        *,
        warmup_steps: int = 1,
        spans: bool = True,
    ) -> None:
        self.engine, self.model, self.operation = text_of(engine), text_of(model), text_of(operation)
        self.warmup_steps = warmup_steps
        self.spans = spans
        self._left = warmup_steps
        self._warming = Series(self.engine, self.model, self.operation, warmup=True)
        self._warm = Series(self.engine, self.model, self.operation, warmup=False)
        settings = early_settings()
        self.on = settings.enabled
        self.span = self._span_spec() if spans and settings.enabled and settings.traces_enabled else None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.engine, self.model, self.operation, self.warmup_steps, self.spans)

    def __repr__(self) -> str:
        return f"<otelkit inference {self.operation} {self.model!r} in {self.engine!r}>"

    def step(self, batch_size: float | None = None, *, warmup: bool | None = None) -> Step:
        """
        Return a step, to be entered once; see `Step`.

        Args:
            batch_size: Items in it; None if not known (yet).
            warmup: Whether it is warm-up; by default the recorder's first ``warmup_steps`` are.
        """
        return Step(self, batch_size, warmup)

    def _span_spec(self) -> SpanSpec:
        attributes = {
            semconv.INFERENCE_ENGINE: self.engine,
            semconv.INFERENCE_MODEL: self.model,
            semconv.INFERENCE_OPERATION: self.operation,
            semconv.METRIC: semconv.INFERENCE_DURATION.name,
        }
        return SpanSpec(f"{self.operation} {self.model}", attributes)

    def series(self, warmup: bool | None) -> Series:
        """Return the cells of the next step, bound; never raises."""
        if warmup is None:
            warmup = self._left > 0
            if warmup:
                self._left -= 1
        series = self._warming if warmup else self._warm
        if series.usable is None and self.on:
            series.bind()
        return series


_recorders: dict[tuple[str, str, str, int, bool], Inference] = {}
_lock = threading.Lock()


def _fresh_lock() -> None:
    global _lock
    _lock = threading.Lock()


forks.in_child(_fresh_lock)


def inference_of(
    engine: str, model: str, operation: str = "predict", *, warmup_steps: int = 1, spans: bool = True
) -> Inference:
    """Return the process's one recorder for these; arguments as of `Inference`. Cost: 0.3 µs if there is one."""
    key = (engine, model, operation, warmup_steps, spans)
    try:
        return _recorders[key]
    except (KeyError, TypeError):
        made = Inference(engine, model, operation, warmup_steps=warmup_steps, spans=spans)
    with _lock:
        if len(_recorders) >= _RECORDERS:
            return made
        return _recorders.setdefault((made.engine, made.model, made.operation, warmup_steps, spans), made)


def _restore(engine: str, model: str, operation: str, warmup_steps: int, spans: bool) -> Inference:
    return inference_of(engine, model, operation, warmup_steps=warmup_steps, spans=spans)
