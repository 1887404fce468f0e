# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Traces: put together from pieces, found by what is in them."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.viewer import EVER, SECOND_NS, Viewer, span, traces

from otelkit.viewer.store import TraceQuery
from otelkit.viewer.store.limits import Limits
from otelkit.viewer.store.signature import alternatives, mask_from, mask_of, words_of

NOW = time.time_ns()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """300 traces of three spans in two services, one second apart; each tenth failed, each third of a paying user."""
    with Viewer(tmp_path_factory.mktemp("shop")) as viewer:
        ours, theirs = [], []
        for number in range(300):
            trace_id, root = secrets.token_bytes(16), secrets.token_bytes(8)
            start = NOW - (300 - number) * SECOND_NS
            common = {"trace_id": trace_id, "start_ns": start}
            ours.append(
                span(
                    "GET /orders", span_id=root, duration_ns=(number + 1) * 1_000_000, failed=number % 10 == 0, **common
                )
            )
            tier = "paid" if number % 3 == 0 else "free"
            ours.append(
                span(
                    "load", parent=root, attributes={"tier": tier, "order": number, "retry": number % 2 == 1}, **common
                )
            )
            theirs.append(span("SELECT" if number % 50 else "VACUUM", parent=root, **common))
        viewer.post("/v1/traces", traces(*ours))
        viewer.post("/v1/traces", traces(*theirs, resource={"service.name": "database", "host.name": "db1"}))
        yield viewer


def names(viewer: Viewer, **asked: object) -> int:
    """Return how many traces are found."""
    return len(viewer.store.traces(TraceQuery(limit=1_000, **asked)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, 300),
        ({"service": "shop"}, 300),
        ({"service": "database"}, 300),
        ({"service": "data"}, 0),
        ({"root_service": "shop"}, 300),
        ({"root_service": "database"}, 0),
        ({"root_name": "GET /orders"}, 300),
        ({"root_name": "load"}, 0),
        ({"span_name": "VACUUM"}, 6),
        ({"span_name": "nothing"}, 0),
        ({"failed": True}, 30),
        ({"failed": False}, 270),
        ({"min_duration_ns": 200_000_000}, 101),
        ({"max_duration_ns": 10_000_000}, 10),
        ({"attributes": {"tier": "paid"}}, 100),
        ({"attributes": {"tier": "paid"}, "failed": True}, 10),
        ({"attributes": {"tier": "paid", "order": 33}}, 1),
        ({"attributes": {"order": "33"}}, 1),
        ({"attributes": {"order": 33.0}}, 1),
        ({"attributes": {"order": "33.5"}}, 0),
        ({"attributes": {"retry": "true"}}, 150),
        ({"attributes": {"retry": True}}, 150),
        ({"attributes": {"host.name": "db1"}}, 300),
        ({"attributes": {"host.name": "db2"}}, 0),
        ({"attributes": {"tier": "paid"}, "span_name": "VACUUM", "service": "database"}, 2),
        ({"from_ns": NOW - 10 * SECOND_NS}, 10),
        ({"to_ns": NOW - 290 * SECOND_NS}, 10),
    ],
)
def test_what_is_asked_is_found(shop: Viewer, asked: dict[str, object], expected: int) -> None:
    """By service, root, span, state, duration, attribute and time; nothing besides."""
    assert names(shop, **asked) == expected


def test_order_and_limit(shop: Viewer) -> None:
    """Newest or slowest first, with a filter as without."""
    for attributes in (None, {"tier": "paid"}):
        newest = shop.store.traces(TraceQuery(limit=10, attributes=attributes))
        assert [each.start_ns for each in newest] == sorted((each.start_ns for each in newest), reverse=True)
        slowest = shop.store.traces(TraceQuery(limit=10, attributes=attributes, order="slowest"))
        assert [each.duration_ns for each in slowest] == sorted((each.duration_ns for each in slowest), reverse=True)
        assert len(newest) == len(slowest) == 10
    assert shop.store.traces(TraceQuery(limit=1, order="slowest"))[0].duration_ns == 300_000_000


def test_roots_and_services(shop: Viewer) -> None:
    """What there is to choose from."""
    assert shop.store.roots() == [("shop", "GET /orders", 300)]
    assert shop.store.roots(NOW - 5 * SECOND_NS, EVER) == [("shop", "GET /orders", 5)]
    assert shop.store.services() == ["database", "shop"]


