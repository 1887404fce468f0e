# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
ONNX Runtime: every run of a session, in all the ways there are to run one.

- ``inference.model`` is the stem of the model's file, or the name of a folder above it where files are just called
  ``model.onnx``; of a model given as bytes the name of its graph.
- The batch size is the length of the model's batch axis: one that the model names so, else the first input's leading
  one, dynamic before fixed. Feeds may be arrays, lists of lists, or OrtValues.
- ``inference.sessions`` tells which execution providers are in use; a span names them all.
- A span is made of a run inside a trace only.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping
from contextvars import copy_context
from types import ModuleType
from typing import Any

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.instruments.gauge import up_down_counter
from otelkit.loops import Inference, inference_of, recorded_outside
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.inference._model_names import name_of_file, name_of_graph
from otelkit_instrumentation.inference._steps import child_step, run_recorded

__all__ = ("OnnxRuntimeInstrumentor",)

ENGINE = "onnxruntime"


class OnnxRuntimeInstrumentor(Instrumentor):
    """
    Records the runs of ONNX Runtime's sessions.

    ``instrument()`` takes ``spans``, whether a run inside a trace gets a span (True), and ``warmup_steps``, how many
    first runs of a model count as warm-up (1).
    """

    title = "ONNX Runtime"
    requires_any = (
        "onnxruntime >= 1.17",
        "onnxruntime-gpu >= 1.17",
        "onnxruntime-directml >= 1.17",
        "onnxruntime-openvino >= 1.17",
        "onnxruntime-qnn >= 1.17",
    )
    signals = (
        "`inference.*` of each run of a session, asynchronous and with bindings, too; rows as items; execution "
        "providers; a span inside traces"
    )

    def patch(self, patches: Patches, **options: Any) -> None:
        """Patch sessions as soon as the program imports onnxruntime."""
        sessions = Sessions(options.get("warmup_steps", 1), options.get("spans", True))

        def patch_sessions(module: ModuleType) -> None:
            session = module.Session
            patches.wrap(session, "run", sessions.feeding)
            patches.wrap(session, "run_with_ort_values", sessions.feeding)
            patches.wrap(session, "run_async", sessions.asynchronous)
            patches.wrap(session, "run_with_iobinding", sessions.binding)
            patches.wrap(session, "run_with_ortvaluevector", sessions.plain)

        patches.when_imported("onnxruntime.capi.onnxruntime_inference_collection", patch_sessions)


class Observed:
    """
    What is known of a session: who records its runs, and where they say how many rows they have.

    Args:
        session: An ``onnxruntime.InferenceSession``.
        warmup_steps: First runs of the model that count as warm-up.
        spans: Whether runs inside a trace get spans.
    """

    __slots__ = ("__weakref__", "_axis", "_fixed", "_input", "attributes", "providers", "recorder")

    def __init__(self, session: Any, warmup_steps: int, spans: bool) -> None:
        path = getattr(session, "_model_path", None)
        name = name_of_file(path) if path else name_of_graph(session.get_modelmeta().graph_name)
        self.recorder: Inference = inference_of(ENGINE, name, "run", warmup_steps=warmup_steps, spans=spans)
        self.providers = session.get_providers()
        self.attributes = {semconv.INFERENCE_PROVIDER: list(self.providers)}
        self._input, self._axis, self._fixed = _batch_axis(session.get_inputs())
        in_use = _in_use().labels(
            **{
                semconv.INFERENCE_ENGINE: ENGINE,
                semconv.INFERENCE_MODEL: name,
                semconv.INFERENCE_PROVIDER: self.providers[0] if self.providers else "",
            }
        )
        in_use.increment()
        weakref.finalize(self, _leave, in_use, os.getpid()).atexit = False

    def size(self, feed: Mapping[str, Any]) -> int | None:
        """Return the number of rows in what is fed; None if it does not say."""
        try:
            return self._fixed if self._input is None else _length(feed[self._input], self._axis)
        except Exception:  # a feed that is wrong; the session itself will say so
            return None


