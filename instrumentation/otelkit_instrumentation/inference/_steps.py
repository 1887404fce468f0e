# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Steps of engines that are called often: a span inside a trace only.

A span of the SDK's costs more than a small model's run, and a loop over
thousands of rows outside of any trace would make as many traces of one span.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.context import get_current
from opentelemetry.trace import get_current_span

from otelkit.loops import Inference, Step, inference_of, plain_call

__all__ = ("child_step", "run_recorded")


def child_step(recorder: Inference, batch_size: float | None = None) -> Step:
    """Return a step of ``recorder``'s model, with a span if somebody traces what it is part of."""
    warmup = recorder.series(None).warmup
    if not get_current_span().is_recording():
        recorder = inference_of(recorder.engine, recorder.model, recorder.operation, spans=False)
    return recorder.step(batch_size, warmup=warmup)


def run_recorded(
    recorder: Inference,
    batch_size: float | None,
    attributes: Mapping[str, Any],
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call ``function`` as a step; ``attributes`` are for its span, if there is one."""
    if not get_current():
        return plain_call(recorder, batch_size, function, args, kwargs)
    is_traced = get_current_span().is_recording()
    with child_step(recorder, batch_size):
        if is_traced:
            get_current_span().set_attributes(attributes)
        return function(*args, **kwargs)
