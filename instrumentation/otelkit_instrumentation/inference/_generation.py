# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
`generate` of transformers: time to first token, time per token, tokens.

A token is there when the decoding loop asks whether to go on. By then the host
has looked at what the device has made, in every mode of decoding, and without
a streamer of ours, which beam search forbids and which would copy each token.
Tokens are counted when all are there: up to the end of each sequence, without
padding. How many there are is all that is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Self

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.loops import Generation, GenerationStep, recorded_outside
from otelkit.loops._step_span import open_span, tracing
from otelkit_instrumentation.inference._model_names import name_of_checkpoint

__all__ = ("Generations",)

ENGINE = "transformers"

_PARAMETERS = {
    "max_new_tokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
    "temperature": semconv.GEN_AI_REQUEST_TEMPERATURE,
    "top_p": semconv.GEN_AI_REQUEST_TOP_P,
    "top_k": semconv.GEN_AI_REQUEST_TOP_K,
}

_RECORDERS = 1_000

Decoding = tuple[GenerationStep, list[int]]
"""A generation under way, and how often its loop has asked whether to go on."""

_decoding: ContextVar[Decoding | None] = ContextVar("otelkit_decoding", default=None)


class InnerStep(GenerationStep):
    """A generation inside of a step of another kind: that one is the inference, this one has the tokens."""

    def start(self) -> Self:
        """Start, unknown to what runs inside: the step around is known to it already."""
        recorder = self._recorder
        if recorder.on:
            with guard.shield("starting a generation"):
                if recorder.span is not None and tracing():
                    self._span = open_span(recorder.span)
            self.running = True
        self._started = perf_counter()
        return self

    __enter__ = start

    def stop(self, error: BaseException | None = None) -> float:
        """End it; of it only gen_ai.* is recorded."""
        if not self.running:
            return 0.0
        self.running = False
        seconds = perf_counter() - self._started
        with guard.shield("recording a generation"):
            self.ended(seconds, error)
        if self._span is not None:
            self._end_span(self._span, error)
        return seconds


class Generations:
    """
    The makers of what stands in for the methods of ``GenerationMixin``. Thread-safe.

    Args:
        tensor: ``torch.Tensor``.
        warmup_steps: First generations of a model that count as warm-up.
        spans: Whether generations get spans.
    """

    def __init__(self, tensor: type, warmup_steps: int, spans: bool) -> None:
        self._tensor = tensor
        self._warmup_steps = warmup_steps
        self._spans = spans
        self._recorders: dict[tuple[str, str], Generation] = {}

    def generate(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap ``generate``; one inside of another, as of an assistant, belongs to that one."""

        def generate(self_: Any, *args: Any, **kwargs: Any) -> Any:
            step = None if _decoding.get() is not None else self._step(self_)
            if step is None:
                return _apart(original, self_, args, kwargs)
            asked = [0]
            with step:
                token = _decoding.set((step, asked))
                try:
                    result = original(self_, *args, **kwargs)
                finally:
                    _decoding.reset(token)
                with guard.shield("counting the tokens of a generation"):
                    self._count(step, self_, args, kwargs, result, asked[0])
                return result

        return generate

    def loop(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what the decoding loop asks before each token, and after the last one."""

        def has_unfinished_sequences(self: Any, *args: Any, **kwargs: Any) -> Any:
            decoding = _decoding.get()
            if decoding is not None:
                step, asked = decoding
                if asked[0] == 1:
                    step.first_token()
                asked[0] += 1
            return original(self, *args, **kwargs)

        return has_unfinished_sequences

    def _step(self, model: Any) -> GenerationStep | None:
        try:
            recorder = self._recorder(model)
            return InnerStep(recorder, None, None) if recorded_outside() else recorder.step()
        except Exception as error:
            guard.failed("looking at a generation", error)
            return None

    def _recorder(self, model: Any) -> Generation:
        name = name_of_checkpoint(getattr(model.config, "_name_or_path", ""), type(model).__name__)
        operation = "text_completion" if getattr(model, "main_input_name", "") == "input_ids" else "generate_content"
        found = self._recorders.get((name, operation))
        if found is None:
            found = Generation(
                ENGINE,
                name,
                provider=ENGINE,
                gen_ai_operation=operation,
                warmup_steps=self._warmup_steps,
                spans=self._spans,
            )
            if len(self._recorders) < _RECORDERS:
                found = self._recorders.setdefault((name, operation), found)
        return found

    def _count(
        self, step: GenerationStep, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, asked: int
    ) -> None:
        """Say what is known of a generation that has ended."""
        step.parameters = {name: kwargs[key] for key, name in _PARAMETERS.items() if kwargs.get(key) is not None}
        step.parameters[semconv.GEN_AI_REQUEST_STREAM] = kwargs.get("streamer") is not None
        prompt = args[0] if args else kwargs.get("inputs")
        prompt = kwargs.get("input_ids") if prompt is None else prompt
        step.input_tokens = self._prompt_tokens(prompt, kwargs)
        sequences = getattr(result, "sequences", result)
        if not isinstance(sequences, self._tensor) or sequences.dim() != 2 or sequences.is_floating_point():
            return  # sound, or what a program's own recipe gives
        new = sequences[:, self._prompt_length(model, prompt, kwargs) :]
        step.batch_size = new.shape[0]
        step.output_tokens = _up_to_the_end(new, _ends(model, args, kwargs))
        step.decoding_steps = new.shape[1]

    def _prompt_tokens(self, prompt: Any, kwargs: Mapping[str, Any]) -> int | None:
        mask: Any = kwargs.get("attention_mask")
        if isinstance(mask, self._tensor) and mask.dim() == 2:
            return int(mask.sum())
        if isinstance(prompt, self._tensor) and not prompt.is_floating_point():
            return prompt.numel()
        embedded: Any = kwargs.get("inputs_embeds")
        return embedded.shape[0] * embedded.shape[1] if isinstance(embedded, self._tensor) else None

    def _prompt_length(self, model: Any, prompt: Any, kwargs: Mapping[str, Any]) -> int:
        """Return how many of the first tokens of a sequence were given, not generated."""
        if model.config.is_encoder_decoder:
            given: Any = kwargs.get("decoder_input_ids")
            return given.shape[1] if isinstance(given, self._tensor) else 1
        if isinstance(prompt, self._tensor):
            return prompt.shape[1]
        return 0 if kwargs.get("inputs_embeds") is not None else 1


def _apart(original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Generate without counting the steps for the generation around."""
    token = _decoding.set(None)
    try:
        return original(model, *args, **kwargs)
    finally:
        _decoding.reset(token)


def _ends(model: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[int]:
    """Return the ids that end a sequence."""
    configs = (args[1] if len(args) > 1 else kwargs.get("generation_config"), model.generation_config)
    given = (kwargs.get("eos_token_id"), *(getattr(config, "eos_token_id", None) for config in configs))
    ends = next((each for each in given if each is not None), [])
    return [int(ends)] if isinstance(ends, int) else [int(each) for each in ends]


def _up_to_the_end(tokens: Any, ends: list[int]) -> int:
    """Return how many of the tokens (rows of one length) belong to their sequences; the end does, padding does not."""
    if not ends:
        return tokens.numel()
    is_end = (tokens[..., None] == tokens.new_tensor(ends)).any(-1).long()
    after_end = is_end.cumsum(1) - is_end > 0
    return tokens.numel() - int(after_end.sum())