class Sessions:
    """The sessions that have run, and the makers of what stands in for their methods. Thread-safe."""

    def __init__(self, warmup_steps: int, spans: bool) -> None:
        self._warmup_steps = warmup_steps
        self._spans = spans
        self._observed: weakref.WeakKeyDictionary[Any, Observed] = weakref.WeakKeyDictionary()

    def find(self, session: Any) -> Observed | None:
        """Return what is known of a session that is to be recorded; None inside of a step."""
        if recorded_outside():
            return None
        try:
            observed = self._observed.get(session)
            if observed is None or observed.providers is not session.get_providers():  # set_providers gives new ones
                observed = self._observed[session] = Observed(session, self._warmup_steps, self._spans)
            return observed
        except Exception as error:
            guard.failed("looking at a session", error)
            return None

    def feeding(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a run that is given its inputs by name."""
        find = self.find

        def run(self: Any, output_names: Any, *args: Any, **kwargs: Any) -> Any:
            observed = find(self)
            if observed is None:
                return original(self, output_names, *args, **kwargs)
            size = observed.size(args[0] if args else next(iter(kwargs.values()), {}))
            arguments = (self, output_names, *args)
            return run_recorded(observed.recorder, size, observed.attributes, original, arguments, kwargs)

        return run

    def plain(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a run whose number of rows is not known."""
        find = self.find

        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            observed = find(self)
            if observed is None:
                return original(self, *args, **kwargs)
            return run_recorded(observed.recorder, None, observed.attributes, original, (self, *args), kwargs)

        return run

    def binding(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a run whose inputs and outputs are bound: its outputs tell the number of rows."""
        find = self.find

        def run(self: Any, iobinding: Any, *args: Any, **kwargs: Any) -> Any:
            observed = find(self)
            if observed is None:
                return original(self, iobinding, *args, **kwargs)
            with child_step(observed.recorder) as step:
                result = original(self, iobinding, *args, **kwargs)
                step.batch_size = _rows_out(iobinding)
                return result

        return run

    def asynchronous(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a run that ends with a callback, in a thread of the engine's."""
        find = self.find

        def run(
            self: Any, output_names: Any, input_feed: Any, callback: Any, user_data: Any, run_options: Any = None
        ) -> Any:
            observed = find(self)
            if observed is None:
                return original(self, output_names, input_feed, callback, user_data, run_options)
            step = child_step(observed.recorder, observed.size(input_feed))
            # In a context of its own: what the caller does meanwhile is not part of it.
            copy_context().run(step.start)

            def ended(results: Any, user_data: Any, status: str) -> Any:
                step.stop(RuntimeError(status) if status else None)  # its class is not told
                return callback(results, user_data, status)

            try:
                return original(self, output_names, input_feed, ended, user_data, run_options)
            except BaseException as error:
                step.stop(error)
                raise

        return run


def _in_use() -> Any:
    metric = semconv.INFERENCE_SESSIONS
    labels = (semconv.INFERENCE_ENGINE, semconv.INFERENCE_MODEL, semconv.INFERENCE_PROVIDER)
    return up_down_counter(metric.name, labels=labels, unit=metric.unit, description=metric.description)


def _leave(in_use: Any, pid: int) -> None:
    if os.getpid() == pid:  # a forked child counts from zero
        in_use.decrement()


def _batch_axis(inputs: Any) -> tuple[str | None, int, int | None]:
    """Return input and axis whose length is the batch size, or None and the size that the model is fixed to."""
    for each in inputs:
        for axis, dimension in enumerate(each.shape):
            if isinstance(dimension, str) and "batch" in dimension.lower():
                return each.name, axis, None
    for each in inputs:
        if each.shape and not isinstance(each.shape[0], int):
            return each.name, 0, None
    return None, 0, next((each.shape[0] for each in inputs if each.shape), None)


def _length(value: Any, axis: int) -> int:
    """Return the length of one axis of an array, an OrtValue, or lists in lists."""
    if hasattr(value, "shape"):
        shape: Any = value.shape() if callable(value.shape) else value.shape
        return int(shape[axis])
    for _ in range(axis):
        value = value[0]
    return len(value)


def _rows_out(iobinding: Any) -> int | None:
    try:
        shapes = [output.shape() for output in iobinding.get_outputs()]
        return next((int(shape[0]) for shape in shapes if shape), None)
    except Exception:  # outputs that have no shape: sequences, maps
        return None
