# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a metric's policy comes from."""

import pytest

from otelkit._core._snapshot import Kind, Metric
from otelkit.config import load
from otelkit.exceptions import ConfigurationError, DeclarationError
from otelkit.exporters.workers.policy import POLICIES, default_policy
from otelkit.exporters.workers.sharing import _policies
from otelkit.instruments.gauge import gauge, up_down_counter
from otelkit.instruments.registry import Registry


def test_a_rule_wins_over_the_declaration_and_that_over_the_convention():
    """Whoever runs the program has the last word."""
    registry = Registry()
    gauge("pool.size", across_workers="sum", registry=registry)
    up_down_counter("backlog", across_workers="total", registry=registry)
    gauge("ratio", registry=registry)
    settings = load("/dev/null", {}, metrics={"pool.*": {"across_workers": "max"}})
    ruled, unruled = (
        _policies(settings, registry.across_workers),
        _policies(load("/dev/null", {}), registry.across_workers),
    )
    assert ruled(Metric("pool.size", Kind.GAUGE)) == "max"
    assert unruled(Metric("pool.size", Kind.GAUGE)) == "sum"
    assert unruled(Metric("backlog", Kind.UP_DOWN_COUNTER)) == "total"
    assert unruled(Metric("ratio", Kind.GAUGE)) == "latest"


def test_an_unknown_policy_is_a_mistake():
    """A declaration and a rule say which there are."""
    with pytest.raises(
        DeclarationError, match="across_workers as one of sum, total, max, min, latest, each, got average"
    ):
        gauge("pool.size", across_workers="average", registry=Registry())
    with pytest.raises(ConfigurationError, match="average"):
        load("/dev/null", {}, metrics={"pool.size": {"across_workers": "average"}})


def test_every_kind_has_a_policy():
    """Whatever a metric is called, one of the policies holds."""
    for name in ("x", "system.x", "hw.x", "process.x", "otelkit.x"):
        assert {default_policy(Metric(name, kind)) for kind in Kind} <= set(POLICIES)
