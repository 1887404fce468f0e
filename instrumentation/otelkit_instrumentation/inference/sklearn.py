# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
scikit-learn: every estimator's `fit`, `predict`, `transform` and so on, those of the program's own classes included.

Methods are wrapped on the class that defines them, once for all that inherit
them; classes that are defined later are wrapped when they are. The outermost
call is what is recorded: a pipeline's steps, a grid search's fits and a
forest's trees belong to it, also in joblib's threads and processes.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from otelkit.loops import Inference, Inside, inference_of, plain_call, recorded_outside
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Maker, Patches, is_patched, wrapper_of
from otelkit_instrumentation.inference._rows import rows_of
from otelkit_instrumentation.inference._steps import run_recorded

__all__ = ("SklearnInstrumentor",)

_ENGINE = "sklearn"

_TRAINING = ("fit", "partial_fit", "fit_predict", "fit_transform")
_USE = (
    *("predict", "predict_proba", "predict_log_proba", "decision_function"),
    *("transform", "inverse_transform", "score", "score_samples", "kneighbors"),
)

_DEPTH = 3
"""How far a name looks into estimators of estimators."""


class SklearnInstrumentor(Instrumentor):
    """
    Records the calls of estimators, by class and method.

    ``instrument()`` takes ``spans``: whether a call that is part of a trace gets a span (True).
    """

    title = "scikit-learn"
    requires = ("scikit-learn >= 1.4",)
    signals = (
        "`inference.*` of each outermost call of an estimator: fit, predict, predict_proba, transform, score and the "
        "like; rows as items; a span inside traces"
    )

    def patch(self, patches: Patches, **options: Any) -> None:
        spans = options.get("spans", True)
        patches.when_imported("sklearn.base", lambda base: _Estimators(patches, spans).watch(base))
        patches.when_imported(
            "sklearn.utils.parallel", lambda module: patches.wrap(module.Parallel, "__call__", _parallel)
        )


class _Estimators:
    """Wraps the methods of all estimator classes, those to come included."""

    def __init__(self, patches: Patches, spans: bool) -> None:
        self._patches = patches
        self._spans = spans
        self._watched: tuple[type, ...] = ()

    def watch(self, base: Any) -> None:
        """Wrap the classes that are there, and have those that are defined from now on wrapped."""
        estimator: type = base.BaseEstimator
        # Of these two, whichever comes first in a class's bases has the last word on it: the second one puts its own
        # wrapper around `transform`, and ours must be the outermost to be taken away again.
        output = [each for each in base.TransformerMixin.__mro__ if each.__name__ == "_SetOutputMixin"]
        self._watched = (estimator, *output)
        for owner in self._watched:
            self._patches.replace(owner, "__init_subclass__", self._hook(owner))
        for found in _with_subclasses(estimator):
            self._wrap(found)

    def _hook(self, owner: type) -> classmethod[Any, Any, Any]:
        before = vars(owner).get("__init_subclass__")

        def __init_subclass__(cls: type, **kwargs: Any) -> None:  # noqa: N807
            if before is None:
                super(owner, cls).__init_subclass__(**kwargs)
            else:
                before.__get__(None, cls)(**kwargs)
            first = next(each for each in cls.__mro__ if each in self._watched)
            if first is owner and issubclass(cls, self._watched[0]):
                self._wrap(cls)

        return classmethod(__init_subclass__)

    def _wrap(self, cls: type) -> None:
        """Wrap what ``cls`` and its mixins define."""
        for owner in cls.__mro__:
            for method in (*_TRAINING, *_USE):
                defined = vars(owner).get(method)
                if defined is None or owner is object:
                    continue
                if hasattr(defined, "check") and hasattr(defined, "fn"):
                    self._wrap_conditional(owner, method, defined)
                else:
                    self._patches.wrap(owner, method, self._maker(method))

    def _wrap_conditional(self, owner: type, method: str, defined: Any) -> None:
        """Wrap a method that exists only on some instances, as `available_if` makes them."""
        if is_patched(defined.fn):
            return
        conditional = copy.copy(defined)
        conditional.fn = conditional.__wrapped__ = wrapper_of(defined.fn, self._maker(method))
        self._patches.replace(owner, method, conditional)

    def _maker(self, method: str) -> Maker:
        return lambda function: _recording(function, method, self._spans)


def _recording(function: Callable[..., Any], method: str, spans: bool) -> Callable[..., Any]:
    warmup_steps = 0 if method in _TRAINING else 1
    run = run_recorded if spans else _run_plainly

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if recorded_outside():
            return function(self, *args, **kwargs)
        recorder = inference_of(_ENGINE, model_name(self), method, warmup_steps=warmup_steps)
        rows = rows_of(args[0] if args else kwargs.get("X"))
        return run(recorder, rows, {}, function, (self, *args), kwargs)

    return call


def _run_plainly(recorder: Inference, rows: int | None, _: object, *call: Any) -> Any:
    return plain_call(recorder, rows, *call)


def model_name(estimator: Any, depth: int = _DEPTH) -> str:
    """Return the class, and in brackets what it is made around: ``GridSearchCV[Pipeline[SVC]]``."""
    name = type(estimator).__name__
    if depth <= 1:
        return name
    try:
        attribute = _inner_attribute(type(estimator))
        inner = getattr(estimator, attribute) if attribute else None
        inner = inner[-1][1] if inner and attribute == "steps" else inner
    except Exception:
        inner = None
    # A step may be the text "passthrough", an estimator the text "deprecated".
    return name if inner is None or isinstance(inner, str) else f"{name}[{model_name(inner, depth - 1)}]"


@functools.lru_cache(maxsize=1_000)
def _inner_attribute(cls: type) -> str | None:
    """Return where estimators of a class keep the one that they are given: a forest's own trees are no such."""
    given = inspect.signature(cls).parameters
    return next((name for name in ("steps", "estimator") if name in given), None)


def _with_subclasses(cls: type) -> Iterable[type]:
    found: dict[type, None] = {}
    waiting = [cls]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = None
            waiting += each.__subclasses__()
    return found


def _parallel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the tasks of scikit-learn's own parallel loops know that a step around them is recorded."""

    def call(self: Any, iterable: Iterable[Any]) -> Any:
        return function(self, map(_known_inside, iterable) if recorded_outside() else iterable)

    return call


def _known_inside(task: Any) -> Any:
    wrapper = task[0]
    if hasattr(wrapper, "function"):  # scikit-learn's own, which carries its configuration
        wrapper.function = Inside(wrapper.function)
    return task
