# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What otelkit costs, what it lost, what arrives here: otelkit's own page, and the page of nothing yet."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.finding import Finding, Headline
from otelkit.viewer.api.shapes.frame import OwnCost, Sender
from otelkit.viewer.api.shapes.line import Line, Quantile


class Loss(msgspec.Struct, kw_only=True):
    """
    Items that were lost.

    Attributes:
        what: dropped, overflowed, failed or refused.
        item: The metric it is about, or spans.
        reason: In words.
        count: In the range.
        sender: Who lost them; "this viewer" for what was refused here.
    """

    what: Literal["dropped", "overflowed", "failed", "refused"]
    item: str
    reason: str
    count: int
    sender: str


class Export(msgspec.Struct, kw_only=True):
    """One exporter of one sender; ``p95`` of sending, in seconds."""

    sender: str
    exporter: str
    outcomes: dict[str, int]
    p95: Quantile | None
    queue: float | None
    queue_limit: float | None
    buffer_bytes: float | None


class Explosion(msgspec.Struct, kw_only=True):
    """A metric with very many label sets, and the label that makes them."""

    metric: str
    series: int
    label: str
    values: int
    examples: list[str]


class Kept(msgspec.Struct, kw_only=True):
    """What the store holds, and its limits: bytes, and seconds of age."""

    folder: str | None
    spans: int
    traces: int
    series: int
    points: int
    bytes: int
    oldest: float | None
    limit_bytes: int | None
    limit_age_s: float | None


class Health(msgspec.Struct, kw_only=True):
    """otelkit's own page."""

    range: Range
    headline: Headline
    findings: list[Finding]
    own: OwnCost
    cpu: list[Line]
    memory: Line | None
    losses: list[Loss]
    exports: list[Export]
    explosions: list[Explosion]
    kept: Kept


class Listening(msgspec.Struct, kw_only=True):
    """One way in: ``what`` is "OTLP over HTTP", ``where`` its address, ``problem`` why it is closed, else empty."""

    what: str
    where: str
    problem: str = ""


class Refusal(msgspec.Struct, kw_only=True):
    """What was refused, why, how often, and what to do."""

    reason: str
    count: int
    remedy: str


class Status(msgspec.Struct, kw_only=True):
    """
    Whether anything arrives: the page of nothing yet, and the banner of a lost connection.

    Attributes:
        version: Of otelkit.
        started: Unix seconds.
        access: "loopback, with token".
        empty: Nothing was stored yet.
        arrived: Requests, spans and points received since the start.
        endpoint: What to set OTEL_EXPORTER_OTLP_ENDPOINT to.
        headers: What to set OTEL_EXPORTER_OTLP_HEADERS to, empty if nothing; with "…" in place of the key.
        replayed: The recording that is shown, else null.
    """

    version: str
    now: float
    started: float
    listening: list[Listening]
    access: str
    empty: bool
    first: float | None
    last: float | None
    arrived: dict[str, int]
    refused: list[Refusal]
    senders: list[Sender]
    endpoint: str
    headers: str
    kept: Kept
    replayed: str | None


class Suggestion(msgspec.Struct, kw_only=True):
    """
    One completion of the filter, or one place to jump to.

    Attributes:
        text: What the filter becomes.
        kind: key, value or page.
        detail: "label of 12 metrics", "412 traces".
        route: Where to jump to, for pages.
    """

    text: str
    kind: Literal["key", "value", "page"]
    detail: str
    route: str | None = None


class Suggestions(msgspec.Struct, kw_only=True):
    """At most ``limit``, best first."""

    suggestions: list[Suggestion]


class Loaded(msgspec.Struct, kw_only=True):
    """
    What became of a recording.

    Attributes:
        lines: Lines that are now stored.
        start, end: The earliest and latest time in them, Unix seconds; null if they hold none.
        notes: What was not loaded, in half sentences.
    """

    lines: int
    start: float | None
    end: float | None
    notes: list[str]


class Problem(msgspec.Struct, kw_only=True):
    """
    Why a request was refused.

    Attributes:
        error: invalid, not_found, unauthorized, forbidden, too_large, too_slow, busy,
            storage or failed.
        message: What was expected, what came, and where.
        remedy: What to do; may be empty.
    """

    error: str
    message: str
    remedy: str = ""
