# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Spans as the store gives them, brought to what analysis compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otelkit import semconv
from otelkit.viewer.analysis.difference import Profile, Timed, profile
from otelkit.viewer.api.calls import Calls
from otelkit.viewer.api.timing import SECOND
from otelkit.viewer.store import Reading, Span, TraceQuery

CPU_SECONDS = ("cpu.time", "otelkit.cpu.time", "thread.cpu_time", "span.cpu.time")
"""Attributes in which a span may tell its CPU seconds."""


def timed(span: Span, origin_ns: int) -> Timed:
    """Return a span with seconds from ``origin_ns``."""
    start = (span.start_ns - origin_ns) / SECOND
    return Timed(
        span.span_id,
        span.parent_span_id,
        (span.service, span.name),
        start,
        max(start, (span.end_ns - origin_ns) / SECOND),
    )


def roots(spans: Sequence[Span]) -> list[Span]:
    """Return the spans whose parent is not among them, by start."""
    known = {each.span_id for each in spans}
    return [each for each in spans if each.parent_span_id not in known or each.parent_span_id == each.span_id]


def profile_of(spans: Sequence[Span], top: Span) -> Profile:
    """Return the profile of a span and what is below it."""
    origin = min(each.start_ns for each in spans)
    return profile(timed(top, origin), [timed(each, origin) for each in spans])


def query_for(calls: Calls, from_ns: int, to_ns: int, limit: int) -> TraceQuery:
    """Return the question for traces in which an action was called; the newest ones, so that none is preferred."""
    attributes: Mapping[str, str] | None = None
    span_name: str | None = None
    if calls.source == "service":
        attributes = {semconv.SERVICE: calls.service} | ({semconv.ACTION: calls.action} if calls.action else {})
    elif calls.source == "function":
        attributes = {semconv.CODE_FUNCTION_NAME: f"{calls.service}.{calls.action}"}
    elif calls.action:
        span_name = span_name_of(calls)
    return TraceQuery(from_ns=from_ns, to_ns=to_ns, attributes=attributes, span_name=span_name, limit=limit)


def span_name_of(calls: Calls) -> str:
    """Return the name that otelkit or the conventions give to the span of a call."""
    if calls.source == "event":
        return f"{calls.action.removeprefix('on ')} process"
    return calls.action


def is_of(span: Span, calls: Calls) -> bool:
    """Tell whether a span is one of these calls."""
    if calls.source == "service":
        told = span.attributes
        return told.get(semconv.SERVICE) == calls.service and calls.action in ("", told.get(semconv.ACTION))
    if calls.source == "function":
        return span.attributes.get(semconv.CODE_FUNCTION_NAME) == f"{calls.service}.{calls.action}"
    return span.name == span_name_of(calls)


def profiles(store: Reading, calls: Calls, from_ns: int, to_ns: int, limit: int) -> list[Profile]:
    """Return the profiles of calls in that time, as far as their traces are kept."""
    summaries = store.traces(query_for(calls, from_ns, to_ns, limit))
    found: list[Profile] = []
    for spans in store.spans([each.trace_id for each in summaries if each.spans <= 2_000]).values():
        top = next((each for each in spans if is_of(each, calls)), None)
        if top is not None:
            found.append(profile_of(spans, top))
    return found


def cpu_seconds(span: Span) -> float | None:
    """Return the CPU seconds that a span measured, or None."""
    for key in CPU_SECONDS:
        value = span.attributes.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None
