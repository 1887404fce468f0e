# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Columns are unpacked to the bit as they were packed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otelkit.viewer.store.packing import DAMAGED, pack, unpack

INTEGERS = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
FLOATS = st.one_of(st.integers(-100, 100).map(float), st.integers(0, 6_400).map(lambda each: each / 64), st.floats())


@settings(max_examples=200, deadline=None)
@given(data=st.data(), lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_nothing_changes(data: st.DataObject, lengths: list[int]) -> None:
    """Integers that overflow as differences, fractions, NaN and minus zero; one column, or a row for each point."""
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    count = int(offsets[-1])
    columns = [
        np.array(data.draw(st.lists(INTEGERS, min_size=count, max_size=count)), dtype=np.int64),
        np.array(data.draw(st.lists(FLOATS, min_size=count, max_size=count)), dtype=np.float64),
        np.array(data.draw(st.lists(FLOATS, min_size=3 * count, max_size=3 * count))).reshape(count, 3),
        np.full(count, 7, dtype=np.int64),
        np.arange(len(lengths), dtype=np.int64),
    ]
    found, where = unpack(pack(columns, offsets))
    assert where.tolist() == offsets.tolist()
    for column, same in zip(columns, found, strict=True):
        assert (column.dtype, column.shape, column.tobytes()) == (same.dtype, same.shape, same.tobytes())


@given(at=st.integers(0, 10_000), byte=st.integers(1, 255))
def test_damage_is_one_error(at: int, byte: int) -> None:
    """Whatever bytes a disk gives back: columns, or an error that readers expect."""
    columns = [np.arange(40, dtype=np.int64), np.linspace(0, 1, 40)]
    body = bytearray(pack(columns, np.array([0, 10, 40])))
    body[at % len(body)] ^= byte
    try:
        found, _ = unpack(bytes(body))
    except DAMAGED:
        return
    assert isinstance(found, list)
    with pytest.raises(DAMAGED):
        unpack(bytes(body[: len(body) // 2]))
