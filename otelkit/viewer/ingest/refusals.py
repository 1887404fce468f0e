# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What of a request was not taken, and why: OTLP's partial success."""

from __future__ import annotations

__all__ = ("MAX_LABELS_BYTES", "MAX_NAME_LENGTH", "MAX_RESOURCE_BYTES", "REASONS", "Refusals")

MAX_RESOURCE_BYTES = 64 << 10
MAX_LABELS_BYTES = 16 << 10
"""Of one series."""
MAX_NAME_LENGTH = 1_024
"""Of a metric; the conventions allow 255."""

REASONS = {
    "series_limit": "the viewer holds as many series as it takes: look for a label with too many values",
    "layout_limit": "too many different bounds of histogram buckets",
    "time": "a time of 0, or in the future: look at the sender's clock",
    "too_old": "older than what the viewer retains",
    "invalid": "not what OTLP allows (ids, counts, bounds), or labels or a resource of many kilobytes",
    "temporality": "neither cumulative nor delta",
    "trace_limit": "the trace has as many spans as the viewer takes",
}


class Refusals:
    """Counts by reason, of one request."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, reason: str, items: int = 1) -> None:
        """Count ``items`` more."""
        self.counts[reason] = self.counts.get(reason, 0) + items

    @property
    def total(self) -> int:
        """How many."""
        return sum(self.counts.values())

    @property
    def message(self) -> str:
        """One sentence for whoever sent it."""
        return "; ".join(f"{items} refused: {REASONS[reason]}" for reason, items in self.counts.items())
