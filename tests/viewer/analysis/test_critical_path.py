# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The critical path."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from otelkit.viewer.analysis.critical_path import Node, critical_path, merged, own_time


def test_the_path_goes_through_the_child_that_ended_last() -> None:
    """Time between children is the parent's own."""
    root = Node("root", 0, 10)
    children = {"root": [Node("a", 1, 4), Node("b", 2, 6), Node("c", 7, 9)]}
    assert critical_path(root, children) == [
        ("root", 0, 1),
        ("a", 1, 2),
        ("b", 2, 6),
        ("root", 6, 7),
        ("c", 7, 9),
        ("root", 9, 10),
    ]


def test_a_child_that_outlives_its_parent_is_cut() -> None:
    """The parent did not wait for it."""
    path = critical_path(Node("root", 0, 10), {"root": [Node("late", 5, 20)]})
    assert path == [("root", 0, 5), ("late", 5, 10)]


def test_own_time_counts_overlapping_children_once() -> None:
    """Two children at the same time cover it once."""
    assert own_time(Node("root", 0, 10), [Node("a", 1, 5), Node("b", 3, 6)]) == 5


@st.composite
def trees(draw: st.DrawFn) -> tuple[Node, dict[str, list[Node]]]:
    """A root with descendants anywhere, also outside of their parents."""
    root = Node("0", 0.0, 100.0)
    known, children = [root], {}
    for number in range(1, draw(st.integers(1, 25))):
        parent = draw(st.sampled_from(known))
        start = draw(st.floats(-10, 110))
        node = Node(str(number), start, start + draw(st.floats(0, 60)))
        children.setdefault(parent.id, []).append(node)
        known.append(node)
    return root, children


@given(tree=trees())
def test_the_path_covers_the_root_once_and_in_order(tree: tuple[Node, dict[str, list[Node]]]) -> None:
    """No gap, no overlap, whatever clocks say."""
    root, children = tree
    path = merged(critical_path(root, children))
    assert path[0].start == root.start
    assert path[-1].end == root.end
    for before, after in pairwise(path):
        assert before.end == after.start
        assert before.id != after.id


def test_a_very_deep_trace_is_no_problem() -> None:
    """Deeper than Python's stack."""
    children = {str(depth): [Node(str(depth + 1), 0.0, 10.0)] for depth in range(5_000)}
    assert critical_path(Node("0", 0.0, 10.0), children) == [("5000", 0.0, 10.0)]
