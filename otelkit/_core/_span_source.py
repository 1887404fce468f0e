# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Which span an observation was taken in, for exemplars.

The core knows no tracing library: whoever does installs a look-up here.
"""

from __future__ import annotations

from collections.abc import Callable

SpanIds = tuple[int, int]
"""Trace id and span id."""

Lookup = Callable[[], SpanIds | None]


def _no_span() -> SpanIds | None:
    return None


class SpanSource:
    """
    Where `Cell.capture` asks for the current span.

    Attributes:
        current: Returns the ids of the span that makes an exemplar worth
            keeping (by default: a sampled one), or None. Must not raise.
        enabled: False: cells never ask.
    """

    __slots__ = ("current", "enabled")

    def __init__(self) -> None:
        self.current: Lookup = _no_span
        self.enabled = True


span_source = SpanSource()
