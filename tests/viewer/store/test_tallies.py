# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How many traces began when is what counting them tells, whatever came in which order."""

from __future__ import annotations

import random
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.viewer import EVER, SECOND_NS, Viewer, span, traces

from otelkit.viewer.store import TraceQuery, TraceSummary
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.store import Store

NOW = time.time_ns()
BEGIN = NOW - 7_200 * SECOND_NS


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[TraceSummary]]]:
    """Four hundred traces over two hours, whose roots, earlier parts and errors come later, or never."""
    chance = random.Random(3)
    with Viewer(tmp_path_factory.mktemp("tallies")) as viewer:
        later = []
        for _ in range(400):
            trace_id, start = secrets.token_bytes(16), BEGIN + chance.randrange(7_000 * SECOND_NS)
            child = span("child", trace_id=trace_id, parent=b"12345678", start_ns=start)
            root = span(
                f"root {chance.randrange(3)}",
                trace_id=trace_id,
                start_ns=start - chance.randrange(20 * SECOND_NS),
                failed=chance.random() < 0.3,
            )
            pieces = [child, root] if chance.random() < 0.8 else [child]
            chance.shuffle(pieces)
            viewer.post("/v1/traces", traces(pieces[0], resource={"service.name": f"s{chance.randrange(2)}"}))
            later += pieces[1:]
        viewer.post("/v1/traces", traces(*later))
        yield viewer.store, viewer.store.traces(TraceQuery(limit=1_000))


RANGES = st.tuples(st.integers(-60, 7_300), st.integers(1, 7_300), st.integers(0, SECOND_NS))


@settings(max_examples=100, deadline=None)
@given(range_=RANGES)
def test_roots(counted: tuple[Store, list[TraceSummary]], range_: tuple[int, int, int]) -> None:
    """Any range, to the nanosecond."""
    store, everything = counted
    from_ns = BEGIN + range_[0] * SECOND_NS + range_[2]
    to_ns = from_ns + range_[1] * SECOND_NS
    inside = [each for each in everything if each.rooted and from_ns <= each.start_ns < to_ns]
    expected = Counter((each.root_service, each.root_name) for each in inside)
    assert {(service, name): count for service, name, count in store.roots(from_ns, to_ns)} == dict(expected)


@settings(max_examples=100, deadline=None)
@given(
    step_s=st.sampled_from((1, 2, 5, 15, 60, 300, 900)),
    offset=st.integers(-10, 500),
    count=st.integers(1, 90),
    service=st.sampled_from((None, "s0", "s1", "unknown")),
)
def test_steps(
    counted: tuple[Store, list[TraceSummary]], step_s: int, offset: int, count: int, service: str | None
) -> None:
    """Any steps: how many began, and how many of them failed."""
    store, everything = counted
    step_ns = step_s * SECOND_NS
    first = BEGIN // step_ns + offset
    expected = [[0, 0] for _ in range(count)]
    for each in everything:
        number = each.start_ns // step_ns - first
        if 0 <= number < count and service in (None, each.root_service):
            expected[number][0] += 1
            expected[number][1] += each.errors > 0
    assert [list(each) for each in store.tallies(service, step_ns, first, count)] == expected


def test_durations(counted: tuple[Store, list[TraceSummary]]) -> None:
    """The newest of one service, of a frequent and of an unknown one."""
    store, everything = counted
    own = sorted(((each.start_ns, each.duration_ns) for each in everything if each.root_service == "s0"), reverse=True)
    assert store.durations("s0", 0, EVER, 50) == own[:50]
    assert store.durations("unknown", 0, EVER, 50) == []


def test_what_is_deleted_is_not_counted(tmp_path: Path) -> None:
    """Traces that are too old go, and their counts with them; a folder that has none yet is counted when opened."""
    with Viewer(tmp_path) as viewer:
        for minute in range(60):
            viewer.post("/v1/traces", traces(span("root", start_ns=NOW - minute * 60 * SECOND_NS)))
        assert viewer.store.roots() == [("shop", "root", 60)]
    file = sqlite3.connect(tmp_path / "viewer.sqlite")
    file.execute("DELETE FROM tallies")
    file.execute("PRAGMA user_version = 2")
    file.commit()
    file.close()
    store = Store(tmp_path, Limits(retention_s=1_800))
    assert store.roots() == [("shop", "root", 60)]
    store._retention._due_at = 0
    store.maintain()
    left = store.traces(TraceQuery(limit=100))
    assert 0 < len(left) < 60
    assert store.roots() == [("shop", "root", len(left))]
    (empty,) = store._writing.execute("SELECT count(*) FROM tallies WHERE traces <= 0").fetchone()
    assert empty == 0
    store.close()
