# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Where a trace's time went.

Walked backwards from the end of the root: the time belongs to the child that ended last before the point reached, and
within it to its own last child; between children it is the span's own. Children that outlive their parent are cut at
its end (they did not hold it up), and those that began before it at its start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """A span: id, start and end on one clock."""

    id: str
    start: float
    end: float


class Stretch(NamedTuple):
    """A stretch of the path, and the span that it belongs to."""

    id: str
    start: float
    end: float


def critical_path(root: Node, children: Mapping[str, Sequence[Node]]) -> list[Stretch]:
    """Return stretches that cover the root from start to end, in the order of time."""
    path: list[Stretch] = []
    # A stack in place of recursion: traces may be deeper than Python's stack.
    todo: list[tuple[Node, float, float]] = [(root, root.start, root.end)]
    while todo:
        node, begin, end = todo.pop()
        reached = end
        pieces: list[tuple[Node, float, float] | Stretch] = []
        for child in sorted(children.get(node.id, ()), key=lambda each: min(each.end, end), reverse=True):
            child_end, child_start = min(child.end, reached), max(child.start, begin)
            if child_end <= begin or child_start >= reached or child_end <= child_start:
                continue
            if child_end < reached:
                pieces.append(Stretch(node.id, child_end, reached))
            pieces.append((child, child_start, child_end))
            reached = child_start
            if reached <= begin:
                break
        if reached > begin:
            pieces.append(Stretch(node.id, begin, reached))
        for piece in pieces:  # latest first, as they were found
            if isinstance(piece, Stretch):
                path.append(piece)
            else:
                todo.append(piece)
    path.sort(key=lambda each: each.start)
    return path


def merged(path: Sequence[Stretch]) -> list[Stretch]:
    """Join neighbours of the same span."""
    joined: list[Stretch] = []
    for each in path:
        if joined and joined[-1].id == each.id:
            joined[-1] = Stretch(each.id, joined[-1].start, each.end)
        else:
            joined.append(each)
    return joined


def own_time(node: Node, children: Sequence[Node]) -> float:
    """Return how long no child ran: the span's own time."""
    covered, reached = 0.0, node.start
    for child in sorted(children, key=lambda each: each.start):
        begin, end = max(child.start, reached), min(child.end, node.end)
        if end > begin:
            covered += end - begin
            reached = end
    return max(0.0, node.end - node.start - covered)
