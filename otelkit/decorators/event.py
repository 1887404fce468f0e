# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`event_handler` and `publisher`: both ends of an event."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import time
from typing import Any, ParamSpec, TypeVar, overload

from opentelemetry.trace import SpanKind

from otelkit import semconv
from otelkit._core._family import Definition
from otelkit._core._guard import guard
from otelkit._core._histogram_cell import HistogramCell
from otelkit.decorators._failures import ErrorTypes
from otelkit.decorators._labels import Labels
from otelkit.decorators._signature import signature_of
from otelkit.decorators.metered import Subject, checked_text, decorate, name_of, switched_on
from otelkit.decorators.service import with_prefix
from otelkit.exceptions import DeclarationError
from otelkit.instruments.registry import default_registry

__all__ = ("event_handler", "publisher")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=type)

_TIMESTAMPS = ("timestamp", "emitted_at", "time", "created_at")
_EVENT_NAMES = ("event", "event_name", "event_type", "topic")


class _Latency:
    """Records how old an event is when its handler starts."""

    __slots__ = ("cell", "emitted_at")

    def __init__(self, cell: HistogramCell, emitted_at: Callable[[Any], Any] | None) -> None:
        self.cell = cell
        self.emitted_at = emitted_at

    def __call__(self, event: Any) -> None:
        try:
            emitted = self.emitted_at(event) if self.emitted_at is not None else _timestamp_of(event)
            seconds = None if emitted is None else time() - _unix_time(emitted)
        except Exception as error:
            guard.failed("an event's timestamp", error)
            return
        if seconds is not None:
            self.cell.observe(max(seconds, 0.0))  # clocks of two machines differ; an event is never younger than now


def _timestamp_of(event: Any) -> Any:
    for name in _TIMESTAMPS:
        value = event.get(name) if isinstance(event, dict) else getattr(event, name, None)
        if value is not None and not callable(value):
            return value
    return None


def _unix_time(value: Any) -> float:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp()
    return float(value)


