# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One trace, or several, against the usual ones: time by span name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from otelkit.viewer.analysis.critical_path import Node, critical_path
from otelkit.viewer.analysis.usual import percentile

Name = tuple[str, str]
"""Service and name of a span."""


class Timed(NamedTuple):
    """What is compared of a span: times in seconds on one clock."""

    id: str
    parent: str
    name: Name
    start: float
    end: float


@dataclass(slots=True)
class Profile:
    """
    What a trace consists of, by span name.

    Attributes:
        seconds: Of all spans of a name added up.
        calls: How many.
        path: Seconds on the critical path.
        duration: Of the root.
    """

    seconds: dict[Name, float]
    calls: Counter[Name]
    path: dict[Name, float]
    duration: float


def profile(root: Timed, spans: Iterable[Timed]) -> Profile:
    """Return the profile of ``root`` and what is below it."""
    below = children_of(spans)
    names: dict[str, Name] = {}
    seconds: dict[Name, float] = {}
    calls: Counter[Name] = Counter()
    nodes: dict[str, list[Node]] = {}
    todo = [root]
    while todo:
        span = todo.pop()
        if span.id in names:  # a loop of parents
            continue
        names[span.id] = span.name
        seconds[span.name] = seconds.get(span.name, 0.0) + span.end - span.start
        calls[span.name] += 1
        children = below.get(span.id, [])
        nodes[span.id] = [Node(each.id, each.start, each.end) for each in children if each.id not in names]
        todo += children
    path: dict[Name, float] = {}
    for stretch in critical_path(Node(root.id, root.start, root.end), nodes):
        name = names[stretch.id]
        path[name] = path.get(name, 0.0) + stretch.end - stretch.start
    return Profile(seconds, calls, path, root.end - root.start)


def children_of(spans: Iterable[Timed]) -> dict[str, list[Timed]]:
    """Return spans by the id of their parent."""
    below: dict[str, list[Timed]] = {}
    for span in spans:
        below.setdefault(span.parent, []).append(span)
    return below


class Difference(NamedTuple):
    """Spans of one name, here and usually (medians); None where there are none."""

    name: Name
    here: float | None
    calls: int
    usual: float | None
    usual_calls: float | None
    on_path: bool

    @property
    def seconds(self) -> float:
        """How much longer it took here."""
        return (self.here or 0.0) - (self.usual or 0.0)


def differences(here: Profile, others: Sequence[Profile]) -> list[Difference]:
    """
    Return all names that are here, or in at least half of the others, by difference, greatest first.

    A name's usual time is the median over those of the others that have it.
    """
    seconds: dict[Name, list[float]] = {}
    calls: dict[Name, list[float]] = {}
    for each in others:
        for name, value in each.seconds.items():
            seconds.setdefault(name, []).append(value)
            calls.setdefault(name, []).append(float(each.calls[name]))
    found = []
    for name in here.seconds.keys() | seconds.keys():
        there = sorted(seconds.get(name, ()))
        if name not in here.seconds and len(there) < len(others) / 2:
            continue
        found.append(
            Difference(
                name,
                here.seconds.get(name),
                here.calls[name],
                percentile(there, 0.5) if there else None,
                percentile(sorted(calls[name]), 0.5) if there else None,
                here.path.get(name, 0.0) > 0,
            )
        )
    return sorted(found, key=lambda each: (-abs(each.seconds), each.name))


class Extra(NamedTuple):
    """Where the extra time of slow traces lies: ``share`` of ``seconds``, over so many traces."""

    name: Name
    share: float
    seconds: float
    traces: int
    usual_traces: int


def extra_time(slow: Sequence[Profile], others: Sequence[Profile]) -> Extra | None:
    """
    Return the span name with most of the extra time on the critical path, means compared; None if there is none.

    Cost: what it says is only as good as its number of traces, which the caller has to judge.
    """
    if not slow or not others:
        return None
    longer = _mean([each.duration for each in slow]) - _mean([each.duration for each in others])
    if longer <= 0:
        return None
    names = {name for each in slow for name in each.path}
    grown = {
        name: _mean([each.path.get(name, 0.0) for each in slow]) - _mean([each.path.get(name, 0.0) for each in others])
        for name in names
    }
    name = max(sorted(grown), key=grown.__getitem__)
    return Extra(name, min(1.0, grown[name] / longer), longer, len(slow), len(others)) if grown[name] > 0 else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class Over(NamedTuple):
    """An attribute's value, and the share of traces that have it inside and outside of a selection."""

    key: str
    value: str
    inside: float
    outside: float


def over_represented(
    inside: Sequence[Mapping[str, str]], outside: Sequence[Mapping[str, str]], most: int = 5
) -> list[Over]:
    """Return the values that are clearly more frequent inside: by at least a fifth of all, most telling first."""
    if not inside or not outside:
        return []
    counts = Counter(item for each in inside for item in each.items())
    others = Counter(item for each in outside for item in each.items())
    found = [
        Over(key, value, count / len(inside), others[key, value] / len(outside))
        for (key, value), count in counts.items()
        if count >= 3
    ]
    found = [each for each in found if each.inside - each.outside >= 0.2]
    return sorted(found, key=lambda each: (each.outside - each.inside, each.key, each.value))[:most]
