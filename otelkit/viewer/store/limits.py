# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How much the store takes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Limits",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    Bounds of the store; what is beyond is refused and counted, or ages out.

    Attributes:
        held_bytes: Size of the file, beyond which the oldest goes.
        retention_s: Age at which points and spans go.
        raw_s: Age at which points go that are merged to steps of a minute and longer.
        series: Series in all.
        series_of_metric: Series of one metric: one label that explodes must not take everybody's room.
        label_bytes: Labels of all series together, as they are stored.
        layouts: Different bounds of buckets.
        buckets: Buckets of one histogram point.
        spans_of_trace: Spans of one trace.
        skew_s: How far in the future times may lie.
        head_bytes: Points in memory, beyond which they are packed into blocks.
        head_s: Age at which they are, in any case.
    """

    held_bytes: int = 1 << 30
    retention_s: float = 30 * 86_400.0
    raw_s: float = 86_400.0
    series: int = 25_000
    series_of_metric: int = 12_500
    label_bytes: int = 16 << 20
    layouts: int = 2_000
    buckets: int = 1_000
    spans_of_trace: int = 20_000
    skew_s: float = 3_600.0
    head_bytes: int = 16 << 20
    head_s: float = 600.0
