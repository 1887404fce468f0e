# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
PyTorch: calls of top-level modules, the device time of those on CUDA, and the wait for a DataLoader's batches.

``nn.Module.__call__`` is replaced on the class: that sees ScriptModules, too,
which refuse hooks, and leaves every instance, and so its pickle, as it is. A
module that is called by another one, or inside of a step of any other kind,
costs a look at a context variable and records nothing.

- ``inference.model`` is the class of the module, or its ``otelkit_model_name``
  (a class attribute); of compiled, scripted and data-parallel ones that of what they wrap.
- ``inference.operation`` is ``forward``; ``train`` in training mode with
  gradients; ``load`` of a DataLoader, whose model is the class of its dataset.
- A span is made of a call inside a trace only: a span costs more than a small module.
- Nothing is recorded of what runs inside a graph that ``torch.compile`` made,
  while a graph is traced or exported, or while a checkpoint recomputes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from time import perf_counter
from types import ModuleType
from typing import Any

from opentelemetry.context import get_current

from otelkit._core._guard import guard
from otelkit.loops import Inference, inference_of, plain_call, recorded_outside
from otelkit.loops._outside import outside
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.inference._batch_size import find_tensor, items_in
from otelkit_instrumentation.inference._device_time import DeviceTimes
from otelkit_instrumentation.inference._steps import child_step

__all__ = ("TorchInstrumentor",)

ENGINE = "torch"

MODEL_NAME = "otelkit_model_name"
"""Class attribute of a module that gives the model another name than the class's."""


class TorchInstrumentor(Instrumentor):
    """
    Records PyTorch modules and DataLoaders.

    ``instrument()`` takes ``spans``, whether a call inside a trace gets a span (True), and ``warmup_steps``, how many
    first calls of a model count as warm-up (1).
    """

    title = "PyTorch"
    requires = ("torch >= 2.6",)
    signals = (
        "`inference.*` of each call of a top-level module; rows as items; device time on CUDA; the wait for each batch "
        "of a DataLoader; a span inside traces"
    )

    _devices: DeviceTimes | None = None

    def patch(self, patches: Patches, **options: Any) -> None:
        """Patch modules and loaders as soon as the program imports torch."""
        spans, warmup_steps = options.get("spans", True), options.get("warmup_steps", 1)

        def patch_modules(torch: ModuleType) -> None:
            devices = DeviceTimes(torch.cuda)
            models = Models(torch, warmup_steps, spans)
            patches.wrap(torch.nn.Module, "__call__", lambda original: _module_call(original, torch, models, devices))
            call = torch.nn.Module.__call__
            patches.when_imported("torch._dynamo.eval_frame", lambda dynamo: dynamo.skip_code(call.__code__))
            self._devices = devices
            devices.start()

        patches.when_imported("torch", patch_modules)
        patches.when_imported("torch.utils.data.dataloader", lambda loader: _patch_loaders(patches, loader))

    def _uninstrument(self, **kwargs: Any) -> None:
        super()._uninstrument(**kwargs)
        devices, self._devices = self._devices, None
        if devices is not None:
            devices.stop()


class Models:
    """The recorders of the classes of modules. Thread-safe."""

    def __init__(self, torch: Any, warmup_steps: int, spans: bool) -> None:
        self._torch = torch
        self._warmup_steps = warmup_steps
        self._spans = spans
        # By id, while the class lives: torch.fx makes one for each instance, and weak keys cost 0.1 µs more.
        self.inferring: dict[int, Inference] = {}
        self.training: dict[int, Inference] = {}

    def find(self, module: Any, training: bool) -> Inference:
        """Return the recorder of a module whose class is not known yet, or that wraps another one."""
        wrapped = self._wrapped(module)
        kind = type(wrapped)
        name = getattr(kind, MODEL_NAME, None) or getattr(wrapped, "original_name", None) or kind.__name__
        operation = "train" if training else "forward"
        recorder = inference_of(ENGINE, name, operation, warmup_steps=self._warmup_steps, spans=self._spans)
        if wrapped is module and not isinstance(module, self._torch.jit.ScriptModule):
            known = self.training if training else self.inferring
            known[id(kind)] = recorder
            weakref.finalize(kind, known.pop, id(kind), None).atexit = False
        return recorder

    def _wrapped(self, module: Any) -> Any:
        """Return what a module that only wraps another one (compiled, data-parallel, sharded) wraps."""
        for _ in range(_WRAPPERS):
            attribute = _WRAPPED.get(type(module).__name__)
            inner = None if attribute is None else getattr(module, attribute, None)
            if not isinstance(inner, self._torch.nn.Module):
                break
            module = inner
        return module


