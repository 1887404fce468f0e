# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Exemplars of a long range: not only the newest."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from support.viewer import EVER, SECOND_NS, histogram, metrics

from otelkit.viewer.ingest.metrics import MetricDecoder
from otelkit.viewer.ingest.refusals import Refusals
from otelkit.viewer.store.store import Store

NOW = time.time_ns()


def test_beyond_the_limit_they_are_spread(tmp_path: Path) -> None:
    """Of a thousand, a hundred over the whole range, the greatest of each part among them; all where they are few."""
    store, decoder = Store(tmp_path), MetricDecoder()
    batch = store.batch()
    begin = NOW - 1_000 * SECOND_NS
    for second in range(1_000):
        made = histogram("h", [1], [second, 1], time_ns=begin + second * SECOND_NS)
        exemplar = made.histogram.data_points[0].exemplars.add(as_double=second % 100)
        exemplar.time_unix_nano = begin + second * SECOND_NS
        exemplar.trace_id, exemplar.span_id = secrets.token_bytes(16), secrets.token_bytes(8)
        decoder.decode(metrics(made).SerializeToString(), batch, Refusals())
    store.commit(batch)
    (series,) = store.series("h")
    found = store.exemplars([series.id], begin, NOW, 100)
    assert len(found) == 80
    per_part = [sum((each.time_ns - begin) // (250 * SECOND_NS) == part for each in found) for part in range(4)]
    assert per_part == [20, 20, 20, 20]
    assert sorted({each.value for each in found})[-1] == 99
    assert [each.time_ns for each in found] == sorted(each.time_ns for each in found)
    assert len(store.exemplars([series.id], 0, EVER, 1_000)) == 1_000
    assert len(store.exemplars([series.id], begin, begin + 50 * SECOND_NS, 100)) == 50
    assert store.exemplars([], 0, EVER) == []
    store.close()
