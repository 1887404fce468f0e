# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Fewer points that look the same."""

from __future__ import annotations

from collections.abc import Sequence


def extremes(times: Sequence[float], values: Sequence[float], pixels: int) -> list[tuple[float, float]]:
    """
    Return at most four points a pixel: the first, the last, the least and the greatest of each, in order of time.

    Args:
        times: Ascending.
        pixels: At least 1.
    """
    if len(times) <= 4 * pixels:
        return list(zip(times, values, strict=True))
    width = (times[-1] - times[0]) / pixels
    kept: set[int] = set()
    begin = 0
    for pixel in range(pixels):
        end = begin
        right = times[0] + (pixel + 1) * width
        while end < len(times) and (times[end] < right or pixel == pixels - 1):
            end += 1
        if end > begin:
            inside = range(begin, end)
            kept |= {begin, end - 1, min(inside, key=values.__getitem__), max(inside, key=values.__getitem__)}
        begin = end
    return [(times[index], values[index]) for index in sorted(kept)]
