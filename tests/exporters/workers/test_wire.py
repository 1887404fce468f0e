# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Snapshots as bytes, whole and damaged."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import workers

from otelkit._core._snapshot import (
    Attributes,
    Exemplar,
    ExponentialPoint,
    HistogramPoint,
    Kind,
    Metric,
    MetricSnapshot,
    NumberPoint,
    SummaryPoint,
)
from otelkit.exporters.workers import merge, wire

LABELS = Attributes({"a": 'quote " and ü', "b": ""})
EXEMPLAR = Exemplar.of(0.5, 2**128 - 1, 2**64 - 1, 1_700_000_000_000_000_000)
EVERY_KIND = [
    MetricSnapshot(Metric("c", Kind.COUNTER, "1", "Help."), [NumberPoint(LABELS, 1, 2, 3.5, EXEMPLAR)]),
    MetricSnapshot(Metric("u", Kind.UP_DOWN_COUNTER), [NumberPoint(LABELS, 1, 2, -3)]),
    MetricSnapshot(Metric("g", Kind.GAUGE), [NumberPoint(LABELS, 0, 2, 1e300)]),
    MetricSnapshot(
        Metric("h", Kind.HISTOGRAM, "s"),
        [HistogramPoint(LABELS, 1, 2, 3, 4.5, 0.1, 4.0, (1.0, 2.0), [1, 1, 1], (EXEMPLAR,))],
    ),
    MetricSnapshot(
        Metric("e", Kind.EXPONENTIAL_HISTOGRAM),
        [ExponentialPoint(LABELS, 1, 2, 3, 4.5, 0.1, 4.0, 3, 1, -4, [1, 0, 1], 0, [], (EXEMPLAR,))],
    ),
    MetricSnapshot(Metric("s", Kind.SUMMARY), [SummaryPoint(LABELS, 1, 2, 3, 4.5, ((0.5, 1.0), (0.9, 2.0)))]),
]


def encoded() -> bytes:
    """Return a file of every kind of metric."""
    return wire.encode(workers.snapshot(*EVERY_KIND))


def test_every_kind_comes_back_as_it_was():
    """What is read is what was written, exemplars with their spans included."""
    snapshot = wire.decode(encoded())
    assert merge.merged([snapshot]) == [(workers.SCOPE, EVERY_KIND)]
    point = merge.merged([snapshot])[0][1][0].points[0]
    assert (point.exemplar.trace_id, point.exemplar.span_id) == (2**128 - 1, 2**64 - 1)
    assert point.exemplar.time_ns == EXEMPLAR.time_ns
    assert type(point.attributes) is Attributes


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_other_file_is_refused(content):
    """Bytes that are no snapshot are damage, never another error."""
    with pytest.raises(wire.DamagedError):
        wire.decode(content)


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed(data):
    """One byte that differs, anywhere but in the time of collection, is damage."""
    content = bytearray(encoded())
    position = data.draw(st.sampled_from([*range(10), *range(18, len(content))]))
    content[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(wire.DamagedError):
        wire.decode(bytes(content))


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_half_a_file_is_refused(length):
    """A file that ends early is damage."""
    content = encoded()
    with pytest.raises(wire.DamagedError):
        wire.decode(content[: length % len(content)])


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=6)))
def test_a_right_checksum_makes_no_snapshot(body):
    """Contents of another shape are refused though their checksum is right."""
    import msgspec

    try:
        packed = msgspec.msgpack.encode(body)
    except OverflowError:
        return
    header = struct.pack("<8sHqQI", b"otelkitw", wire.VERSION, 0, len(packed), zlib.crc32(packed))
    with pytest.raises(wire.DamagedError):
        wire.decode(header + packed)


def test_another_version_is_refused():
    """A file of a later otelkit is named as such."""
    content = bytearray(encoded())
    content[8] += 1
    with pytest.raises(wire.DamagedError, match="version 2, not 1"):
        wire.decode(bytes(content))
