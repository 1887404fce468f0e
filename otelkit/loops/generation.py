# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
`Generation`: the recorder of a model that generates tokens, by the conventions' gen_ai.* names.

A generation is an inference like any other; this adds what only generations have.
"""

from __future__ import annotations

from functools import cache
from time import perf_counter
from typing import Any

from otelkit import semconv
from otelkit._core._family import Definition, Family
from otelkit._core._guard import guard
from otelkit._core._labels import text_of
from otelkit._core._snapshot import Metric
from otelkit.decorators._failures import error_type_of
from otelkit.decorators._spans import SpanSpec
from otelkit.instruments.registry import default_registry
from otelkit.loops.recorder import Inference
from otelkit.loops.step import Step

__all__ = ("Generation", "GenerationStep")

_LABELS = (semconv.GEN_AI_OPERATION_NAME, semconv.GEN_AI_PROVIDER_NAME, semconv.GEN_AI_REQUEST_MODEL)


@cache
def _family(metric: Metric, bounds: tuple[float, ...], *more: str) -> Family[Any]:
    default_registry.declare(metric, None, "otelkit's generation vocabulary")
    return default_registry.family(Definition("histogram", (metric,), (*_LABELS, *more), (), bounds))


class Generation(Inference):
    """
    Records the generations of one model, as `inference.*` and as `gen_ai.*`.

    Args:
        engine, model, operation, warmup_steps, spans: As of `Inference`.
        provider: The conventions' gen_ai.provider.name; by default the engine.
        gen_ai_operation: Their gen_ai.operation.name: ``text_completion``, ``chat``, ``generate_content``, ...
    """

    def __init__(
        self,
        engine: str,
        model: str,
        operation: str = "generate",
        *,
        provider: str | None = None,
        gen_ai_operation: str = "text_completion",
        warmup_steps: int = 1,
        spans: bool = True,
    ) -> None:
        self.provider = text_of(engine if provider is None else provider)
        self.gen_ai_operation = text_of(gen_ai_operation)
        self.values = (self.gen_ai_operation, self.provider, text_of(model))
        super().__init__(engine, model, operation, warmup_steps=warmup_steps, spans=spans)

    def __reduce__(self) -> tuple[Any, ...]:
        more = {
            "provider": self.provider,
            "gen_ai_operation": self.gen_ai_operation,
            "warmup_steps": self.warmup_steps,
            "spans": self.spans,
        }
        return _restore, (self.engine, self.model, self.operation, more)

    def step(self, batch_size: float | None = None, *, warmup: bool | None = None) -> GenerationStep:
        """Return a step, to be entered once; see `GenerationStep`, and `Inference.step` for the arguments."""
        return GenerationStep(self, batch_size, warmup)

    def _span_spec(self) -> SpanSpec:
        plain = super()._span_spec()
        more = dict(zip(_LABELS, self.values, strict=True))
        return SpanSpec(f"{self.gen_ai_operation} {self.model}", {**plain.attributes, **more})


def _restore(engine: str, model: str, operation: str, more: dict[str, Any]) -> Generation:
    return Generation(engine, model, operation, **more)


class GenerationStep(Step):
    """
    One generation under way.

    Attributes:
        input_tokens: Of the prompt; None if not known.
        output_tokens: Generated so far; set it, or add to it, while it runs.
        decoding_steps: Tokens of the longest sequence; None to take the mean of all, ``output_tokens / batch_size``.
        parameters: More attributes for the span, such as gen_ai.request.temperature; never content.
    """

    _says_more = True

    def __init__(self, recorder: Generation, batch_size: float | None, warmup: bool | None) -> None:
        super().__init__(recorder, batch_size, warmup)
        self._values = recorder.values
        self._first: float | None = None
        self.input_tokens: int | None = None
        self.output_tokens = 0
        self.decoding_steps: int | None = None
        self.parameters: dict[str, Any] = {}

    def first_token(self) -> None:
        """The first token is there; further calls do nothing, so it may be said of each."""
        if self._first is None and self.running:
            self._first = perf_counter()

    def ended(self, seconds: float, error: BaseException | None) -> None:
        with guard.shield("recording a generation"):
            self._record(seconds, error)

    def _record(self, seconds: float, error: BaseException | None) -> None:
        values = self._values
        if error is None:
            key, more = values, ()
        else:
            key, more = (*values, error_type_of(error)), (semconv.ERROR_TYPE,)
        for metric in (semconv.GEN_AI_REQUEST_DURATION, semconv.GEN_AI_OPERATION_DURATION):
            _family(metric, semconv.GEN_AI_DURATION_BUCKETS, *more).find(key).observe(seconds)
        self._count("input", self.input_tokens)
        self._count("output", self.output_tokens)
        if self._first is None:
            return
        until_first = self._first - self._started
        bounds = semconv.GEN_AI_FIRST_TOKEN_BUCKETS
        _family(semconv.GEN_AI_TIME_TO_FIRST_TOKEN, bounds).find(values).observe(until_first)
        if self.output_tokens > 1:
            # A step of several prompts makes their tokens side by side: each waits for its own next one only.
            each = self.decoding_steps or self.output_tokens / max(self.batch_size or 1, 1)
            if each > 1:
                per_token = (seconds - until_first) / (each - 1)
                bounds = semconv.GEN_AI_OUTPUT_TOKEN_BUCKETS
                _family(semconv.GEN_AI_TIME_PER_OUTPUT_TOKEN, bounds).find(values).observe(per_token)

    def _count(self, kind: str, tokens: int | None) -> None:
        if tokens:
            usage = _family(semconv.GEN_AI_TOKEN_USAGE, semconv.GEN_AI_TOKEN_BUCKETS, semconv.GEN_AI_TOKEN_TYPE)
            usage.find((*self._values, kind)).observe(tokens)

    def span_attributes(self) -> dict[str, Any]:
        attributes = super().span_attributes()
        with guard.shield("the span of a generation"):
            attributes.update(self.parameters)
            if self.input_tokens:
                attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] = int(self.input_tokens)
            if self.output_tokens:
                attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] = int(self.output_tokens)
            if self._first is not None:
                attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = self._first - self._started
        return attributes
