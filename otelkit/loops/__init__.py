# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Inference and other loops: one vocabulary for every engine (`inference.*`, docs/inference.md).

A program uses `otelkit.inference` and `otelkit.track`. An instrumentor keeps
one recorder per model and operation, and wraps the engine's outermost call:

    recorder = inference_of("torch", type(module).__name__, "forward")   # 0.3 µs; or keep it with the model

    def call(wrapped, instance, args, kwargs):
        if recorded_outside():                      # a step around this one records it: stand back
            return wrapped(*args, **kwargs)
        with recorder.step(batch_size) as step:     # requests, errors, duration, items; span, if somebody traces
            return wrapped(*args, **kwargs)

- `step.batch_size` may be set, or set anew, before the step ends; None is not recorded.
- `step.phase("preprocess")` is a context manager; `step.phase_time(name, seconds)` takes what was measured elsewhere.
- `step.device_time(seconds)`, `wait_time`, `cache`, `fill`, `padding` may be said at any time, after the end and from
  another thread too: keep the step beside the CUDA events and say it when they are done.
- Warm-up: a recorder's first ``warmup_steps`` (1); ``recorder.step(..., warmup=True)`` where the engine knows better.
- `Generation` adds gen_ai.*: ``step.first_token()``, ``step.input_tokens``, ``step.output_tokens``.
- An engine that works in threads or processes of its own: hand them `Inside(function)`, if `recorded_outside()`.
- Where a block does not fit: ``step.start()``, ``step.stop(error)``.
- Where microseconds count: ``plain_call(recorder, batch_size, function, args, kwargs)``, without a span.

Nothing of it raises. Recorders pickle by definition, so a model that holds one may be sent elsewhere.
"""

from __future__ import annotations

from otelkit.loops._outside import Inside, recorded_outside
from otelkit.loops.generation import Generation, GenerationStep
from otelkit.loops.plain import plain_call
from otelkit.loops.recorder import Inference, inference_of
from otelkit.loops.step import Step

__all__ = (
    "Generation",
    "GenerationStep",
    "Inference",
    "Inside",
    "Step",
    "inference_of",
    "plain_call",
    "recorded_outside",
)
