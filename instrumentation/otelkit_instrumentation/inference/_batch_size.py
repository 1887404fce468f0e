# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
How many items a call gets: the leading dimension of its first tensor.

Shapes are all that is looked at, never what a tensor holds. A sequence that
comes first in a tensor without batch, or before it, is taken for the batch:
shapes do not say which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ("find_tensor", "items_in")

_DEPTH = 4
"""Containers in containers that are looked into."""


def find_tensor(args: tuple[Any, ...], kwargs: Mapping[str, Any], kind: type) -> Any:
    """Return the first tensor of type ``kind`` among the arguments, in containers too; None without one."""
    for value in (*args, *kwargs.values()):
        found = _tensor_in(value, kind, _DEPTH)
        if found is not None:
            return found
    return None


def items_in(args: tuple[Any, ...], kwargs: Mapping[str, Any], kind: type) -> int | None:
    """Return the number of items, or None if no argument tells it."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, list) and value and isinstance(value[0], kind):
            return len(value)  # one tensor an item, as detectors take images of different sizes
        found = _tensor_in(value, kind, _DEPTH)
        if found is not None:
            return leading(found)
    return None


def leading(tensor: Any) -> int | None:
    """Return the leading dimension; None for a scalar, and where it is only a symbol, as while a graph is traced."""
    shape = tensor.shape
    size = shape[0] if len(shape) else None
    return size if type(size) is int else None


def _tensor_in(value: Any, kind: type, depth: int) -> Any:
    if isinstance(value, kind):
        return value
    if depth and isinstance(value, (list, tuple)):
        inner = value[:1]
    elif depth and isinstance(value, Mapping):  # also transformers' BatchEncoding
        inner = value.values()
    else:
        return None
    return next((found for one in inner if (found := _tensor_in(one, kind, depth - 1)) is not None), None)
