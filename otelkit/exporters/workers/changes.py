# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""When each gauge was last seen to change: a collection gives all values its own time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from otelkit._core._snapshot import Kind, NumberPoint
from otelkit.exporters.workers.wire import Snapshot

_Key = tuple[object, str, frozenset[tuple[str, str]]]


class Changes:
    """
    Remembers the values of the metrics of which the latest counts; one thread at a time.

    Of two workers, that one's value counts which changed last; setting the same value again is no change.
    """

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[float, int]] = {}

    def date(self, snapshot: Snapshot) -> Snapshot:
        """Give the points in question the time of their last change; returns ``snapshot``."""
        known: dict[_Key, tuple[float, int]] = {}
        for group in snapshot.groups:
            for item in group.items:
                if item.policy == "latest" and item.kind in (Kind.COUNTER, Kind.UP_DOWN_COUNTER, Kind.GAUGE):
                    points = cast("Iterable[NumberPoint]", item.points)
                    item.points = [self._dated(known, (group.scope, item.name), point) for point in points]
        self._known = known
        return snapshot

    def _dated(
        self, known: dict[_Key, tuple[float, int]], metric: tuple[object, str], point: NumberPoint
    ) -> NumberPoint:
        key = (*metric, frozenset(point.attributes.items()))
        value, time_ns = self._known.get(key, (None, 0))
        if value != point.value:
            time_ns = point.time_ns
        known[key] = (point.value, time_ns)
        return point._replace(time_ns=time_ns)
