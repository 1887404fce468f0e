# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How many items an input holds, without looking at its content."""

from __future__ import annotations

from typing import Any

__all__ = ("rows_of",)


def rows_of(data: Any) -> int | None:
    """
    Return the length of the first dimension; None where there is none.

    Args:
        data: An array, tensor, sparse matrix, data frame or list. Nothing is
            converted: no copy, and no wait for a device.
    """
    shape = getattr(data, "shape", None)
    try:
        if shape is not None:
            return int(shape[0]) if len(shape) else None
        return len(data) if isinstance(data, (list, tuple)) or hasattr(data, "__array__") else None
    except Exception:
        return None
