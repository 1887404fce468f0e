# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The one seam to spans: how `traced` and `observed` make theirs.

Through OpenTelemetry's API, so that whichever provider the program has
installed gets them. Something cheaper may take over behind `start_span` and
`sampled_span`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from contextvars import Token
from dataclasses import dataclass
from typing import Any

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from otelkit._core._guard import guard

INSTRUMENTATION_SCOPE = "otelkit"


@dataclass(frozen=True, slots=True)
class SpanSpec:
    """What the spans of one decorated function have in common."""

    name: str
    attributes: Mapping[str, str]
    kind: SpanKind = SpanKind.INTERNAL


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes 10 ms to import, which no span yet needs

    try:
        return version("otelkit")
    except PackageNotFoundError:  # run from a folder that was never installed
        return ""


class _Tracers:
    """
    The tracer of whichever provider is installed now.

    Asking the SDK's provider for one builds it anew each time.
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: tuple[trace.TracerProvider | None, Any] = (None, None)

    def current(self) -> trace.Tracer:
        """Return the tracer; it is not kept across a change of provider."""
        provider = trace.get_tracer_provider()
        known, tracer = self._known
        if provider is not known:
            tracer = provider.get_tracer(INSTRUMENTATION_SCOPE, _version())
            self._known = (provider, tracer)
        return tracer


_tracers = _Tracers()


class ActiveSpan:
    """
    A span that may be attached and detached many times, as a generator needs.

    No method raises: a tracing library that fails costs the program its span.
    """

    __slots__ = ("_context", "_span", "_token")

    def __init__(self, spec: SpanSpec, labels: Mapping[str, str]) -> None:
        self._token: Any = None
        self._span: Any = None
        self._context: Any = None
        attributes = {**spec.attributes, **labels} if labels else spec.attributes
        try:
            self._span = _tracers.current().start_span(spec.name, kind=spec.kind, attributes=attributes)
            self._context = trace.set_span_in_context(self._span)
        except Exception as error:
            guard.failed("starting a span", error)

    def attach(self) -> None:
        """Make it the current span."""
        if self._context is not None:
            self._token = context.attach(self._context)

    def detach(self) -> None:
        """Put back what was current before; tolerates a generator closed in another context."""
        token, self._token = self._token, None
        if isinstance(token, Token):
            # Not context.detach: it logs an error when a generator is closed by the garbage collector or another
            # task, where there is nothing to put back (opentelemetry-python#2606).
            with suppress(ValueError):
                token.var.reset(token)
        elif token is not None:
            context.detach(token)

    def label(self, key: str, value: str) -> None:
        """Set an attribute."""
        if self._span is not None:
            self._span.set_attribute(key, value)

    def fail(self, error: BaseException) -> None:
        """Record the exception and mark the span as an error."""
        try:
            if self._span is not None and self._span.is_recording():
                self._span.record_exception(error)
                self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        except Exception as own:
            guard.failed("recording an exception", own)

    def mark_failed(self, reason: str) -> None:
        """Mark the span as an error that raised nothing."""
        if self._span is not None:
            self._span.set_status(Status(StatusCode.ERROR, reason))

    def end(self) -> None:
        """End the span."""
        try:
            if self._span is not None:
                self._span.end()
        except Exception as error:
            guard.failed("ending a span", error)


def sampled_span() -> tuple[int, int] | None:
    """
    Return trace and span id of the current span if it is sampled; what an exemplar needs.

    Cost: 100 ns where no context is attached at all, as in a program without spans.
    """
    current = context.get_current()
    if not current:
        return None
    found = trace.get_current_span(current).get_span_context()
    return (found.trace_id, found.span_id) if found.trace_flags & 1 and found.trace_id else None


def any_span() -> tuple[int, int] | None:
    """Return trace and span id of the current span, sampled or not; zeros without one (``always_on``)."""
    found = trace.get_current_span().get_span_context()
    return found.trace_id, found.span_id
