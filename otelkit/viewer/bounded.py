# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is remembered of what strangers send: never more than so many bytes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ("Remembered",)

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_ENTRY_BYTES = 200
"""About what an entry takes besides its key and value."""


class Remembered(Generic[Key, Value]):
    """
    A cache that forgets everything when it is full; for one thread.

    Senders repeat a few things, which are back at once; what fills it is never seen again.

    Args:
        limit_bytes: Of what `put` is told.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._entries: dict[Key, Value] = {}
        self.get = self._entries.get

    def put(self, key: Key, value: Value, size: int) -> None:
        """Remember a value; ``size`` is that of key and value."""
        if self._bytes + size + _ENTRY_BYTES > self._limit_bytes:
            self.clear()
        self._entries[key] = value
        self._bytes += size + _ENTRY_BYTES

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0
