# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Columns of numbers as bytes, and back.

What stays the same or grows by little from one point of a series to its next (times, counts, buckets) is kept as
differences, in the narrowest integers that hold them; a column that takes few values (the times of 500 series which
one report brought, the starts of their processes) as those values and which of them each point has. Then zlib at its
fastest. Sixteen million numbers are unpacked in a second, a hundred times as fast as point by point.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ("DAMAGED", "Array", "pack", "pack_list", "unpack", "unpack_list")

Array = npt.NDArray[Any]

_LEVEL = 1
_LENGTH = 4
_FEW = 4
"""A column of so many times fewer values than points is kept as values and places."""
_EXACT = float(1 << 53)
"""Below it every whole float is an integer."""
FRACTION = 64.0
"""Between two reports counts are fractions of calls: kept in 64ths, so that they stay narrow."""

DAMAGED = (zlib.error, ValueError, IndexError, TypeError, msgspec.DecodeError)
"""What unpacking raises for bytes that a disk did not keep; such a block is left alone, and all others go on."""


class _Packed(msgspec.Struct, array_like=True):
    """
    One column: how it was made, and the arrays that it was made into.

    Attributes:
        way: plain, steps, whole (floats that are integers), parts (floats that are 64ths), places.
    """

    way: str
    shapes: list[tuple[str, tuple[int, ...]]]


class _Arrays(NamedTuple):
    way: str
    arrays: list[Array]


def pack(columns: Sequence[Array], offsets: Array) -> bytes:
    """
    Return columns as bytes.

    Args:
        offsets: Where each series begins, and the end.
    """
    made = [_Arrays("plain", [offsets]), *(_made(column, offsets) for column in columns)]
    header = msgspec.msgpack.encode(
        [_Packed(each.way, [(array.dtype.str, array.shape) for array in each.arrays]) for each in made]
    )
    bodies = [np.ascontiguousarray(array).tobytes() for each in made for array in each.arrays]
    # All in one: zlib's checksum tells of damage to any of it.
    return zlib.compress(b"".join((len(header).to_bytes(_LENGTH, "little"), header, *bodies)), _LEVEL)


def unpack(body: bytes) -> tuple[list[Array], Array]:
    """Return the columns and the offsets. Errors: `DAMAGED`."""
    plain = zlib.decompress(body)
    at = _LENGTH + int.from_bytes(plain[:_LENGTH], "little")
    header = _decoder.decode(plain[_LENGTH:at])
    columns: list[Array] = []
    offsets: Array | None = None
    for packed in header:
        arrays = []
        for code, shape in packed.shapes:
            count = int(np.prod(shape))
            arrays.append(np.frombuffer(plain, dtype=code, count=count, offset=at).reshape(shape))
            at += count * np.dtype(code).itemsize
        column = _restored(packed.way, arrays, offsets)
        if offsets is None:
            offsets = column
        else:
            columns.append(column)
    if offsets is None:
        raise ValueError("no offsets")
    return columns, offsets


_decoder = msgspec.msgpack.Decoder(list[_Packed])


def pack_list(points: object) -> bytes:
    """Return points whose shape changes as bytes."""
    return zlib.compress(msgspec.msgpack.encode(points), _LEVEL)


def unpack_list(body: bytes, shape: Any) -> Any:
    """Return what `pack_list` was given. Errors: `DAMAGED`."""
    return msgspec.msgpack.decode(zlib.decompress(body), type=shape)


def _made(column: Array, offsets: Array) -> _Arrays:
    if len(column) != offsets[-1] or not len(column):
        return _Arrays("plain", [column])
    if column.dtype.kind == "f":
        return _made_of_floats(column, offsets)
    if column.ndim == 1:
        values, places = np.unique(column, return_inverse=True)
        if len(values) * _FEW < len(column):
            return _Arrays("places", [values, *_steps(places, offsets)])
    return _Arrays("steps", _steps(column, offsets))


def _made_of_floats(column: Array, offsets: Array) -> _Arrays:
    if bool(np.all(np.abs(column) < _EXACT / FRACTION)):  # not so for NaN
        for way, scale in (("whole", 1.0), ("parts", FRACTION)):
            scaled = column * scale
            if bool(np.all(scaled == np.floor(scaled))) and not bool(np.any(np.signbit(column) & (column == 0))):
                return _Arrays(way, _steps(scaled.astype(np.int64), offsets))
    bits = column.view(np.int64)
    if column.ndim == 1:
        values, places = np.unique(bits, return_inverse=True)
        if len(values) * _FEW < len(column):
            return _Arrays("bits", [values, *_steps(places, offsets)])
    # The bytes of equal weight side by side, as Blosc's shuffle does.
    return _Arrays("shuffled", [np.ascontiguousarray(bits.reshape(-1, 1).view(np.uint8).T), np.array(column.shape)])


def _steps(column: Array, offsets: Array) -> list[Array]:
    """Return the first number of each series, and the differences of all others."""
    begins = offsets[:-1]
    first = column[begins]
    differences = np.diff(column, axis=0)
    rest = np.delete(differences, begins[1:] - 1, axis=0) if len(begins) > 1 else differences
    return [_narrow(first), _narrow(rest)]


def _narrow(numbers: Array) -> Array:
    if not numbers.size:
        return numbers.astype(np.int8)
    low, high = int(numbers.min()), int(numbers.max())
    for code in (np.int8, np.int16, np.int32):
        limits = np.iinfo(code)
        if limits.min <= low and high <= limits.max:
            return numbers.astype(code)
    return numbers


def _restored(way: str, arrays: Sequence[Array], offsets: Array | None) -> Array:
    if way == "plain":
        return arrays[0]
    if offsets is None:
        raise ValueError("no offsets")
    if way in ("places", "bits"):
        column = arrays[0][_summed(arrays[1], arrays[2], offsets)]
        return column if way == "places" else column.view(np.float64)
    if way == "shuffled":
        bits = np.ascontiguousarray(arrays[0].T).view(np.int64)
        return bits.view(np.float64).reshape(tuple(arrays[1].tolist()))
    if way == "steps":
        return _summed(arrays[0], arrays[1], offsets)
    # Whole numbers below 2**53 add up exactly as floats.
    column = _summed(arrays[0], arrays[1], offsets, np.float64)
    return column if way == "whole" else column / FRACTION


def _summed(first: Array, rest: Array, offsets: Array, code: Any = np.int64) -> Array:
    """Undo `_steps`: differences of a series begin at its first number."""
    begins, count = offsets[:-1], int(offsets[-1])
    steps = np.zeros((count, *first.shape[1:]), dtype=code)
    inside = np.ones(count, dtype=np.bool_)
    inside[begins] = False
    steps[inside] = rest
    steps[begins] = first
    # One sum over all series: what one ends with is taken away where the next begins.
    if len(begins) > 1:
        ends = np.add.reduceat(steps, begins, axis=0)[:-1]
        steps[begins[1:]] -= ends
    return np.cumsum(steps, axis=0, out=steps)
