# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics by name: what they are, over all scopes that send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otelkit.viewer.api import prometheus
from otelkit.viewer.api.shapes.metric import MetricKind
from otelkit.viewer.store import Metric


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One name.

    Attributes:
        kind: Of the first metric of that name; several kinds under one name are a mistake of the senders.
        mixed: Whether there are several.
    """

    name: str
    kind: MetricKind
    unit: str
    description: str
    temporality: str
    mixed: bool
    prometheus: str


def entry(metrics: Sequence[Metric]) -> Entry:
    """Return what is known of the metrics of one name."""
    first = metrics[0]
    temporalities = {each.temporality for each in metrics}
    return Entry(
        first.name,
        kind_of(first),
        first.unit,
        next((each.description for each in metrics if each.description), ""),
        (first.temporality or "none") if len(temporalities) == 1 else "mixed",
        len({kind_of(each) for each in metrics}) > 1,
        prometheus.name_of(first.name, first.kind, first.unit, first.monotonic),
    )


def kind_of(metric: Metric) -> MetricKind:
    """Return the kind as pages say it."""
    if metric.kind == "sum":
        return "counter" if metric.monotonic else "up_down_counter"
    return metric.kind


def by_name(metrics: Sequence[Metric]) -> dict[str, list[Metric]]:
    """Return metrics by name, sorted."""
    found: dict[str, list[Metric]] = {}
    for each in metrics:
        found.setdefault(each.name, []).append(each)
    return dict(sorted(found.items()))