def event_handler(
    event: str,
    *,
    prefix: str = "",
    labels: Labels = None,
    buckets: Iterable[float] | None = None,
    emitted_at: Callable[[Any], Any] | None = None,
    record_error_if: Callable[[Any], Any] | None = None,
    ignore: ErrorTypes | type[BaseException] = (),
    traces: bool = True,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """
    Record a handler of ``event``.

    Records ``event.received``, ``.active``, ``.failures``,
    ``.processing_time`` (s) and ``.latency`` (s; emission to processing) with
    the label ``event``, and a consumer span.

    Args:
        event: The event's name, such as ``payment.completed``.
        prefix, labels, buckets, record_error_if, ignore: As for `metered`.
        emitted_at: Gets the event (the handler's first argument), returns when
            it was emitted: Unix seconds, a datetime (UTC if naive) or ISO
            text; None for unknown. By default the event's ``timestamp``,
            ``emitted_at``, ``time`` or ``created_at``, by key or attribute.
        traces: False: no span.

    Raises:
        DeclarationError: On decoration, never on a call.
    """
    if not isinstance(event, str) or not event:
        raise DeclarationError("an event's name", event, "@otelkit.event_handler", 'Write @event_handler("name").')
    checked_text("@otelkit.event_handler", prefix=prefix)
    if emitted_at is not None and not callable(emitted_at):
        raise DeclarationError("emitted_at to be a function of the event", emitted_at, "@otelkit.event_handler")
    metrics = with_prefix(
        prefix,
        semconv.EVENT_RECEIVED,
        semconv.EVENT_ACTIVE,
        semconv.EVENT_FAILURES,
        semconv.EVENT_PROCESSING_TIME,
    )
    constants = ((semconv.EVENT, event),)

    def subject_of(function: Callable[..., Any]) -> Subject:
        name = semconv.prefixed(prefix, semconv.EVENT_LATENCY.name)
        latency = semconv.Metric(name, semconv.EVENT_LATENCY.kind, "s", semconv.EVENT_LATENCY.description)
        default_registry.declare(latency, None, f"@otelkit.event_handler on {name_of(function)}")
        cell: Any = default_registry.family(Definition("histogram", (latency,), (), constants)).hold(())
        return Subject(
            metrics,
            constants,
            span=f"{event} process" if traces else None,
            kind=SpanKind.CONSUMER,
            labels=labels,
            buckets=buckets,
            record_error_if=record_error_if,
            ignore=ignore,
            before=_Latency(cell, emitted_at),
            before_argument=_event_argument(function),
        )

    return lambda target: decorate(target, subject_of, "otelkit.event_handler")


def _event_argument(function: Callable[..., Any]) -> str:
    """Return the parameter that holds the event: the first one, after ``self`` or ``cls``."""
    names = [name for name in signature_of(function).names if name not in ("self", "cls")]
    return names[0] if names else ""


@overload
def publisher(cls: T, /) -> T: ...
@overload
def publisher(
    *, event: str | Callable[..., Any] | None = ..., prefix: str = ..., traces: bool = ...
) -> Callable[[T], T]: ...
def publisher(
    cls: Any = None,
    /,
    *,
    event: str | Callable[..., Any] | None = None,
    prefix: str = "",
    traces: bool = True,
) -> Any:
    """
    Make every public method of a class one that publishes events.

    Records ``event.published``, ``.publishing`` (under way),
    ``.publish_failures`` and ``.publish_time`` (s) with the label ``event``,
    and a producer span.

    Args:
        event: Where the event's name comes from: the name of a parameter, or a
            callable that gets the call's arguments. By default the parameter
            ``event``, ``event_name``, ``event_type`` or ``topic``; methods
            that have none of these are known by their own name.
        prefix: Goes in front of the metrics' names.
        traces: False: no spans.

    Raises:
        DeclarationError: Not a class.
    """

    def decorator(target: Any) -> Any:
        checked_text("@otelkit.publisher", prefix=prefix)
        if not inspect.isclass(target):
            raise DeclarationError("a class", target, "@otelkit.publisher")
        for name, member in list(vars(target).items()) if switched_on() else ():
            plain = member.__func__ if issubclass(type(member), (staticmethod, classmethod)) else member
            ours = (
                not isinstance(plain, (staticmethod, classmethod))
                and inspect.isroutine(plain)
                and callable(plain)
                and not inspect.isbuiltin(plain)
            )
            if ours and not name.startswith("_") and not hasattr(plain, "__otelkit_original__"):
                setattr(
                    target,
                    name,
                    decorate(member, lambda f: _publication(f, event, prefix, traces), "otelkit.publisher"),
                )
        return target

    return decorator if cls is None else decorator(cls)


def _publication(function: Callable[..., Any], event: Any, prefix: str, traces: bool) -> Subject:
    metrics = with_prefix(
        prefix,
        semconv.EVENT_PUBLISHED,
        semconv.EVENT_PUBLISHING,
        semconv.EVENT_PUBLISH_FAILURES,
        semconv.EVENT_PUBLISH_TIME,
    )
    source = event if callable(event) else _argument(function, event)
    name = getattr(function, "__name__", "publish")
    span = getattr(function, "__qualname__", name) if traces else None
    if source is None:
        return Subject(metrics, ((semconv.EVENT, name),), span=span, kind=SpanKind.PRODUCER)
    return Subject(metrics, labels={semconv.EVENT: source}, span=span, kind=SpanKind.PRODUCER)


def _argument(function: Callable[..., Any], wanted: str | None) -> Callable[..., Any] | None:
    """Return what reads the event's name from a call's arguments: text as it is, an object by its name or type."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    names = (wanted,) if wanted is not None else _EVENT_NAMES
    found = next((name for name in names if name in signature.parameters), None)
    if found is None and wanted is not None:
        raise DeclarationError(f"a parameter {wanted!r}", str(signature), f"@otelkit.publisher on {name_of(function)}")
    return None if found is None else _EventName(found, signature)


class _EventName:
    """Reads an event's name from the arguments of a call."""

    __slots__ = ("parameter", "signature")

    def __init__(self, parameter: str, signature: inspect.Signature) -> None:
        self.parameter = parameter
        self.signature = signature

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        value = bound.arguments.get(self.parameter, "")
        if isinstance(value, str):
            return value
        if isinstance(value, dict):
            return str(value.get("name") or value.get("type") or "dict")
        name = getattr(value, "name", None)
        return name if isinstance(name, str) else type(value).__name__
