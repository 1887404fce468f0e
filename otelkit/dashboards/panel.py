# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a dashboard is made of, as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ("Dashboard", "Panel", "Query", "Row", "Variable")

COLUMNS = 24
"""Of Grafana's grid."""


@dataclass(frozen=True, slots=True)
class Query:
    """
    One expression of a panel.

    Args:
        expression: PromQL, with Grafana's variables.
        legend: Grafana's pattern for a series' name: ``{{action}}``.
        exemplars: Whether exemplars are drawn, as points that lead to their traces.
    """

    expression: str
    legend: str
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """
    One panel.

    Args:
        title: A few words.
        description: What it tells, for whoever hovers over the title.
        unit: Grafana's id of the unit.
        queries: One or more; a heatmap has one.
        kind: How it is drawn; ``stacked`` is a time series whose lines add up.
        width: Of 24 columns.
        limit: From where on the values are bad: a dashed line, or the colour of a number.
        maximum: End of the scale, where the unit has one.
        empty: What the panel says when there is nothing.
        may_be_empty: Why there may be nothing although all is well; empty where values are to be expected of any
            program for which the dashboard is.
    """

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Literal["lines", "stacked", "number", "heatmap"] = "lines"
    width: int = 12
    limit: float | None = None
    maximum: float | None = None
    empty: str = "No data"
    may_be_empty: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading; ``folded`` ones are opened by whoever wants them, and cost nothing until then."""

    title: str
    panels: tuple[Panel, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """
    One choice at the top of a dashboard: the values that a label has.

    Args:
        name: Of the variable, as in ``$service``.
        title: What the choice is called.
        label: Whose values they are.
        series: Selector of the series that are asked.
    """

    name: str
    title: str
    label: str
    series: str


@dataclass(frozen=True, slots=True)
class Dashboard:
    """
    One dashboard.

    Args:
        uid: By which Grafana, links and alerts know it; also its file's name.
        title: In Grafana's list.
        description: One sentence.
        variables: From left to right; each asks only what those before it leave.
        rows: From top to bottom.
    """

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]

    def panels(self) -> Iterator[Panel]:
        """Yield all panels, folded ones included."""
        for row in self.rows:
            yield from row.panels
