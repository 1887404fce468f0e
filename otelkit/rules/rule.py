# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from otelkit.dashboards.panel import Dashboard

__all__ = ("Alert", "Recording")


@dataclass(frozen=True, slots=True)
class Recording:
    """
    An expression that Prometheus evaluates ahead, under a name of its own.

    Args:
        name: Labels kept, metric, operation, with colons between, as Prometheus' documentation recommends.
        expression: PromQL.
        about: One sentence.
        may_be_empty: Why there may be nothing although all is well.
    """

    name: str
    expression: str
    about: str
    may_be_empty: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """
    A condition that somebody should look at.

    Args:
        name: As Alertmanager shows it, and as thresholds are set.
        expression: PromQL for a threshold.
        threshold: Where the condition begins.
        unit: Of the threshold, for people.
        delay_s: How long the condition must hold.
        severity: ``critical`` wakes somebody up.
        summary: One line; Prometheus' template.
        description: What it means and what to look at; Prometheus' template, in which ``THRESHOLD`` stands for the
            threshold with its unit.
        dashboard: Where more is to be seen.
        chosen: Labels by the variables of the dashboard that they choose.
        about: When it fires, for the docs.
    """

    name: str
    expression: Callable[[float], str]
    threshold: float
    unit: Literal["share", "s", "°C", "requests/s", "items/s", ""]
    delay_s: float
    severity: Literal["warning", "critical"]
    summary: str
    description: str
    dashboard: Dashboard
    chosen: tuple[tuple[str, str], ...]
    about: str

    def threshold_text(self, threshold: float) -> str:
        """Return a threshold as one would say it."""
        if self.unit == "share":
            return f"{threshold * 100:g} %"
        if self.unit == "s":
            return _duration(threshold)
        return f"{threshold:g} {self.unit}".rstrip()

    def delay_text(self) -> str:
        """Return how long it must hold, as one would say it."""
        return _duration(self.delay_s) if self.delay_s else "at once"


def _duration(seconds: float) -> str:
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} s"
