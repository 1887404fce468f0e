# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Which attributes a trace may contain, in 384 bits.

A Bloom filter of the attributes, names and services of a trace's spans. A search for an attribute asks it first, in
SQL, and reads only traces that may have it: no index row for each attribute of each span, and of traces with 20
different attributes 1 in 700 is read in vain.

What is hashed is an attribute's encoded form, so that nothing is decoded when spans come in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otelkit.viewer.bounded import Remembered

__all__ = ("WORDS", "alternatives", "attribute_mask", "mask_of", "name_token", "service_token", "words_of")

WORDS = 6
"""64-bit integers of a signature: columns s0 to s5."""

_HASHES = 4
_BITS = WORDS * 64
_REMEMBERED_BYTES = 8 << 20
_KEY_FIRST = b"\n"

_masks: Remembered[bytes, int] = Remembered(_REMEMBERED_BYTES)


def mask_of(token: bytes) -> int:
    """Return the bits of one token."""
    mask = _masks.get(token)
    if mask is None:
        digest = hashlib.blake2b(token, digest_size=2 * _HASHES).digest()
        mask = 0
        for at in range(0, 2 * _HASHES, 2):
            mask |= 1 << (int.from_bytes(digest[at : at + 2], "little") % _BITS)
        _masks.put(token, mask, len(token))
    return mask


def attribute_mask(encoded: bytes) -> int:
    """
    Return the bits of an encoded attribute.

    Fields may be written in any order. SDKs write the key first; the Collector writes it last, and is decoded.
    """
    mask = _masks.get(encoded)
    if mask is None:
        if encoded.startswith(_KEY_FIRST):
            return mask_of(encoded)
        mask = mask_of(KeyValue.FromString(encoded).SerializeToString())
        _masks.put(encoded, mask, len(encoded))
    return mask


def words_of(mask: int) -> tuple[int, ...]:
    """Return a signature's columns: signed, as SQLite's integers are."""
    return tuple(_signed(mask >> (64 * index) & 0xFFFF_FFFF_FFFF_FFFF) for index in range(WORDS))


def mask_from(words: Iterable[int]) -> int:
    """Return the signature whose columns these are."""
    return sum((word & 0xFFFF_FFFF_FFFF_FFFF) << (64 * index) for index, word in enumerate(words))


def name_token(name: str) -> bytes:
    """Return the token of a span's name; no encoded attribute begins with N or S."""
    return b"N" + name.encode()


def service_token(service: str) -> bytes:
    """Return the token of a span's service."""
    return b"S" + service.encode()


def alternatives(key: str, value: str | bool | int | float) -> list[bytes]:
    """Return the tokens of what is found by this value; text also finds numbers and booleans written so."""
    values = [AnyValue(string_value=value)] if isinstance(value, str) else []
    number = _number(value) if isinstance(value, str) else value
    if isinstance(value, str) and value in ("true", "false"):
        values.append(AnyValue(bool_value=value == "true"))
    elif isinstance(number, bool):
        values.append(AnyValue(bool_value=number))
    elif isinstance(number, (int, float)):
        if number == int(number) and abs(number) < 1 << 63:
            values.append(AnyValue(int_value=int(number)))
        values.append(AnyValue(double_value=float(number)))
    return [KeyValue(key=key, value=each).SerializeToString() for each in values]


def _number(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if number - number != 0.0:
        return None
    return int(text) if text.lstrip("+-").isdecimal() else number


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
