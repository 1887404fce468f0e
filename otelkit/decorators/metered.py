# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Decorators: `metered`, `traced`, `observed`.

Each works on functions, methods, static and class methods, coroutines,
generators and async generators, and keeps signature, docstring and kind.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar, overload

from opentelemetry.trace import SpanKind

from otelkit import semconv
from otelkit._core._family import ActiveFamily, CallFamily, Definition
from otelkit._core._guard import guard
from otelkit._core._labels import checked_labels
from otelkit._core._snapshot import Metric
from otelkit.decorators._failures import ErrorTypes, Judge
from otelkit.decorators._frame import FramePlan
from otelkit.decorators._labels import LabelPlan, Labels, plan_labels
from otelkit.decorators._recorder import Plan, record
from otelkit.decorators._signature import Signature, signature_of
from otelkit.decorators._spans import SpanSpec
from otelkit.exceptions import DeclarationError
from otelkit.instruments._instrument import checked_bounds
from otelkit.instruments._options import early_settings
from otelkit.instruments.registry import default_registry

__all__ = ("metered", "observed", "traced")

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

CallMetrics = tuple[Metric, Metric, Metric, Metric]


@dataclass(frozen=True, slots=True)
class Subject:
    """
    What is decorated and how it is recorded: the common denominator of all decorators.

    Args:
        metrics: Calls, active, errors, duration; None: no metrics.
        constants: Labels with a fixed value.
        shared: Metrics to which several declarations contribute, each with
            labels of its own.
        span: Name of the span; None: no span.
    """

    metrics: CallMetrics | None
    constants: tuple[tuple[str, str], ...] = ()
    shared: bool = True
    span: str | None = None
    kind: SpanKind = SpanKind.INTERNAL
    labels: Labels = None
    buckets: Iterable[float] | None = None
    record_error_if: Callable[[Any], Any] | None = None
    ignore: ErrorTypes | type[BaseException] = ()
    before: Callable[[Any], None] | None = None
    before_argument: str = ""
    after: Callable[[], None] | None = None


def switched_on() -> bool:
    """Tell whether decorators decorate at all: switched off, they give the plain function back."""
    return early_settings().enabled


def name_of(function: Callable[..., Any]) -> str:
    """Return the fully qualified name, the conventions' code.function.name."""
    module = getattr(function, "__module__", None) or "?"
    return f"{module}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def decorate(target: Any, subject_of: Callable[[Callable[..., Any]], Subject], decorator: str) -> Any:
    """
    Wrap ``target`` as ``subject_of`` says; static and class methods stay what they are.

    Raises:
        DeclarationError: ``target`` is no function, or the subject is wrong.
    """
    if issubclass(type(target), (staticmethod, classmethod)):
        return type(target)(decorate(target.__func__, subject_of, decorator))
    if isinstance(target, (staticmethod, classmethod)):  # wrapt's proxy of one
        raise DeclarationError(
            "a function", target, f"@{decorator}", f"Write @{decorator} below, next to the function."
        )
    if inspect.isclass(target) or not callable(target):
        remedy = "Decorate its methods, or use @otelkit.service." if inspect.isclass(target) else ""
        if isinstance(target, str):
            remedy = f"Write @{decorator}(name={target!r})."
        if isinstance(target, (property, functools.cached_property)):
            remedy = f"Write @{decorator} below @{type(target).__name__}, next to the function."
        raise DeclarationError("a function", target, f"@{decorator}", remedy)
    if not switched_on():
        return target
    where = f"@{decorator} on {name_of(target)}"
    subject = _switched(subject_of(target))
    if subject.labels is not None and not isinstance(subject.labels, Mapping):
        subject = replace(subject, labels=checked_labels(subject.labels, where))  # once: it may be an iterator
    if subject.metrics is None and subject.span is None:
        return target
    signature = signature_of(target)
    labels = plan_labels(subject.labels, target, signature, where)
    return record(target, signature, _plan(subject, signature, labels, where))


def _switched(subject: Subject) -> Subject:
    """Return ``subject`` without what the configuration switches off."""
    settings = early_settings()
    return replace(
        subject,
        metrics=subject.metrics if settings.metrics_enabled else None,
        span=subject.span if settings.traces_enabled else None,
    )


