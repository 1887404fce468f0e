# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`service` and `action`: a class whose public methods are recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar, overload

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.decorators._failures import ErrorTypes
from otelkit.decorators._labels import Labels
from otelkit.decorators._recorder import is_wrapper
from otelkit.decorators.metered import Subject, checked_text, decorate, switched_on
from otelkit.exceptions import DeclarationError

__all__ = ("action", "service")

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", bound=type)

ACTION = "__otelkit_action__"
"""Attribute by which `action`, and every wrapper of a service, marks its function."""

_OWN_DECORATION = "__otelkit_original__"


@dataclass(frozen=True, slots=True)
class Action:
    """What `action` said, and the plain function; kept on the function until its class is decorated."""

    function: Any
    name: str | None = None
    labels: Labels = None
    buckets: Iterable[float] | None = None
    record_error_if: Callable[[Any], Any] | None = None
    ignore: ErrorTypes | type[BaseException] = ()
    metrics: bool = True
    traces: bool = True


@overload
def action(function: F, /) -> F: ...
@overload
def action(
    *,
    name: str | None = ...,
    labels: Labels = ...,
    buckets: Iterable[float] | None = ...,
    record_error_if: Callable[[Any], Any] | None = ...,
    ignore: ErrorTypes | type[BaseException] = ...,
    metrics: bool = ...,
    traces: bool = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def action(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    labels: Labels = None,
    buckets: Iterable[float] | None = None,
    record_error_if: Callable[[Any], Any] | None = None,
    ignore: ErrorTypes | type[BaseException] = (),
    metrics: bool = True,
    traces: bool = True,
) -> Any:
    """
    Say how one method of a `service` is recorded; also makes a private method an action.

    Args:
        name: Value of the label ``action``; by default the method's name.
        labels, buckets, record_error_if, ignore: As for `metered`.
        metrics: False: no metrics.
        traces: False: no span.

    Without a `service` around it, it records nothing.
    """

    def decorator(target: Any) -> Any:
        checked_text("@otelkit.action", name=name)
        plain = target.__func__ if isinstance(target, (staticmethod, classmethod)) else target
        if not callable(plain) or inspect.isclass(plain):
            raise DeclarationError("a method", target, "@otelkit.action")
        setattr(plain, ACTION, Action(plain, name, labels, buckets, record_error_if, ignore, metrics, traces))
        return target

    return decorator if function is None else decorator(function)


@overload
def service(cls: T, /) -> T: ...
@overload
def service(*, name: str | None = ..., prefix: str = ..., traces: bool = ...) -> Callable[[T], T]: ...
def service(cls: Any = None, /, *, name: str | None = None, prefix: str = "", traces: bool = True) -> Any:
    """
    Make every public method of a class an action.

    Records ``service.requests``, ``.active_requests``, ``.errors`` and
    ``.response_time`` (s) with the labels ``service`` and ``action``, and a
    span per call. Inherited public methods are actions of this class, too; a
    subclass that is not decorated keeps those of its base. Static and class
    methods count; properties, nested classes, wrapt's proxies of static and class
    methods, and methods that another decorator of otelkit records (`job`,
    `event_handler`, `metered`) are left as they are.

    Args:
        name: Value of the label ``service``; by default the class's name.
        prefix: Goes in front of the metrics' names: ``api_gateway_`` gives
            ``api_gateway.service.requests``.
        traces: False: no spans.

    Raises:
        DeclarationError: Not a class, or a malformed name.
    """

    def decorator(target: Any) -> Any:
        checked_text("@otelkit.service", name=name, prefix=prefix)
        if not inspect.isclass(target):
            raise DeclarationError("a class", target, "@otelkit.service", "For functions there is @otelkit.metered.")
        if switched_on():
            for attribute, member in _methods(target):
                setattr(target, attribute, _as_action(target, attribute, member, name, prefix, traces))
        return target

    return decorator if cls is None else decorator(cls)


def _methods(cls: type) -> list[tuple[str, Any]]:
    """Return the raw members to record: the class's own and its bases', as `service` describes."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__[:-1]):
        if base.__module__ != "builtins":
            found.update(vars(base))
    return [(name, member) for name, member in found.items() if _is_action(name, member)]


def _is_action(name: str, member: Any) -> bool:
    if isinstance(member, (staticmethod, classmethod)) and not issubclass(type(member), (staticmethod, classmethod)):
        return False  # a proxy around one, such as wrapt's, which cannot be made anew
    plain = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
    # isroutine alone is also true for cached_property, partialmethod and singledispatchmethod, which cannot be called;
    # what C gives does not bind, and a wrapper would.
    if not inspect.isroutine(plain) or not callable(plain) or inspect.isbuiltin(plain):
        return False
    marked = getattr(plain, ACTION, None) is not None
    recorded_otherwise = hasattr(plain, _OWN_DECORATION) and not marked
    return marked or not (name.startswith("_") or recorded_otherwise)


def service_metrics(prefix: str) -> tuple[Metric, Metric, Metric, Metric]:
    """Return the four metrics of services under ``prefix``."""
    return with_prefix(
        prefix,
        semconv.SERVICE_REQUESTS,
        semconv.SERVICE_ACTIVE_REQUESTS,
        semconv.SERVICE_ERRORS,
        semconv.SERVICE_RESPONSE_TIME,
    )


def with_prefix(prefix: str, calls: Metric, active: Metric, errors: Metric, duration: Metric) -> Any:
    """Return the four metrics with ``prefix`` in front of their names."""
    return tuple(
        replace(metric, name=semconv.prefixed(prefix, metric.name)) for metric in (calls, active, errors, duration)
    )


def _as_action(cls: type, attribute: str, member: Any, name: str | None, prefix: str, traces: bool) -> Any:
    plain = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
    said: Action = getattr(plain, ACTION, None) or Action(plain)
    service_name = name or cls.__name__
    action_name = said.name or attribute
    with_span = traces and said.traces
    if not said.metrics and not with_span:
        return member
    subject = Subject(
        service_metrics(prefix) if said.metrics else None,
        ((semconv.SERVICE, service_name), (semconv.ACTION, action_name)),
        span=f"{service_name}.{action_name}" if with_span else None,
        labels=said.labels,
        buckets=said.buckets,
        record_error_if=said.record_error_if,
        ignore=said.ignore,
    )
    # The plain function, not a base's wrapper: otherwise an inherited action would be recorded twice. A decorator that
    # stands above `action` is neither: it may be what checks the caller's rights, and must stay.
    function = said.function if is_wrapper(plain) else plain
    wrapped = decorate(function, lambda _: subject, "otelkit.service")
    setattr(wrapped, ACTION, replace(said, function=function))
    return type(member)(wrapped) if isinstance(member, (staticmethod, classmethod)) else wrapped
