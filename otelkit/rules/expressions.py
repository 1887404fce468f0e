# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Every PromQL expression of every dashboard and rule, in a form that Prometheus executes.

Grafana's variables are replaced by what they stand for when everything is chosen, so that a list of these shows whether
a Prometheus has what the dashboards ask for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from otelkit.dashboards.catalogue import DASHBOARDS
from otelkit.dashboards.panel import Dashboard, Panel
from otelkit.dashboards.promql import RATE_WINDOW
from otelkit.rules.alerts import ALERTS
from otelkit.rules.recordings import RECORDINGS
from otelkit.rules.rule import Alert

__all__ = ("Expression", "executable", "expressions")

_VARIABLE = re.compile(r'=~"\$\w+"')
_QUIET = "an alert that does not fire has no value"


@dataclass(frozen=True, slots=True)
class Expression:
    """
    One expression.

    Args:
        where: Dashboard, row and panel, or the rule's name.
        kind: What it is for.
        text: As Prometheus takes it.
        may_be_empty: Why there may be nothing although all is well; empty where there must be something, once the
            programs report for which the dashboard is.
        exemplars: Whether its exemplars are drawn.
    """

    where: str
    kind: Literal["panel", "choice", "recording", "alert"]
    text: str
    may_be_empty: str = ""
    exemplars: bool = False


def expressions(window: str = "1m", alerts: Iterable[Alert] = ALERTS) -> Iterator[Expression]:
    """
    Yield all expressions.

    Args:
        window: What Grafana would put in for $__rate_interval: at least two exports or scrapes.
        alerts: With which thresholds.
    """
    for dashboard in DASHBOARDS:
        yield from _choices(dashboard, window)
        for row in dashboard.rows:
            for panel in row.panels:
                yield from _queries(f"{dashboard.title} / {row.title} / {panel.title}", panel, window)
    for recording in RECORDINGS:
        yield Expression(recording.name, "recording", recording.expression, recording.may_be_empty)
    for alert in alerts:
        yield Expression(alert.name, "alert", alert.expression(alert.threshold), _QUIET)


def executable(text: str, window: str) -> str:
    """Return ``text`` with Grafana's variables replaced."""
    return _VARIABLE.sub('=~".*"', text).replace(RATE_WINDOW, window)


def _queries(where: str, panel: Panel, window: str) -> Iterator[Expression]:
    for query in panel.queries:
        text = executable(query.expression, window)
        yield Expression(where, "panel", text, panel.may_be_empty, query.exemplars)


def _choices(dashboard: Dashboard, window: str) -> Iterator[Expression]:
    # A choice without values is as empty as the panels below it.
    reasons = {panel.may_be_empty for panel in dashboard.panels()}
    reason = next(iter(reasons)) if len(reasons) == 1 else ""
    for variable in dashboard.variables:
        text = executable(f"group by ({variable.label}) ({variable.series})", window)
        yield Expression(f"{dashboard.title} / {variable.title}", "choice", text, reason)
