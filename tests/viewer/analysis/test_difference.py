# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Traces against the usual ones."""

from __future__ import annotations

from otelkit.viewer.analysis.difference import Timed, differences, extra_time, over_represented, profile


def trace(payment_s: float, backoff: bool = False):
    """A checkout whose payment takes so long."""
    root = Timed("1", "", ("shop", "checkout"), 0.0, payment_s + 0.2)
    spans = [
        root,
        Timed("2", "1", ("shop", "price"), 0.0, 0.1),
        Timed("3", "1", ("shop", "pay"), 0.1, 0.1 + payment_s),
    ]
    if backoff:
        spans.append(Timed("4", "1", ("shop", "backoff"), payment_s + 0.1, payment_s + 0.15))
    return profile(root, spans)


def test_differences_are_sorted_by_their_size_and_say_what_is_new() -> None:
    """Here minus the median; None where there is none."""
    found = differences(trace(1.0, backoff=True), [trace(0.1) for _ in range(20)])
    assert {each.name[1] for each in found[:2]} == {"checkout", "pay"}
    assert [each.name[1] for each in found[2:]] == ["backoff", "price"]
    assert round(found[1].seconds, 6) == 0.9
    assert found[2].usual is None
    assert found[2].here is not None


def test_a_span_that_is_missing_here_is_told() -> None:
    """If it is in at least half of the usual traces."""
    found = differences(trace(0.1), [trace(0.1, backoff=True) for _ in range(3)])
    missing = next(each for each in found if each.name[1] == "backoff")
    assert missing.here is None
    assert missing.calls == 0


def test_extra_time_lies_where_the_path_grew() -> None:
    """All of it, in the payment."""
    extra = extra_time([trace(1.0), trace(1.2)], [trace(0.1), trace(0.2)])
    assert extra is not None
    assert extra.name == ("shop", "pay")
    assert round(extra.share, 6) == 1.0
    assert (extra.traces, extra.usual_traces) == (2, 2)


def test_what_is_not_slower_has_no_extra_time() -> None:
    """Nor has nothing."""
    assert extra_time([trace(0.1)], [trace(0.2)]) is None
    assert extra_time([], [trace(0.2)]) is None


def test_over_represented_values_are_those_clearly_more_frequent_inside() -> None:
    """What is everywhere alike is left out."""
    inside = [{"provider": "eu-2", "tier": "free"}] * 24 + [{"provider": "eu-1", "tier": "free"}]
    outside = [{"provider": "eu-2", "tier": "free"}] * 3 + [{"provider": "eu-1", "tier": "free"}] * 7
    (found,) = over_represented(inside, outside)
    assert (found.key, found.value, found.inside, found.outside) == ("provider", "eu-2", 0.96, 0.3)
