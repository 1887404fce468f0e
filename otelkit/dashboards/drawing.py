# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Panels of one metric: its unit, its names and its legend come from the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otelkit._core._snapshot import Metric
from otelkit.dashboards.panel import Panel, Query
from otelkit.dashboards.promql import label, mean, quantile, rate, series, total
from otelkit.dashboards.units import rate_unit, unit_of

__all__ = ("Drawing", "legend")


def legend(*attributes: str) -> str:
    """Return Grafana's pattern that names a series by the values of ``attributes``."""
    return " ".join(f"{{{{{label(each)}}}}}" for each in attributes)


@dataclass(frozen=True, slots=True)
class Drawing:
    """
    How a group of panels is made.

    Args:
        matchers: What the dashboard's choices leave.
        by: Attributes that are kept apart in each panel; a panel may add its own.
        prefixed: See `otelkit.dashboards.promql.series`.
        empty: What a panel says when there is nothing.
        may_be_empty: Why there may be nothing.

    The methods take a panel's further fields as keywords.
    """

    matchers: Sequence[str]
    by: tuple[str, ...] = ()
    prefixed: bool = False
    empty: str = "No data"
    may_be_empty: str = ""

    def rate(self, metric: Metric, title: str, description: str, *more: str, how: str = "sum", **panel: Any) -> Panel:
        """Draw a counter's increase per second."""
        expression = total(rate(metric, *self.matchers, prefixed=self.prefixed), *self.by, *more, how=how)
        return self.panel(title, description, rate_unit(metric), expression, *more, **panel)

    def level(self, metric: Metric, title: str, description: str, *more: str, how: str = "sum", **panel: Any) -> Panel:
        """Draw a gauge or an up-down counter as it is."""
        expression = total(series(metric, *self.matchers, prefixed=self.prefixed), *self.by, *more, how=how)
        return self.panel(title, description, panel.pop("unit", unit_of(metric)), expression, *more, **panel)

    def quantile(
        self, metric: Metric, title: str, description: str, *more: str, share: float = 0.95, **panel: Any
    ) -> Panel:
        """Draw a quantile of a histogram, with exemplars."""
        by = (*self.by, *more)
        expression = quantile(share, metric, *self.matchers, by=by, prefixed=self.prefixed)
        return self.panel(title, description, unit_of(metric), expression, *more, exemplars=True, **panel)

    def mean(self, metric: Metric, title: str, description: str, *more: str, **panel: Any) -> Panel:
        """Draw the mean of a histogram."""
        expression = mean(metric, *self.matchers, by=(*self.by, *more), prefixed=self.prefixed)
        return self.panel(title, description, unit_of(metric), expression, *more, **panel)

    def spread(self, metric: Metric, title: str, description: str, **panel: Any) -> Panel:
        """Draw a histogram's buckets over time."""
        buckets = rate(metric, *self.matchers, part="bucket", prefixed=self.prefixed).replace("rate", "increase", 1)
        # Prometheus 3 writes le="5.0" for what it scrapes, le="5" for what comes by OTLP: one row of a heatmap, not two
        alike = f'label_replace({buckets}, "le", "$1", "le", "(.+)[.]0")'
        query = Query(total(alike, "le"), "{{le}}")
        return self._panel(title, description, unit_of(metric), (query,), kind="heatmap", **panel)

    def quantiles(self, metric: Metric, title: str, description: str, **panel: Any) -> Panel:
        """Draw p50, p95 and p99 over everything chosen, with exemplars."""
        queries = tuple(
            Query(quantile(share, metric, *self.matchers, prefixed=self.prefixed), f"p{share * 100:g}", share == 0.95)
            for share in (0.5, 0.95, 0.99)
        )
        return self._panel(title, description, unit_of(metric), queries, **panel)

    def panel(
        self,
        title: str,
        description: str,
        unit: str,
        expression: str,
        *more: str,
        exemplars: bool = False,
        **panel: Any,
    ) -> Panel:
        """Draw any expression whose series differ by ``by`` and ``more``."""
        name = panel.pop("name", legend(*self.by, *more) or title.lower())
        return self._panel(title, description, unit, (Query(expression, name, exemplars),), **panel)

    def _panel(self, title: str, description: str, unit: str, queries: tuple[Query, ...], **panel: Any) -> Panel:
        fields: dict[str, Any] = {"empty": self.empty, "may_be_empty": self.may_be_empty}
        return Panel(title, description, unit, queries, **fields | panel)
