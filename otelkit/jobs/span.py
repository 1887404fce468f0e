# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The span of a job, and the context that travels to where it runs.

A span costs twenty times of what counting a job does. None is started where
nobody would see it: without a provider, or in a trace that is known not to be
sampled. What the program's own spans hang from is the same in either case.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from contextvars import Token
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, propagation

from otelkit._core._guard import guard
from otelkit.decorators._spans import _tracers

__all__ = ("JobSpan", "headers_of", "is_suppressed", "parent_of", "start_span", "wanted")

_SUPPRESSED = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
"""Key in the context of whoever wants no telemetry about itself; made anew in each process."""


def headers_of(parent: Context | None = None) -> dict[str, str]:
    """Return the submitter's context (by default the current one) as W3C headers; empty if there is nothing in it."""
    headers: dict[str, str] = {}
    with guard.shield("context to a worker"):
        parent = context.get_current() if parent is None else parent
        if parent:
            propagate.inject(headers, parent)
    return headers


def parent_of(headers: Mapping[str, str] | None) -> Context:
    """Return the context that `headers_of` was made from; an empty one for none, or for what is no such headers."""
    with guard.shield("context in a worker"):
        if headers:
            return propagate.extract(headers, Context())
    return Context()


def is_suppressed(parent: Context) -> bool:
    """Tell whether who submits has asked for no telemetry about what it does."""
    return bool(parent) and bool(parent.get(_SUPPRESSED))


class JobSpan:
    """
    A span that is current, or a parent's context alone where no span is worth having. No method raises.

    Made by `start_span`. A context manager: it fails by what its block raises.
    """

    __slots__ = ("_span", "_token")

    def __init__(self, span: Any, token: Any) -> None:
        self._span = span
        self._token = token

    def set(self, key: str, value: Any) -> None:
        """Set an attribute."""
        if self._span is not None:
            with guard.shield("a job's span"):
                self._span.set_attribute(key, value)

    def fail(self, error: BaseException) -> None:
        """Record the exception and mark the span as an error."""
        if self._span is not None:
            with guard.shield("a job's span"):
                if self._span.is_recording():
                    self._span.record_exception(error)
                    self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))

    def mark_failed(self, reason: str) -> None:
        """Mark the span as an error that raised nothing."""
        if self._span is not None:
            with guard.shield("a job's span"):
                self._span.set_status(Status(StatusCode.ERROR, reason))

    def end(self) -> None:
        """End the span and put back what was current before; a second time does nothing."""
        token, self._token = self._token, None
        span, self._span = self._span, None
        if isinstance(token, Token):
            with suppress(ValueError):  # ended in another context: there is nothing to put back there
                token.var.reset(token)
        elif token is not None:
            context.detach(token)
        if span is not None:
            with guard.shield("a job's span"):
                span.end()

    def __enter__(self) -> JobSpan:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self.fail(error)
        self.end()


def start_span(
    name: str,
    attributes: Mapping[str, Any],
    parent: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    start_ns: int | None = None,
) -> JobSpan:
    """
    Start the span of a job or of a chunk, and make it the current one.

    Args:
        name: The job's name.
        attributes: `Job.attributes`, or more.
        parent: The submitter's context, which becomes current; by default what is current stays.
        kind: CONSUMER where the job came through a broker.
        start_ns: When the job began, Unix time; by default now.
    """
    span = token = None
    with guard.shield("a job's span"):
        current = context.get_current() if parent is None else parent
        if wanted(current):
            span = _tracers.current().start_span(name, current, kind, attributes, start_time=start_ns)
            current = trace.set_span_in_context(span, current)
        elif parent is None:
            return JobSpan(None, None)
        token = context.attach(current)
    return JobSpan(span, token)


_NOBODY = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
_SPAN = getattr(propagation, "_SPAN_KEY", None)
"""Key of the current span in a context; None where a later API has another name for it."""


def wanted(parent: Context, root: bool = True) -> bool:
    """
    Tell whether a span under ``parent`` may be seen by anybody.

    Args:
        root: Whether one that begins a trace is worth having.
    """
    provider = trace.get_tracer_provider()
    if type(provider) in _NOBODY:  # isinstance asks their abstract base, for 0.3 µs
        return False
    # Not `get_current_span`, which asks an abstract base too: 0.1 µs instead of 0.5.
    span: Any = trace.get_current_span(parent) if _SPAN is None else parent.get(_SPAN)
    found = trace.INVALID_SPAN_CONTEXT if span is None else span.get_span_context()
    if found.trace_flags & 1:
        return True
    if not found.is_valid:
        return root
    return not _follows_parents(provider)


_known: tuple[Any, Any, bool] = (None, None, False)


def _follows_parents(provider: Any) -> bool:
    """Tell whether the provider's sampler never samples under a span that is not sampled."""
    global _known
    sampler = getattr(provider, "sampler", None)
    inner = getattr(sampler, "sampler", sampler)  # otelkit's own can be replaced
    known_provider, known_sampler, follows = _known
    if provider is not known_provider or inner is not known_sampler:
        description = inner.get_description() if inner is not None else ""
        follows = "ocalParentNotSampled:AlwaysOffSampler" in description and "ParentBased" in description
        follows = follows and "emoteParentNotSampled:AlwaysOffSampler" in description
        _known = (provider, inner, follows)
    return follows
