# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a request may ask: one class per kind of question, from which OpenAPI and the checks come."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Time = Annotated[
    str,
    Meta(
        pattern=(
            r"^(now|-[0-9]{1,7}(\.[0-9]{1,3})?(ms|s|m|h|d)|[0-9]{1,10}(\.[0-9]{1,9})?"
            r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2}))$"
        ),
        description='"now", relative to it ("-15m", "-2h"), Unix seconds, or ISO 8601 with a zone.',
        examples=["-15m", "now", "2026-11-22T14:30:00Z"],
    ),
]
Filter = Annotated[
    str,
    Meta(
        max_length=2_000,
        description="service:checkout action:charge error.type:* duration>1s user_tier=free -tier=internal",
    ),
]
Text = Annotated[str, Meta(max_length=500)]
Hex16 = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]


class Window(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    The time, its steps and the filter.

    Attributes:
        from_: Left edge.
        to: Right edge.
        columns: Steps wanted at most, normally the width in pixels divided by what a step should be wide. The
            step is the next larger of 1, 2, 5, 10, 15, 30 s, 1, 2, 5, 10, 15, 30 min, 1, 2, 3, 6, 12 h, days.
        step: Seconds, in place of ``columns``.
        q: Filter; terms are joined by "and".
        format: csv gives what is drawn as rows.
        part: With csv: the list or chart in the answer, "services" or "chosen.heatmap"; by default all lines.
    """

    from_: Time = msgspec.field(default="-15m", name="from")
    to: Time = "now"
    columns: Annotated[int, Meta(ge=1, le=3_000)] | None = None
    step: Annotated[float, Meta(ge=0.1, le=31_536_000)] | None = None
    q: Filter = ""
    format: Literal["json", "csv"] = "json"
    part: Text = ""


class Nothing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """No parameters."""


class FrameWindow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    How the ribbon is to be drawn.

    Attributes:
        columns: Bars.
        span: Seconds that the ribbon covers at most; 0 for everything that is retained.
        from_, to: The page's range, over which ``own.dropped`` counts.
    """

    columns: Annotated[int, Meta(ge=1, le=3_000)] = 285
    span: Annotated[float, Meta(ge=0, le=31_536_000)] = 21_600.0
    from_: Time = msgspec.field(default="-15m", name="from")
    to: Time = "now"


class ServiceWindow(Window, kw_only=True, forbid_unknown_fields=True):
    """
    One service's page.

    Attributes:
        action: Key of the action to show in full; by default the first one.
        failures: Only failed calls in the heatmap and its lines.
    """

    action: Text = ""
    failures: bool = False


class CellWindow(Window, kw_only=True, forbid_unknown_fields=True):
    """
    A rectangle in a heatmap: time is ``from`` to ``to``.

    Attributes:
        service, action: As on the service's page.
        low, high: Edges in seconds; without ``high``: no limit.
    """

    service: Text
    action: Text = ""
    low: Annotated[float, Meta(ge=0)] = 0.0
    high: Annotated[float, Meta(ge=0)] | None = None


class TraceSearch(Window, kw_only=True, forbid_unknown_fields=True):
    """
    A search for traces. What the filter ``q`` says and what these say must both hold.

    Attributes:
        service: A span of this service is in it.
        name: Name of the root span.
        span: Name of any span.
        min_duration, max_duration: Seconds.
        failed: Whether a span failed.
        sort: Order of the rows.
        cursor: From the answer before.
    """

    service: Text = ""
    name: Text = ""
    span: Text = ""
    min_duration: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    max_duration: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    failed: bool | None = None
    sort: Literal["newest", "slowest"] = "newest"
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
    cursor: Text = ""


class TraceShown(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    One trace.

    Attributes:
        fold: From 500 spans on, fold siblings of equal name into one row.
        usual: Compare with the usual trace.
    """

    fold: bool = True
    usual: bool = True
    format: Literal["json", "csv"] = "json"
    part: Text = ""


class MomentWindow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    The metrics around one span.

    Attributes:
        span: Span id.
        minutes: On either side.
        columns: Steps of the axis.
    """

    span: Hex16
    minutes: Annotated[float, Meta(gt=0, le=1_440)] = 8.0
    columns: Annotated[int, Meta(ge=1, le=3_000)] = 96


class MetricSearch(Window, kw_only=True, forbid_unknown_fields=True):
    """
    The catalogue.

    Attributes:
        search: Part of a name or description; several words must all be there.
        limit, offset: Rows.
    """

    search: Text = ""
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 200
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class MetricWindow(Window, kw_only=True, forbid_unknown_fields=True):
    """
    One metric.

    Attributes:
        by: Label to split by: the eight heaviest values, and others.
        view: By default what the kind asks for: counters rate, gauges value, histograms heatmap.
        quantile: With view quantile.
        instance: Only of this service.instance.id.
    """

    by: Text = ""
    view: Literal["", "rate", "increase", "value", "quantile", "heatmap", "count"] = ""
    quantile: Annotated[float, Meta(ge=0, le=1)] = 0.95
    instance: Text = ""


class Completion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    What could come next in the filter bar.

    Attributes:
        q: The text up to the caret.
        limit: Suggestions.
    """

    q: Filter = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 12


class StreamPage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """
    What to follow.

    Attributes:
        page: Path and query of the page, relative to /api/v1/: "services/checkout?from=-15m&action=charge". Empty:
            the frame alone.
        every: Seconds between steps.
        columns: Bars of the ribbon.
    """

    page: Annotated[str, Meta(max_length=4_000)] = ""
    every: Annotated[float, Meta(ge=0.5, le=60)] = 2.0
    columns: Annotated[int, Meta(ge=1, le=3_000)] = 285
