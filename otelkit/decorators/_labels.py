# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a call's label values come from: arguments, callables, constants, or `add_label`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from otelkit._core._guard import guard
from otelkit._core._labels import checked_labels, text_of
from otelkit.decorators._signature import Signature
from otelkit.instruments._options import early_settings

Labels = Iterable[str] | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """
    The labels of a decorated function.

    Args:
        early: Labels known when a call starts.
        expressions: For each of them source text that gives its value inside
            the wrapper.
        late: Labels that `add_label` gives during the call.
        environment: What the expressions refer to.
    """

    early: tuple[str, ...]
    expressions: tuple[str, ...]
    late: tuple[str, ...]
    environment: dict[str, Any]


class _Value:
    """A label's callable, kept from raising into the call."""

    __slots__ = ("function", "label")

    def __init__(self, label: str, function: Callable[..., Any]) -> None:
        self.label = label
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.function(*args, **kwargs)
        except Exception as error:
            guard.failed(f"label {self.label!r}", error)
            return ""


class _Argument:
    """Finds an argument by name where the wrapper only has ``*args, **kwargs``. Costs about 2 µs."""

    __slots__ = ("name", "signature")

    def __init__(self, name: str, signature: inspect.Signature) -> None:
        self.name = name
        self.signature = signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError:
            return ""  # the function itself will say so
        bound.apply_defaults()
        return bound.arguments.get(self.name, "")


def plan_labels(labels: Labels, function: Callable[..., Any], signature: Signature, where: str) -> LabelPlan:
    """
    Find out where each label's value comes from.

    Raises:
        DeclarationError: A label's name is malformed or reserved.
    """
    names = checked_labels(() if labels is None else labels, where)
    sources: dict[str, Any] = dict(labels) if isinstance(labels, Mapping) else dict.fromkeys(names)
    visible = _visible_signature(function)
    early: list[str] = []
    expressions: list[str] = []
    late: list[str] = []
    environment: dict[str, Any] = {}
    for index, (label, source) in enumerate(sources.items()):
        helper = f"_o_value{index}"
        if source is None and label in signature.names:
            expressions.append(label)
        elif source is None and visible is not None and _is_argument(visible, label):
            environment[helper] = _Argument(label, visible)
            expressions.append(f"{helper}({signature.arguments})")
        elif source is None:
            late.append(label)
            continue
        elif callable(source):
            environment[helper] = _Value(label, source)
            expressions.append(f"{helper}({signature.arguments})")
        else:
            environment[helper] = text_of(source)
            expressions.append(helper)
        early.append(label)
    return LabelPlan(tuple(early), tuple(expressions), tuple(late), environment)


def _visible_signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _is_argument(visible: inspect.Signature, label: str) -> bool:
    parameter = visible.parameters.get(label)
    return parameter is not None and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)


class LabelScope:
    """Collects what `add_label` gives during one call; an outer scope is asked for labels that this one lacks."""

    __slots__ = ("names", "outer", "values")

    def __init__(self, names: tuple[str, ...], outer: LabelScope | None) -> None:
        self.names = names
        self.outer = outer
        self.values: dict[str, object] = {}


current_scope: ContextVar[LabelScope | None] = ContextVar("otelkit_label_scope", default=None)


def add_label(key: str, value: object) -> None:
    """
    Give a label of the metered call under way its value.

    The label must be declared by the decorator (``labels=["user_tier"]``) of
    this call or of one around it, and not be the name of a parameter. Never
    raises: outside of such a call the value is dropped and counted in
    ``otelkit.dropped``. Works across ``await``; a new thread has no call.
    """
    scope = current_scope.get()
    while scope is not None:
        if key in scope.names:
            scope.values[key] = value
            return
        scope = scope.outer
    settings = early_settings()
    if settings.enabled and settings.metrics_enabled:  # else nothing was decorated
        guard.dropped("add_label", "label not declared here", detail=f"Declare it: labels=[{key!r}].")
