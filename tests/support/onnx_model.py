# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny ONNX models of any shape, written as protobuf by hand: the package that makes them would be another 100 MB."""

from __future__ import annotations

Dimension = int | str


def onnx_model(
    inputs: dict[str, tuple[Dimension, ...]], operator: str = "Identity", graph: str = "graph", outputs: int = 1
) -> bytes:
    """
    Return a model of one node that gets all ``inputs`` (float), in order; its output has the first one's shape.

    Args:
        inputs: Shapes; text is the name of a dynamic dimension.
        operator: Of opset 13.
        graph: Name of the graph.
        outputs: Only 1 is possible.
    """
    shape = next(iter(inputs.values()))
    node = b"".join(_text(1, name) for name in inputs) + _text(2, "y") + _text(4, operator)
    values = b"".join(_message(11, _value(name, dimensions)) for name, dimensions in inputs.items())
    body = _message(1, node) + _text(2, graph) + values + _message(12, _value("y", shape))
    return _number(1, 8) + _message(7, body) + _message(8, _text(1, "") + _number(2, 13))


def _value(name: str, shape: tuple[Dimension, ...]) -> bytes:
    dimensions = [_number(1, each) if isinstance(each, int) else _text(2, each) for each in shape]
    tensor = _number(1, 1) + _message(2, b"".join(_message(1, each) for each in dimensions))
    return _text(1, name) + _message(2, _message(1, tensor))


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])
