# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`inference`: a step that the program marks itself."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from opentelemetry import trace

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit._core._timing import Observing, Timing
from otelkit.decorators._spans import ActiveSpan, SpanSpec
from otelkit.exceptions import DeclarationError
from otelkit.loops._step_span import close_span, open_span
from otelkit.loops.recorder import inference_of
from otelkit.loops.step import Step

__all__ = ("MarkedStep", "inference")

F = TypeVar("F", bound=Callable[..., Any])
Size = float | Callable[[Any], float]


def inference(
    model: str,
    *,
    batch_size: Size | None = None,
    engine: str = "custom",
    operation: str = "predict",
    warmup: bool | None = None,
) -> MarkedStep:
    """
    Record an inference: ``with``, ``async with``, or a decorator.

        with otelkit.inference("ranker", batch_size=len(rows)) as step:
            with step.phase("preprocess"):
                features = prepare(rows)
            with step.phase("compute"):
                scores = model(features)

    Records the ``inference.*`` vocabulary (docs/inference.md), and a span if somebody traces. Steps by hand are
    always recorded, also inside each other; what an instrumented engine does inside of one is not recorded again.

    Args:
        model: Its name, of low cardinality.
        batch_size: Items in it; may be set on the step instead. For a decorator also a callable such as ``len``,
            which gets the first argument (of a method: the first after ``self``).
        engine: What runs the model.
        operation: What is asked of it.
        warmup: Whether it is warm-up; by default the first step of this engine, model and operation is.

    Raises:
        DeclarationError: As a decorator, of what is no function or coroutine; never on a call.

    Cost: benchmarks/README.md; no lock.
    """
    return MarkedStep(inference_of(engine, model, operation), batch_size, warmup)  # type: ignore[arg-type]


class MarkedStep(Step):
    """A `Step` that can also decorate: each call is then a step of its own."""

    def phase(self, name: str) -> Timing:
        """As `Step.phase`; where the step has a span that is recorded, the phase has one, too."""
        with guard.shield("a phase of an inference step"):
            if self._span is not None and trace.get_current_span().is_recording():
                return Phase(self.series.phase(name), SpanSpec(name, {semconv.INFERENCE_PHASE: name}))
        return super().phase(name)

    def __call__(self, function: F, /) -> F:
        """Return ``function`` with each call recorded; the function itself, if otelkit is switched off."""
        if not self._recorder.on:
            return function
        where = f"@otelkit.inference({self._recorder.model!r})"
        if inspect.isclass(function) or not callable(function):
            raise DeclarationError("a function", function, where)
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            remedy = "Write `with otelkit.inference(...)` around the part that computes, or use otelkit.track."
            raise DeclarationError("a function or coroutine, no generator", function, where, remedy)
        make = _coroutine if inspect.iscoroutinefunction(function) else _function
        return functools.update_wrapper(make(function, self._opener(function)), function)  # type: ignore[return-value]

    def _opener(self, function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], Step]:
        recorder, size, warmup = self._recorder, self.batch_size, self._warmup
        if not callable(size):
            return lambda args, kwargs: Step(recorder, size, warmup)
        place = _first_place(function)
        return lambda args, kwargs: Step(recorder, _sized(size, place, args, kwargs), warmup)


class Phase(Timing):
    """A phase with a span of its own; for one block."""

    __slots__ = ("_spans", "_spec")

    def __init__(self, cell: Observing, spec: SpanSpec) -> None:
        super().__init__(cell)
        self._spec = spec
        self._spans: list[ActiveSpan] = []

    def start(self) -> Phase:
        self._spans.append(open_span(self._spec))
        super().start()
        return self

    __enter__ = start

    def stop(self, error: BaseException | None = None) -> float:
        seconds = super().stop()
        with guard.shield("the span of a phase"):
            while self._spans:
                close_span(self._spans.pop(), {}, error)
        return seconds

    def __exit__(self, *outcome: Any) -> None:
        self.stop(outcome[1] if len(outcome) > 1 else None)


def _first_place(function: Callable[..., Any]) -> int:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return 0
    return 1 if names[:1] in (["self"], ["cls"]) else 0


def _sized(size: Callable[[Any], float], place: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float | None:
    try:
        first = args[place] if len(args) > place else next(iter(kwargs.values()))
        return size(first)
    except Exception as error:
        guard.failed("batch_size of otelkit.inference", error)
        return None


def _function(function: Callable[..., Any], open_step: Callable[..., Step]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        with open_step(args, kwargs):
            return function(*args, **kwargs)

    return call


def _coroutine(function: Callable[..., Any], open_step: Callable[..., Step]) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        with open_step(args, kwargs):
            return await function(*args, **kwargs)

    return call