def _plan(subject: Subject, signature: Signature, labels: LabelPlan, where: str) -> Plan:
    judge = _judge(subject.record_error_if, where)
    ignored = _ignored(subject.ignore, where)
    family = _family(subject, labels, where)
    before_argument = subject.before_argument if subject.before_argument in signature.names else ""
    before = subject.before if before_argument else None
    sole = family.hold(()) if family is not None and not family.labels else None
    if subject.span is None and not labels.late:
        return Plan(labels, sole, family, None, judge, ignored, before, before_argument, subject.after)
    order = tuple((*labels.early, *labels.late).index(label) for label in family.labels) if family is not None else ()
    span = None
    if subject.span is not None:
        attributes = dict(subject.constants)
        if subject.metrics is not None:
            attributes[semconv.METRIC] = subject.metrics[3].name
        span = SpanSpec(subject.span, attributes, subject.kind)
    active = _active(subject, labels) if family is not None else None
    frame = FramePlan(family, sole, active, labels.early, labels.late, order, span, judge, ignored, subject.after)
    return Plan(labels, frame=frame, before=before, before_argument=before_argument)


def _family(subject: Subject, labels: LabelPlan, where: str) -> CallFamily | None:
    if subject.metrics is None:
        return None
    bounds = checked_bounds(subject.buckets, where)
    declared = tuple(subject.labels or ())
    taken = [label for label, _ in subject.constants if label in declared]
    if taken:
        raise DeclarationError("labels of your own", declared, where, f"{taken[0]!r} is set by the decorator.")
    for metric in subject.metrics:
        default_registry.declare(metric, None if subject.shared else declared, where)
    family: Any = default_registry.family(Definition("call", subject.metrics, declared, subject.constants, bounds))
    if bounds is not None and family.definition.bounds != bounds:
        known = family.definition.bounds
        error = DeclarationError(
            f"{f'buckets {list(known)}' if known else 'the default buckets'} for {family.name!r}, as declared before",
            list(bounds),
            where,
            "Give the second one another name, or declare both alike.",
        )
        if not subject.shared:
            raise error
        guard.warn(f"buckets {family.name}", str(error))  # the same function again, as in a notebook: the first stay
    if not labels.late:
        family.counts_active = True
    return family


def _active(subject: Subject, labels: LabelPlan) -> ActiveFamily | None:
    if not labels.late or subject.metrics is None:
        return None
    family: Any = default_registry.family(Definition("active", (subject.metrics[1],), labels.early, subject.constants))
    return family


def _judge(predicate: Any, where: str) -> Judge | None:
    if predicate is None:
        return None
    if not callable(predicate):
        raise DeclarationError("record_error_if to be a function of the result", predicate, where)
    return Judge(predicate)


