# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the store holds, and what it refused."""

from __future__ import annotations

from collections.abc import Mapping

from otelkit.viewer.analysis import wording
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.shapes.health import Kept, Refusal
from otelkit.viewer.api.timing import SECOND

_LOST = ("refused.", "dropped.", "lost.")


def read(context: Context) -> Kept:
    """Return what is held, and the limits."""
    statistics = context.store.statistics()
    return Kept(
        folder=context.about.folder,
        spans=statistics.spans,
        traces=statistics.traces,
        series=statistics.series,
        points=statistics.counts.get("received.points", 0),
        bytes=statistics.held_bytes,
        oldest=statistics.oldest_ns / SECOND or None,
        limit_bytes=statistics.limit_bytes or None,
        limit_age_s=statistics.retention_s or None,
    )


def limits(context: Context) -> list[str]:
    """Return the sentences about what is gone, or will be."""
    statistics = context.store.statistics()
    most = wording.size(statistics.limit_bytes)
    text = f"kept {wording.age(statistics.retention_s)} or {most}"
    if statistics.oldest_ns:
        text += f": older than {wording.moment(statistics.oldest_ns / SECOND)} is not here"
    return [text]


def refusals(counts: Mapping[str, int]) -> list[Refusal]:
    """Return what was refused since the start, most frequent first."""
    found = [
        Refusal(reason=_reason(name), count=count, remedy=_REMEDIES.get(name.rpartition(".")[2], ""))
        for name, count in counts.items()
        if name.startswith(_LOST) and count
    ]
    return sorted(found, key=lambda each: -each.count)


def refused(counts: Mapping[str, int]) -> int:
    """Return how many spans and points were refused since the start."""
    return sum(count for name, count in counts.items() if name.startswith(_LOST))


def _reason(name: str) -> str:
    """Make "points: series limit" of "refused.points.series_limit"."""
    _, _, rest = name.partition(".")
    what, _, why = rest.partition(".")
    return f"{what}: {why.replace('_', ' ')}" if why else what


_REMEDIES = {
    "series_limit": "A label has too many values: see which on otelkit's own page.",
    "too_large": "Send smaller batches.",
}
