# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
transformers: pipelines, and `generate` with the conventions' gen_ai.* metrics.

- A generation is one inference (operation ``generate``), and gen_ai.*; its model's calls are part of it.
- A pipeline's call on one input is one inference with its phases; the operation is the pipeline's task. Of many inputs
  each batch that goes through the model is one. A generation inside adds gen_ai.* and a span, not another inference.
- ``inference.model`` and ``gen_ai.request.model`` are a checkpoint's name on the hub, or its folder's, else its class.
- Spans are made of each, inside a trace or not. They hold sizes and parameters, never prompts, ids or texts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter
from types import ModuleType
from typing import Any

from otelkit._core._guard import guard
from otelkit.loops import Inference, Step, inference_of, recorded_outside
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.inference._batch_size import items_in
from otelkit_instrumentation.inference._generation import ENGINE, Generations
from otelkit_instrumentation.inference._model_names import name_of_checkpoint

__all__ = ("TransformersInstrumentor",)


class TransformersInstrumentor(Instrumentor):
    """
    Records transformers' generations and pipelines.

    ``instrument()`` takes ``spans``, whether generations and pipelines get spans (True), and ``warmup_steps``, how many
    first calls of a model count as warm-up (1).
    """

    title = "transformers"
    requires = ("transformers >= 5", "torch >= 2.6")
    signals = (
        "`gen_ai.*` of each `generate`: tokens, time to first token and per token; `inference.*` of generations and of "
        "pipelines, with phases; spans"
    )

    def patch(self, patches: Patches, **options: Any) -> None:
        """Patch generation and pipelines as soon as the program imports them."""
        spans, warmup_steps = options.get("spans", True), options.get("warmup_steps", 1)

        def patch_generation(module: ModuleType) -> None:
            generations = Generations(sys.modules["torch"].Tensor, warmup_steps, spans)
            patches.wrap(module.GenerationMixin, "generate", generations.generate)
            patches.wrap(module.GenerationMixin, "_has_unfinished_sequences", generations.loop)

        def patch_pipelines(module: ModuleType) -> None:
            pipelines = _Pipelines(sys.modules["torch"].Tensor, warmup_steps, spans)
            patches.wrap(module.Pipeline, "run_single", pipelines.run_single)
            patches.wrap(module.ChunkPipeline, "run_single", pipelines.run_single)
            patches.wrap(module.Pipeline, "forward", pipelines.forward)

        patches.when_imported("transformers.generation.utils", patch_generation)
        patches.when_imported("transformers.pipelines.base", patch_pipelines)


class _Call:
    """A pipeline's call under way: when its model began and ended, and how long it took in all."""

    __slots__ = ("began", "compute_s", "ended", "started")

    def __init__(self) -> None:
        self.started = perf_counter()
        self.began: float | None = None
        self.ended = 0.0
        self.compute_s = 0.0

    def say(self, step: Step) -> None:
        """Record the phases of a call that has ended."""
        if self.began is not None:
            step.phase_time("preprocess", self.began - self.started)
            step.phase_time("compute", self.compute_s)
            step.phase_time("postprocess", perf_counter() - self.ended)


_call: ContextVar[_Call | None] = ContextVar("otelkit_pipeline", default=None)


class _Pipelines:
    """The makers of what stands in for the methods of pipelines."""

    def __init__(self, tensor: type, warmup_steps: int, spans: bool) -> None:
        self._tensor = tensor
        self._warmup_steps = warmup_steps
        self._spans = spans

    def run_single(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a call on one input."""

        def run_single(pipeline: Any, *args: Any, **kwargs: Any) -> Any:
            recorder = self._recorder(pipeline)
            if recorder is None:
                return original(pipeline, *args, **kwargs)
            with recorder.step(1) as step:
                call = _Call()
                token = _call.set(call)
                try:
                    result = original(pipeline, *args, **kwargs)
                finally:
                    _call.reset(token)
                call.say(step)
                return result

        return run_single

    def forward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the way of one batch through the model: a phase of a call on one input, else a step."""

        def forward(pipeline: Any, *args: Any, **kwargs: Any) -> Any:
            call = _call.get()
            if call is not None:
                return _timed(call, original, pipeline, args, kwargs)
            recorder = self._recorder(pipeline)
            if recorder is None:
                return original(pipeline, *args, **kwargs)
            with recorder.step(self._items(args, kwargs)) as step:
                started = perf_counter()
                result = original(pipeline, *args, **kwargs)
                step.phase_time("compute", perf_counter() - started)
                return result

        return forward

    def _recorder(self, pipeline: Any) -> Inference | None:
        if recorded_outside():
            return None
        try:
            model = pipeline.model
            name = name_of_checkpoint(getattr(model.config, "_name_or_path", ""), type(model).__name__)
            task = pipeline.task or "pipeline"
            return inference_of(ENGINE, name, task, warmup_steps=self._warmup_steps, spans=self._spans)
        except Exception as error:
            guard.failed("looking at a pipeline", error)
            return None

    def _items(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
        with guard.shield("looking at a pipeline's batch"):
            return items_in(args, kwargs, self._tensor)


def _timed(call: _Call, original: Callable[..., Any], pipeline: Any, args: Any, kwargs: Any) -> Any:
    started = perf_counter()
    if call.began is None:
        call.began = started
    try:
        return original(pipeline, *args, **kwargs)
    finally:
        call.ended = perf_counter()
        call.compute_s += call.ended - started
