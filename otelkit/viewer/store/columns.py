# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Points of one series, as columns: growing in memory, packed in a chunk.

A chunk's body is its columns one after the other, the bytes of equal weight side by side (as Blosc's shuffle does),
then zlib at its fastest. Times and values of neighbours differ in their low bytes only: 24 bytes of a point become
about 6, and unpacking costs 30 us for 500 points.
"""

from __future__ import annotations

import math
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from otelkit.viewer.store.model import ExponentialPoint, Histograms, Numbers, SummaryPoint

__all__ = ("Head", "HistogramHead", "ListHead", "NumberHead", "head_of", "unpack_points")

_LEVEL = 1
_WIDTH = 8
_UNSET = -1


class NumberHead:
    """Points of a gauge or sum."""

    __slots__ = ("starts_ns", "times_ns", "values")
    layout_id = 0

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

    def columns(self) -> list[array[Any]]:
        """All columns, in the order in which they are packed."""
        return [self.times_ns, self.starts_ns, self.values]

    def extend(self, columns: Sequence[array[Any]]) -> None:
        """Add points."""
        for own, added in zip(self.columns(), columns, strict=True):
            own.extend(added)

    def to_points(self) -> Numbers:
        """Return a copy, in the order of arrival."""
        values = self.values[:]
        return Numbers(
            self.times_ns[:], self.starts_ns[:], values, values, values, array("q", (1,)) * len(self.times_ns)
        )


class HistogramHead:
    """Points of a histogram, all with the same bounds."""

    __slots__ = ("bounds", "buckets", "counts", "layout_id", "maxima", "minima", "starts_ns", "sums", "times_ns")

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

    def columns(self) -> list[array[Any]]:
        """All columns, in the order in which they are packed."""
        return [self.times_ns, self.starts_ns, self.counts, self.sums, self.minima, self.maxima, self.buckets]

    def extend(self, columns: Sequence[array[Any]]) -> None:
        """Add points."""
        for own, added in zip(self.columns(), columns, strict=True):
            own.extend(added)

    def to_points(self) -> Histograms:
        """Return a copy, in the order of arrival."""
        times, starts, counts, sums, minima, maxima, buckets = (column[:] for column in self.columns())
        merged = array("q", (1,)) * len(times)
        return Histograms(self.bounds, times, starts, counts, sums, minima, maxima, buckets, merged)


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

    def to_points(self) -> list[Any]:
        """Return a copy, in the order of arrival."""
        return self.points[:]


Head = NumberHead | HistogramHead | ListHead


def head_of(kind: str, layout_id: int, bounds: tuple[float, ...]) -> Head:
    """Return an empty head for a series of that kind."""
    if kind == "histogram":
        return HistogramHead(layout_id, bounds)
    return NumberHead() if kind in ("gauge", "sum") else ListHead()


def pack(columns: Sequence[array[Any]]) -> bytes:
    """Return a chunk's body."""
    return zlib.compress(b"".join(_shuffled(column) for column in columns), _LEVEL)


def pack_list(points: Sequence[Any]) -> bytes:
    """Return the body of a chunk of exponential histograms or summaries."""
    return zlib.compress(msgspec.msgpack.encode(points), _LEVEL)


def unpack(body: bytes, points: int, codes: str) -> list[array[Any]]:
    """Return the columns of ``points`` elements each, by their array codes; the last one takes what is left."""
    plain = zlib.decompress(body)
    found: list[array[Any]] = []
    at = 0
    for index, code in enumerate(codes):
        end = at + points * _WIDTH if index < len(codes) - 1 else len(plain)
        column = array(code)
        column.frombytes(_unshuffled(plain[at:end]))
        found.append(column)
        at = end
    return found


DAMAGED = (zlib.error, ValueError, msgspec.DecodeError)
"""What unpacking raises for bytes that a disk did not keep; such a chunk is left alone, and all others go on."""

NUMBER_CODES = "qqd"
MERGED_NUMBER_CODES = "qqdddq"
HISTOGRAM_CODES = "qqqdddq"
MERGED_HISTOGRAM_CODES = "qqqdddqq"


def unpack_points(kind: str, bounds: tuple[float, ...], resolution_ns: int, points: int, body: bytes) -> Any:
    """Return a chunk's points: Numbers, Histograms, or a list."""
    if kind in ("gauge", "sum"):
        if resolution_ns:
            times, starts, values, lows, highs, merged = unpack(body, points, MERGED_NUMBER_CODES)
            return Numbers(times, starts, values, lows, highs, merged)
        times, starts, values = unpack(body, points, NUMBER_CODES)
        return Numbers(times, starts, values, values, values, array("q", (1,)) * points)
    if kind == "histogram":
        if resolution_ns:
            times, starts, counts, sums, minima, maxima, merged, buckets = unpack(body, points, MERGED_HISTOGRAM_CODES)
        else:
            times, starts, counts, sums, minima, maxima, buckets = unpack(body, points, HISTOGRAM_CODES)
            merged = array("q", (1,)) * points
        return Histograms(bounds, times, starts, counts, sums, minima, maxima, buckets, merged)
    shape = ExponentialPoint if kind == "exponential_histogram" else SummaryPoint
    return msgspec.msgpack.decode(zlib.decompress(body), type=list[shape])


def _shuffled(column: array[Any]) -> bytes:
    plain = column.tobytes()
    return b"".join(plain[byte::_WIDTH] for byte in range(_WIDTH))


def _unshuffled(shuffled: bytes) -> bytearray:
    plain, stride = bytearray(len(shuffled)), len(shuffled) // _WIDTH
    for byte in range(_WIDTH):
        plain[byte::_WIDTH] = shuffled[byte * stride : (byte + 1) * stride]
    return plain


def order_of(times_ns: Sequence[int]) -> list[int] | None:
    """
    Return the positions that bring points into order, of several of one time only the last that arrived.

    None where they are in order already, which costs 20 ns a point.
    """
    if _ascending(times_ns):
        return None
    last = {time_ns: position for position, time_ns in enumerate(times_ns)}
    return [last[time_ns] for time_ns in sorted(last)]


def _ascending(times_ns: Sequence[int]) -> bool:
    following: Iterator[int] = iter(times_ns)
    next(following, None)
    return all(map(int.__lt__, times_ns, following))


def not_a_number(value: float | None) -> float:
    """Return the value, or NaN for what was not sent."""
    return math.nan if value is None else value
