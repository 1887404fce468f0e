# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Read what the process's registry holds, as a test wants to ask for it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from otelkit.instruments.registry import Registry, default_registry

_names = itertools.count(1)


def fresh(stem: str = "metric") -> str:
    """Return a metric name that no other test has used."""
    return f"test.{stem}{next(_names)}"


def points(name: str, labels: Mapping[str, str] | None = None, registry: Registry = default_registry) -> list[Any]:
    """Return the points of ``name`` that have ``labels``."""
    wanted = (labels or {}).items()
    return [
        point
        for metric, found in registry.snapshot()
        if metric.name == name
        for point in found
        if wanted <= point.attributes.items()
    ]


def point(name: str, labels: Mapping[str, str] | None = None, registry: Registry = default_registry) -> Any:
    """Return the only point of ``name`` with ``labels``."""
    (found,) = points(name, labels, registry)
    return found


def total(name: str, labels: Mapping[str, str] | None = None, registry: Registry = default_registry) -> float:
    """Return the sum of values, or of counts, over the points of ``name`` with ``labels``."""
    return sum(each.value if hasattr(each, "value") else each.count for each in points(name, labels, registry))


def series(name: str, registry: Registry = default_registry) -> dict[tuple[tuple[str, str], ...], float]:
    """Return value or count by labels; fails if two series have the same labels."""
    found = points(name, registry=registry)
    by_labels = {
        tuple(sorted(each.attributes.items())): each.value if hasattr(each, "value") else each.count for each in found
    }
    assert len(by_labels) == len(found), f"two series of {name} have the same labels"
    return by_labels


def forget(stem: str) -> None:
    """Take the metrics whose names begin with ``stem`` away: thousands of series slow every later snapshot down."""
    families = default_registry._families
    for key, family in list(families.items()):
        if family.name.startswith(stem):
            del families[key]
