# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The time that a page shows, and the axis on which everything with a time lies."""

from __future__ import annotations

import msgspec


class Axis(msgspec.Struct, kw_only=True):
    """
    Equal steps of time. Every array on it has ``count`` entries; null is a gap.

    Attributes:
        start: Left edge of the first step, Unix seconds; a multiple of ``step``.
        step: Length of a step, in seconds.
        count: Number of steps; entry i covers start + i * step up to the next one.
    """

    start: float
    step: float
    count: int


class Range(msgspec.Struct, kw_only=True):
    """
    The time that was asked for, resolved.

    Attributes:
        start: Unix seconds.
        end: Unix seconds.
        now: The server's clock, Unix seconds.
        live: Whether the range ends now and moves with it.
        retained: Time of the oldest thing kept, Unix seconds; null with nothing stored.
        axis: The steps of everything in this answer that has a time.
        ignored: Terms of the filter that do not apply to the metrics of this page, each with the reason.
    """

    start: float
    end: float
    now: float
    live: bool
    retained: float | None
    axis: Axis
    ignored: list[Ignored] = []


class Ignored(msgspec.Struct, kw_only=True):
    """A term of the filter that something on the page has no use for."""

    term: str
    reason: str
