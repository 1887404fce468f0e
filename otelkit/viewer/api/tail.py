# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The last steps of an answer: what a client that follows a page does not have yet."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import msgspec.structs

from otelkit.viewer.api.shapes.axis import Axis, Range
from otelkit.viewer.api.shapes.frame import Ribbon
from otelkit.viewer.api.shapes.heatmap import Heatmap, PixelRow
from otelkit.viewer.api.shapes.line import Line

Answer = TypeVar("Answer")

_ARRAYS: dict[type[Any], tuple[str, ...]] = {
    Line: ("values",),
    Heatmap: ("counts",),
    PixelRow: ("values",),
    Ribbon: ("counts", "failed"),
}
"""Which fields lie on the axis."""


def cut(answer: Answer, axis: Axis, count: int) -> Answer:
    """
    Return an answer with the last ``count`` steps of everything that lies on its axis.

    Nothing that was given is changed.
    """
    short = Axis(start=axis.start + (axis.count - count) * axis.step, step=axis.step, count=count)
    return _cut(answer, axis.count, short)


def _cut(value: Any, full: int, axis: Axis) -> Any:
    kind = type(value)
    if isinstance(value, list):
        # Only what holds structs can hold anything on the axis; long lists of numbers are passed on.
        return [_cut(each, full, axis) for each in value] if value and isinstance(value[0], msgspec.Struct) else value
    if not isinstance(value, msgspec.Struct):
        return value
    changes: dict[str, Any] = {}
    arrays = _ARRAYS.get(kind, ())
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if name in arrays:
            changes[name] = field[-axis.count :] if len(field) == full else field
        elif name == "axis" and kind in (Range, Ribbon):
            changes[name] = axis
        elif isinstance(field, (list, msgspec.Struct)):
            shorter = _cut(field, full, axis)
            if shorter is not field:
                changes[name] = shorter
    return msgspec.structs.replace(value, **changes) if changes else value
