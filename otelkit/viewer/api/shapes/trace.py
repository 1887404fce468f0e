# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Traces: searched, and one of them."""

from __future__ import annotations

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.finding import Headline, Part
from otelkit.viewer.api.shapes.line import Line

Scalar = str | int | float | bool | None


class TraceRow(msgspec.Struct, kw_only=True):
    """
    One trace in a list.

    Attributes:
        name: Of its root span; of the first kept one if the root never arrived, then ``rootless``.
        start: Unix seconds.
        duration: Seconds, from first start to last end of its spans.
        errors: Spans that failed.
        failed: Whether the root failed.
        cpu: CPU seconds of its spans, null where none was measured.
    """

    trace_id: str
    name: str
    service: str
    start: float
    duration: float
    spans: int
    services: int
    errors: int
    failed: bool
    cpu: float | None = None
    rootless: bool = False


class TracePoint(msgspec.Struct, kw_only=True):
    """One dot of the scatter: start in Unix seconds, duration in seconds."""

    time: float
    duration: float
    failed: bool
    trace_id: str


class TraceGroup(msgspec.Struct, kw_only=True):
    """Traces of one root name, over those that match: durations in seconds."""

    name: str
    service: str
    count: int
    errors: int
    p50: float
    p95: float
    slowest: str


class Traces(msgspec.Struct, kw_only=True):
    """
    A search.

    Attributes:
        total: Traces that match, ``total_at_least`` where counting stopped.
        points: At most 2,000, the slowest and the failed ones first kept.
        rows: As many as asked for, in the order asked for.
        cursor: To be given back for the next rows; null at the end.
    """

    range: Range
    headline: Headline
    total: int
    total_at_least: bool
    points: list[TracePoint]
    rows: list[TraceRow]
    groups: list[TraceGroup]
    cursor: str | None


class SpanEvent(msgspec.Struct, kw_only=True):
    """Something that happened in a span; ``offset`` in seconds from the trace's start."""

    offset: float
    name: str
    attributes: dict[str, Scalar]
    failed: bool = False


class SpanLink(msgspec.Struct, kw_only=True):
    """A span of this or another trace that belongs to it; ``kept``: whether that trace can be opened."""

    trace_id: str
    span_id: str
    attributes: dict[str, Scalar]
    kept: bool = False
    name: str | None = None


class Span(msgspec.Struct, kw_only=True):
    """
    One span, in the order of the waterfall.

    Attributes:
        depth: 0 for roots.
        offset: Seconds from the trace's start.
        detail: What tells it from its siblings of the same name: "attempt 2"; empty if nothing has to.
        cpu: CPU seconds, null where not measured: never 0 for "unknown".
        kind: internal, server, client, producer or consumer.
        failed: Status error.
        sentence: "Waited 726 of 727 ms off the CPU; …", made of what was measured.
        path: Pieces on the critical path, [start, end] in seconds from the trace's start.
        own: Seconds not covered by its children.
        shift: Seconds by which it lies outside of its parent in another process: the clocks differ by at least
            that much. Null if it does not. Offsets are never corrected.
        folded: Siblings of the same name that this row stands for, itself included; 1 if it stands for itself.
        folded_sum: Seconds of all of them.
        masked: Keys whose values were masked before they were sent.
    """

    span_id: str
    parent_id: str | None
    name: str
    detail: str
    service: str
    instance: str | None
    scope: str
    kind: str
    depth: int
    offset: float
    duration: float
    cpu: float | None
    own: float
    failed: bool
    error_type: str | None
    message: str
    sentence: list[Part]
    attributes: dict[str, Scalar]
    masked: list[str]
    events: list[SpanEvent]
    links: list[SpanLink]
    path: list[tuple[float, float]]
    shift: float | None = None
    folded: int = 1
    folded_sum: float | None = None


class PathPiece(msgspec.Struct, kw_only=True):
    """
    A stretch of the critical path, in the order of time; neighbours of one span are one piece.

    Attributes:
        span_id: The span that the time belongs to.
        label: What to write below it.
        offset: Seconds from the trace's start.
        share: Of the trace's duration, 0 to 1.
        leaf: Whether the span has no children: else it is the span's own code, or waiting.
    """

    span_id: str
    label: str
    service: str
    offset: float
    duration: float
    share: float
    leaf: bool


class Difference(msgspec.Struct, kw_only=True):
    """
    Spans of one name, here and usually.

    Attributes:
        here: Seconds of all of them in this trace; null if it is missing here.
        calls: How many here.
        usual: Median over the usual traces, seconds; null if it is new.
        usual_calls: Median count.
        difference: here - usual, in seconds.
        on_path: Whether any of them is on the critical path.
        note: "2 calls, usually 1", "not in the usual trace", "missing here"; may be empty.
    """

    name: str
    service: str
    here: float | None
    calls: int
    usual: float | None
    usual_calls: float | None
    difference: float
    on_path: bool
    note: str


class UsualTrace(msgspec.Struct, kw_only=True):
    """
    The comparison with traces of the same root that succeeded.

    Attributes:
        traces: How many; from 20 on.
        duration: Their median, seconds.
        factor: This trace's duration divided by that.
        rows: Largest difference first, at most 40.
    """

    traces: int
    duration: float
    factor: float
    rows: list[Difference]


class Trace(msgspec.Struct, kw_only=True):
    """
    One trace.

    Attributes:
        start: Unix seconds of its first span.
        duration: Seconds to the end of its last one.
        cpu: CPU seconds of all spans that measured it; null if none did.
        errors: Failed spans; ``error_types`` how many of each.
        rootless: Its root never arrived.
        complete: False while spans whose children came are missing.
        truncated: Spans beyond what is shown (10,000).
        usual: Null if too few are kept; ``usual_note`` then says how many there are.
        absent: What could be known but was not recorded, with the setting that ends it.
    """

    trace_id: str
    name: str
    service: str
    start: float
    duration: float
    spans: list[Span]
    services: list[str]
    errors: int
    error_types: dict[str, int]
    failed: bool
    cpu: float | None
    rootless: bool
    complete: bool
    truncated: int
    path: list[PathPiece]
    usual: UsualTrace | None
    usual_note: str
    absent: list[str]


class MomentLine(msgspec.Struct, kw_only=True):
    """
    A metric while the span ran.

    Attributes:
        metric: OpenTelemetry's name, to open on the Metrics page.
        why: "its own series", "same process", "shares user_tier".
        here: Value at the span's time.
    """

    metric: str
    why: str
    line: Line
    here: float | None


class Moment(msgspec.Struct, kw_only=True):
    """
    Up to five metrics around a span: those outside of their usual range first.

    Attributes:
        start, end: The span's own time, Unix seconds, to be shaded.
    """

    range: Range
    span_id: str
    start: float
    end: float
    lines: list[MomentLine]


class Excess(msgspec.Struct, kw_only=True):
    """A label or attribute that is over-represented: shares from 0 to 1."""

    key: str
    value: str
    inside: float
    outside: float


class Cell(msgspec.Struct, kw_only=True):
    """
    What is known about cells of a heatmap.

    Attributes:
        count: Calls in there, of ``of`` in the same time.
        traces: Kept traces in there, slowest first, at most 100.
        excess: Attributes that are more frequent inside than outside, most telling first.
        note: Why ``excess`` is empty: "12 kept traces are too few to compare, 20 are needed".
    """

    count: int
    of: int
    traces: list[TraceRow]
    excess: list[Excess]
    note: str
