# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Points of one series in memory, as growing columns, until they are packed in a block with those of others."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from otelkit.viewer.store.flat import Flat
from otelkit.viewer.store.packing import Array

__all__ = ("Head", "HistogramHead", "ListHead", "NumberHead", "flat_of", "head_of")


class NumberHead:
    """Points of a gauge or sum."""

    __slots__ = ("starts_ns", "times_ns", "values")
    layout_id = 0
    names = ("times_ns", "starts_ns", "values")

    def __init__(self) -> None:
        self.times_ns: array[int] = array("q")
        self.starts_ns: array[int] = array("q")
        self.values: array[float] = array("d")

    def __len__(self) -> int:
        return len(self.times_ns)

    @property
    def used_bytes(self) -> int:
        """About what it takes."""
        return 24 * len(self.times_ns)


class HistogramHead:
    """Points of a histogram, all with the same bounds."""

    __slots__ = ("bounds", "buckets", "counts", "layout_id", "maxima", "minima", "starts_ns", "sums", "times_ns")
    names = ("times_ns", "starts_ns", "counts", "sums", "minima", "maxima", "buckets")

    def __init__(self, layout_id: int, bounds: tuple[float, ...]) -> None:
        self.layout_id = layout_id
        self.bounds = bounds
        self.times_ns: array[int] = array("q")
        self.starts_ns: array[int] = array("q")
        self.counts: array[int] = array("q")
        self.sums: array[float] = array("d")
        self.minima: array[float] = array("d")
        self.maxima: array[float] = array("d")
        self.buckets: array[int] = array("q")

    def __len__(self) -> int:
        return len(self.times_ns)

    @property
    def used_bytes(self) -> int:
        """About what it takes."""
        return (48 + 8 * (len(self.bounds) + 1)) * len(self.times_ns)


class ListHead:
    """Points whose shape changes from one to the next: exponential histograms and summaries."""

    __slots__ = ("points",)
    layout_id = 0

    def __init__(self) -> None:
        self.points: list[Any] = []

    def __len__(self) -> int:
        return len(self.points)

    @property
    def used_bytes(self) -> int:
        """About what it takes."""
        return 800 * len(self.points)


Head = NumberHead | HistogramHead | ListHead


def head_of(kind: str, layout_id: int, bounds: tuple[float, ...]) -> Head:
    """Return an empty head for a series of that kind."""
    if kind == "histogram":
        return HistogramHead(layout_id, bounds)
    return NumberHead() if kind in ("gauge", "sum") else ListHead()


def flat_of(heads: Sequence[tuple[int, Any]]) -> dict[int, Flat]:
    """
    Return copies of the points of heads by layout: number heads, or histogram heads, with their series' ids ascending.

    Points of one series may be out of order, and a series may come twice: `flat.joined` puts them right.
    """
    by_layout: dict[int, list[tuple[int, Any]]] = {}
    for number, head in heads:
        if len(head):
            by_layout.setdefault(head.layout_id, []).append((number, head))
    return {layout: _flat_of(those) for layout, those in by_layout.items()}


def _flat_of(heads: Sequence[tuple[int, Any]]) -> Flat:
    of = [head for _, head in heads]
    lengths = np.fromiter(map(len, of), dtype=np.int64, count=len(of))
    columns = {name: _chained([getattr(head, name) for head in of]) for name in of[0].names}
    if "buckets" in columns:
        columns["buckets"] = columns["buckets"].reshape(int(lengths.sum()), -1).astype(np.float64)
        columns["counts"] = columns["counts"].astype(np.float64)
    series = np.fromiter((number for number, _ in heads), dtype=np.int64, count=len(of))
    return Flat(series, np.concatenate(([0], np.cumsum(lengths))), columns)


def _chained(columns: Iterable[array[Any]]) -> Array:
    columns = list(columns)
    return np.frombuffer(b"".join(columns), dtype=columns[0].typecode)


def not_a_number(value: float | None) -> float:
    """Return the value, or NaN for what was not sent."""
    return math.nan if value is None else value