def _ignored(ignore: Any, where: str) -> ErrorTypes:
    kinds = ignore if isinstance(ignore, (tuple, list, set, frozenset)) else (ignore,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise DeclarationError("ignore to hold exception classes", kind, where)
    return tuple(kinds)


def checked_text(where: str, **texts: object) -> None:
    """Raise `DeclarationError` for what is neither None nor text."""
    for what, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise DeclarationError(f"{what} as text", text, where)


def function_subject(
    function: Callable[..., Any], name: str | None, prefix: str, *, span: bool, metrics: bool = True, **options: Any
) -> Subject:
    """Return the subject of a function: metrics of its own name, or of the family ``function``."""
    where = f"@otelkit.metered on {name_of(function)}"
    checked_text(where, name=name, prefix=prefix)
    kind = options.get("kind", SpanKind.INTERNAL)
    if not isinstance(kind, SpanKind):
        # Exporters fail on anything else, and lose the other spans of the request with it.
        remedy = "Write kind=SpanKind.SERVER, from opentelemetry.trace."
        raise DeclarationError("kind as a SpanKind", kind, where, remedy)
    full_name = name_of(function)
    constants = ((semconv.CODE_FUNCTION_NAME, full_name),)
    span_name = (name or getattr(function, "__qualname__", full_name)) if span else None
    if not metrics:
        return Subject(None, constants, span=span_name, **options)
    if name is None:
        calls = semconv.call_metrics(semconv.prefixed(prefix, semconv.FUNCTION))
        return Subject(calls, constants, span=span_name, **options)
    return Subject(semconv.call_metrics(semconv.prefixed(prefix, name)), (), shared=False, span=span_name, **options)


@overload
def metered(function: F, /) -> F: ...
@overload
def metered(
    *,
    name: str | None = ...,
    prefix: str = ...,
    labels: Labels = ...,
    buckets: Iterable[float] | None = ...,
    event: str | None = ...,
    record_error_if: Callable[[Any], Any] | None = ...,
    ignore: ErrorTypes | type[BaseException] = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def metered(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    prefix: str = "",
    labels: Labels = None,
    buckets: Iterable[float] | None = None,
    event: str | None = None,
    record_error_if: Callable[[Any], Any] | None = None,
    ignore: ErrorTypes | type[BaseException] = (),
) -> Any:
    """
    Record a function's calls, active calls, errors and duration (s).

    Without a name the metrics are ``function.calls``, ``.active_calls``,
    ``.errors``, ``.duration`` with the label ``code.function.name``; with one
    they are ``<name>.calls`` and so on. A generator is one call, from its
    first item asked for to its end. A cancelled call is no error: it is a
    duration with the cancellation as ``error.type``.

    Args:
        name: OpenTelemetry name of the metrics.
        prefix: Goes in front; a trailing ``_`` or ``.`` becomes the dot.
        labels: Label names; a value is the argument of that name, or what
            `add_label` gives during the call. A mapping gives a callable (gets
            the call's arguments) or a constant for a label.
        buckets: Bounds of the duration, in seconds; by default the semantic
            conventions'.
        event: Makes it a handler of that event: see `event_handler`.
        record_error_if: Gets the result; true makes the call an error, text
            names its ``error.type``.
        ignore: Exceptions that are no errors.

    Raises:
        DeclarationError: On decoration, never on a call.

    Cost: benchmarks/README.md; without labels one tick, two clock reads and
    one append.
    """
    options = {"labels": labels, "buckets": buckets, "record_error_if": record_error_if, "ignore": ignore}

    def decorator(target: Any) -> Any:
        if event is not None:
            from otelkit.decorators.event import event_handler

            return event_handler(event, prefix=prefix, traces=False, **options)(target)  # type: ignore[arg-type]
        return decorate(
            target, lambda plain: function_subject(plain, name, prefix, span=False, **options), "otelkit.metered"
        )

    return decorator if function is None else decorator(function)


@overload
def traced(function: F, /) -> F: ...
@overload
def traced(
    *, name: str | None = ..., kind: SpanKind = ..., ignore: ErrorTypes | type[BaseException] = ...
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def traced(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    ignore: ErrorTypes | type[BaseException] = (),
) -> Any:
    """
    Make a span of each call; no metrics.

    The span is the program's TracerProvider's. An exception is recorded on it
    and passes untouched. A generator's span is current while the generator
    runs and never while it is suspended.

    Args:
        name: The span's name; by default the function's qualified name.
        kind: OpenTelemetry's span kind.
        ignore: Exceptions that are no errors.

    Raises:
        DeclarationError: On decoration, never on a call.
    """

    def decorator(target: Any) -> Any:
        return decorate(
            target,
            lambda plain: function_subject(plain, name, "", span=True, metrics=False, kind=kind, ignore=ignore),
            "otelkit.traced",
        )

    return decorator if function is None else decorator(function)


@overload
def observed(function: F, /) -> F: ...
@overload
def observed(
    *,
    name: str | None = ...,
    prefix: str = ...,
    labels: Labels = ...,
    buckets: Iterable[float] | None = ...,
    kind: SpanKind = ...,
    record_error_if: Callable[[Any], Any] | None = ...,
    ignore: ErrorTypes | type[BaseException] = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def observed(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    prefix: str = "",
    labels: Labels = None,
    buckets: Iterable[float] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    record_error_if: Callable[[Any], Any] | None = None,
    ignore: ErrorTypes | type[BaseException] = (),
) -> Any:
    """
    Make a span of each call, and record its metrics as `metered` does, linked.

    The duration's exemplars name the span; the span names the metric
    (``otelkit.metric``) and carries the call's late labels.

    Args and errors: as `metered` and `traced`.
    """
    options = {"labels": labels, "buckets": buckets, "record_error_if": record_error_if, "ignore": ignore, "kind": kind}

    def decorator(target: Any) -> Any:
        return decorate(
            target, lambda plain: function_subject(plain, name, prefix, span=True, **options), "otelkit.observed"
        )

    return decorator if function is None else decorator(function)
