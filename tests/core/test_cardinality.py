# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Too many label sets: one overflow series, counted and named; and nothing remembered."""

from __future__ import annotations

import logging

import pytest
from support.metrics import forget, fresh, points, series, total

import otelkit
from otelkit.instruments.registry import default_registry

OVERFLOW = {"otel.metric.overflow": "true"}


def test_the_label_sets_beyond_2000_go_to_the_overflow_series(caplog: pytest.LogCaptureFixture) -> None:
    """Counted in otelkit.overflowed, and the label that explodes is named once."""
    name = fresh("explosion")

    @otelkit.metered(name=name, labels=["region", "user"])
    def call(region: str, user: int) -> None: ...

    with caplog.at_level(logging.WARNING, "otelkit"):
        for user in range(2_500):
            call(f"r{user % 3}", user)
    assert len(points(f"{name}.calls")) == 2_001
    assert total(f"{name}.calls", OVERFLOW) == total(f"{name}.duration", OVERFLOW) == 500
    assert total(f"{name}.calls") == 2_500
    assert total("otelkit.overflowed", {"otelkit.metric": f"{name}.duration"}) == 500
    (record,) = [record.getMessage() for record in caplog.records if name in record.getMessage()]
    assert "limit of 2000 label sets" in record
    assert "'user': 2000 values" in record
    forget(name)


def test_keys_beyond_the_limit_are_not_remembered() -> None:
    """Neither bound nor unbound: that would be the explosion that the limit prevents."""
    name = fresh("explosion")
    counter = otelkit.counter(name, labels=["user"])
    for user in range(2_000):
        counter.increment(1, user=user)
    (family,) = [family for family in default_registry.families() if family.name == name]
    bound = [counter.labels(user=user) for user in range(5_000, 5_010)]
    for user in range(6_000, 6_010):
        counter.increment(1, user=user)
    assert len({id(cell) for cell in bound}) == 1
    assert len(family.cells) == 2_000
    assert len(family._held) == 1
    bound[0].increment(5)
    assert total(name, OVERFLOW) == 15
    assert series(name)[(("otel.metric.overflow", "true"),)] == 15
    counter.increment(1, user=7)
    assert total(name, {"user": "7"}) == 2
    forget(name)
