# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Unpacking what strangers packed."""

from __future__ import annotations

import zlib

__all__ = ("MAX_BODY_BYTES", "TooLargeError", "inflate")

MAX_BODY_BYTES = 16 << 20
"""Of one request, before and after compression. Exporters send less; the Collector takes 20 MiB."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class TooLargeError(Exception):
    """A request that is larger than `MAX_BODY_BYTES`."""


def inflate(body: bytes, limit: int = MAX_BODY_BYTES) -> bytes:
    """
    Return what gzip or zlib packed.

    Never more than ``limit`` bytes are made: a bomb goes off as TooLargeError.

    Errors: zlib.error, TooLargeError, ValueError for what is cut off.
    """
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    plain = unpacker.decompress(body, limit + 1)
    if len(plain) > limit:
        raise TooLargeError
    # gzip allows several members one after the other; exporters write one.
    while unpacker.eof and unpacker.unused_data:
        unpacker, rest = zlib.decompressobj(_GZIP_OR_ZLIB), unpacker.unused_data
        plain += unpacker.decompress(rest, limit + 1 - len(plain))
        if len(plain) > limit:
            raise TooLargeError
    if not unpacker.eof:
        raise ValueError("the compressed body is cut off")
    return plain
