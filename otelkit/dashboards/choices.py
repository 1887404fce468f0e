# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The choices that dashboards have in common, and the matchers that go with them."""

from __future__ import annotations

from otelkit.dashboards.panel import Variable
from otelkit.dashboards.promql import PROCESS, PROGRAM, chosen, label

__all__ = ("CHOSEN", "choice", "programs")

CHOSEN = (chosen(PROGRAM, "service"), chosen(PROCESS, "instance"))
"""Matchers of the two choices that all dashboards have."""


def programs(series: str) -> tuple[Variable, Variable]:
    """Return the choice of programs that have ``series``, and of their processes."""
    asked = _with(series, chosen(PROGRAM, "service"))
    return Variable("service", "Service", PROGRAM, series), Variable("instance", "Instance", PROCESS, asked)


def choice(name: str, title: str, attribute: str, series: str) -> Variable:
    """Return the choice of an attribute's values, of the programs and processes chosen."""
    return Variable(name, title, label(attribute), _with(series, *CHOSEN))


def _with(series: str, *matchers: str) -> str:
    if series.endswith("}"):
        return series.removesuffix("}") + ", " + ", ".join(matchers) + "}"
    return series + "{" + ", ".join(matchers) + "}"