_WRAPPED = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "module",
    "AveragedModel": "module",
}

_WRAPPERS = 4
"""Wrappers around each other that are looked through."""

_KNOWN_NAMES = ("_compiled_call_impl", "_call_impl")
"""What PyTorch's own ``__call__`` uses, since 2.1."""

_NO_TASK = -1
"""What PyTorch calls the backward pass of a thread that is in none."""


def _module_call(original: Callable[..., Any], torch: Any, models: Models, devices: DeviceTimes) -> Callable[..., Any]:
    is_dynamo_compiling = torch.compiler.is_dynamo_compiling
    is_compiling = torch.compiler.is_compiling
    is_tracing = torch._C._is_tracing
    dynamo_callback = torch._C._dynamo.eval_frame.get_eval_frame_callback
    has_gradients = torch.is_grad_enabled
    backward_task = torch._C._current_graph_task_id
    tensor_kind = torch.Tensor
    inferring, training, find = models.inferring, models.training, models.find

    is_known = getattr(original, "__code__", None) is not None and original.__code__.co_names == _KNOWN_NAMES
    step_around = outside.get

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        # TorchDynamo takes the first for True, and traces the original alone.
        if is_dynamo_compiling() or ((around := step_around()) is not None and around.running):
            # What the original does, without its frame: a model has hundreds of modules inside.
            if is_known:
                compiled = self._compiled_call_impl
                return self._call_impl(*args, **kwargs) if compiled is None else compiled(*args, **kwargs)
            return original(self, *args, **kwargs)
        # torch.jit would make a question for a shape part of its graph; dynamo would compile what is called from here.
        if is_tracing() or dynamo_callback() is not None:
            return original(self, *args, **kwargs)
        recorder: Inference | None = None
        tensor: Any = None
        size: Any = None
        is_plain = False
        try:
            if getattr(self, "training", False) and has_gradients():  # absent where a class forgot super().__init__()
                if backward_task() == _NO_TASK:  # else a checkpoint recomputes what was recorded
                    recorder = training.get(id(type(self))) or find(self, True)
            else:
                recorder = inferring.get(id(type(self))) or find(self, False)
            tensor = args[0] if args else None
            if type(tensor) is tensor_kind:
                shape = tensor.shape
                size = shape[0] if shape else None
            else:
                if is_compiling():  # exported graphs are traced with tensors of another class
                    recorder = None
                tensor = find_tensor(args, kwargs, tensor_kind)
                size = None if tensor is None else items_in(args, kwargs, tensor_kind)
            is_plain = (tensor is None or not tensor.is_cuda) and not get_current()
        except Exception as error:
            guard.failed("looking at the call of a module", error)
            recorder = None
        if recorder is None:
            return original(self, *args, **kwargs)
        if is_plain and is_known:
            compiled = self._compiled_call_impl
            return plain_call(recorder, size, self._call_impl if compiled is None else compiled, args, kwargs)
        if is_plain:
            return plain_call(recorder, size, original, (self, *args), kwargs)
        return _step(recorder, size, devices, tensor, original, self, args, kwargs)

    return call


def _step(
    recorder: Inference,
    size: int | None,
    devices: DeviceTimes,
    tensor: Any,
    original: Callable[..., Any],
    module: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Call a module on CUDA, or inside a trace."""
    on_cuda = tensor is not None and tensor.is_cuda
    if on_cuda and "_is_replica" in vars(module):  # DataParallel calls these from threads; it is recorded itself
        return original(module, *args, **kwargs)
    end = devices.begin(tensor.device) if on_cuda and tensor is not None else None
    with child_step(recorder, size) as step:
        result = original(module, *args, **kwargs)
        if end is not None:
            end(step)
        return result


def _patch_loaders(patches: Patches, loader: Any) -> None:
    patches.wrap(loader._BaseDataLoaderIter, "__next__", _next_batch)


def _next_batch(original: Callable[..., Any]) -> Callable[..., Any]:
    def next_batch(self: Any) -> Any:
        if recorded_outside():
            return original(self)
        started = perf_counter()
        batch = original(self)
        waited_s = perf_counter() - started
        try:
            inference_of(ENGINE, _name_of(self._dataset), "load").series(None).wait.observe(waited_s)
        except Exception as error:
            guard.failed("recording the wait for a batch", error)
        return batch

    return next_batch


def _name_of(dataset: Any) -> str:
    """Return the class of a dataset; of a part of one, that of the whole."""
    for _ in range(_WRAPPERS):
        if type(dataset).__name__ != "Subset":
            break
        dataset = dataset.dataset
    return type(dataset).__name__