def test_pieces_make_one_trace_in_any_order(tmp_path: Path, report: Callable[[object], None]) -> None:
    """A trace of 60 spans, shuffled, in requests of one to five, some twice, with restarts between: as sent at once."""
    order = random.Random(4)
    trace_id, root = secrets.token_bytes(16), secrets.token_bytes(8)
    sent: list[Span] = [span("root", trace_id=trace_id, span_id=root, start_ns=NOW, duration_ns=SECOND_NS)]
    for number in range(59):
        start = NOW + number * 1_000 - 20_000  # some begin before the root: another machine's clock
        sent.append(span(f"part {number}", trace_id=trace_id, parent=root, start_ns=start, failed=number % 7 == 0))
    waiting = sent + order.sample(sent, 20)
    order.shuffle(waiting)
    duplicates = 0
    while waiting:
        with Viewer(tmp_path) as viewer:
            for _ in range(8):
                some = [waiting.pop() for _ in range(min(len(waiting), order.randint(1, 5)))]
                assert viewer.post("/v1/traces", traces(*some)).status == 200
            duplicates += viewer.counts.get("duplicates.spans", 0)
    with Viewer(tmp_path) as viewer:
        (summary,) = viewer.store.traces(TraceQuery())
        assert (summary.root_name, summary.rooted, summary.spans, summary.errors) == ("root", True, 60, 9)
        assert (summary.start_ns, summary.duration_ns) == (NOW - 20_000, SECOND_NS + 20_000)
        stored = viewer.store.trace(trace_id.hex())
        assert {each.span_id for each in stored} == {each.span_id.hex() for each in sent}
        assert [each.start_ns for each in stored] == sorted(each.start_ns for each in stored)
        assert (len(stored), duplicates) == (60, 20)
        assert viewer.store.statistics().spans == 60
        report(f"80 spans out of order over restarts: {len(stored)} stored, {duplicates} duplicates left out")


def test_until_its_root_comes_a_trace_goes_by_its_earliest_span(tmp_path: Path) -> None:
    """And says that it is not rooted."""
    trace_id, root = secrets.token_bytes(16), secrets.token_bytes(8)
    with Viewer(tmp_path) as viewer:
        viewer.post("/v1/traces", traces(span("late", trace_id=trace_id, parent=root, start_ns=NOW + 5)))
        viewer.post("/v1/traces", traces(span("early", trace_id=trace_id, parent=root, start_ns=NOW)))
        (summary,) = viewer.store.traces(TraceQuery())
        assert (summary.root_name, summary.rooted) == ("early", False)
        viewer.post("/v1/traces", traces(span("root", trace_id=trace_id, span_id=root, start_ns=NOW + 9)))
        (summary,) = viewer.store.traces(TraceQuery())
        assert (summary.root_name, summary.rooted) == ("root", True)


def test_an_end_before_its_start_makes_no_negative_duration(viewer: Viewer) -> None:
    """A clock that stepped back: the span is kept as it was sent, its trace takes no time."""
    backward = span("backward", start_ns=NOW, duration_ns=-5_000)
    viewer.post("/v1/traces", traces(backward))
    (summary,) = viewer.store.traces(TraceQuery())
    assert summary.duration_ns == 0
    (stored,) = viewer.store.trace(summary.trace_id)
    assert stored.end_ns == NOW - 5_000


def test_a_trace_without_end_is_cut(tmp_path: Path) -> None:
    """Beyond the limit spans are refused and counted; other traces go on."""
    with Viewer(tmp_path, Limits(spans_of_trace=50)) as viewer:
        trace_id = secrets.token_bytes(16)
        for _ in range(4):
            answer = viewer.post("/v1/traces", traces(*(span("loop", trace_id=trace_id) for _ in range(20))))
        assert ExportTraceServiceResponse.FromString(answer.body).partial_success.rejected_spans == 20
        viewer.post("/v1/traces", traces(span("other")))
        assert viewer.counts["refused.spans.trace_limit"] == 30
        assert viewer.store.statistics().spans == 51


def test_what_is_unknown_is_empty(viewer: Viewer) -> None:
    """No such trace, or no id at all."""
    for trace_id in ("00" * 16, "xyz", "", "ab"):
        assert viewer.store.trace(trace_id) == []


def test_signatures_never_miss() -> None:
    """A filter has the bits of everything that was put in; of what was not, few have them all."""
    tokens = [alternatives("order", number)[0] for number in range(20)]
    mask = 0
    for token in tokens:
        mask |= mask_of(token)
    assert mask_from(words_of(mask)) == mask
    assert all(mask_of(token) & ~mask == 0 for token in tokens)
    others = [mask_of(alternatives("order", number)[0]) for number in range(1_000, 11_000)]
    assert sum(each & ~mask == 0 for each in others) < 100
