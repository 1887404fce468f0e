# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Read what has arrived of batch engines, as their own tests want to ask for it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from support.otlp_receiver import OtlpReceiver


def statuses(receiver: OtlpReceiver) -> dict[str, dict[str, int]]:
    """Return jobs by name and status, over all processes."""
    found: dict[str, dict[str, int]] = {}
    for (job, status), number in _last(receiver, "job.status", "job.name", "status").items():
        found.setdefault(job, {})[status] = number
    return found


def errors(receiver: OtlpReceiver) -> dict[tuple[str, ...], int]:
    """Return failed jobs by name and error type."""
    return dict(_last(receiver, "job.errors", "job.name", "error.type"))


def totals(receiver: OtlpReceiver, name: str, label: str = "batch.engine") -> dict[str, int]:
    """Return a metric's value, or count, by one label."""
    return {key: number for (key,), number in _last(receiver, name, label).items()}


def spans(receiver: OtlpReceiver) -> Counter[tuple[str, str | None, bool]]:
    """Return how many spans there are of each name, parent's name, and whether they failed."""
    by_id = {span.span_id: span for span in receiver.spans()}
    parents = {key: by_id.get(span.parent_span_id) for key, span in by_id.items()}
    return Counter(
        (span.name, parent.name if (parent := parents[key]) is not None else None, span.status.code == 2)
        for key, span in by_id.items()
    )


def _last(receiver: OtlpReceiver, name: str, *labels: str) -> Counter[tuple[str, ...]]:
    values: dict[tuple[Any, ...], int] = {}
    for series in receiver.series(name):
        point = series.point
        value = point.count if hasattr(point, "count") else point.as_int or int(point.as_double)
        values[series.resource["service.instance.id"], tuple(sorted(series.attributes.items()))] = value
    found: Counter[tuple[str, ...]] = Counter()
    for (_, attributes), value in values.items():
        found[tuple(str(dict(attributes).get(label, "")) for label in labels)] += value
    return found
