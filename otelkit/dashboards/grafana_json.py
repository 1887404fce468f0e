# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Dashboards as the JSON that Grafana imports, built with Grafana's own package.

The data source is a choice of the dashboard; the one with the uid ``prometheus`` is chosen where it exists.
"""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import common as shared
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from otelkit.dashboards.catalogue import DASHBOARDS
from otelkit.dashboards.panel import COLUMNS, Dashboard, Panel, Query, Variable

__all__ = ("DATA_SOURCE", "all_rendered", "rendered")

DATA_SOURCE = "prometheus"
"""Uid of the data source in collector-config/grafana."""

_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_LINES_HEIGHT, _NUMBER_HEIGHT = 8, 4
_GREEN, _RED = "green", "red"


def rendered(dashboard: Dashboard, *, interval_s: int = 60, data_source: str = DATA_SOURCE) -> str:
    """
    Return the JSON of a dashboard; the same input gives the same bytes.

    Args:
        interval_s: How often programs export, or are scraped. Rates look back over four times as long, so that each
            sees at least two values.
        data_source: Uid of the Prometheus data source that is chosen at first.
    """
    builder = (
        board.Dashboard(dashboard.title)
        .uid(dashboard.uid)
        .description(dashboard.description)
        .tags(["otelkit"])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .link(_links())
        .with_variable(_source_choice(data_source))
    )
    for variable in dashboard.variables:
        builder = builder.with_variable(_choice(variable))
    number = 1
    for row in dashboard.rows:
        heading = board.Row(row.title).id(number).collapsed(row.folded)
        builders = [_panel(panel, number + place, interval_s) for place, panel in enumerate(row.panels, 1)]
        number += len(builders) + 1
        if row.folded:
            for panel in builders:
                heading = heading.with_panel(panel)
        builder = builder.with_row(heading)
        if not row.folded:
            for panel in builders:
                builder = builder.with_panel(panel)
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def all_rendered(*, interval_s: int = 60, data_source: str = DATA_SOURCE) -> dict[str, str]:
    """Return the JSON of every dashboard by its file's name."""
    return {f"{each.uid}.json": rendered(each, interval_s=interval_s, data_source=data_source) for each in DASHBOARDS}


def _links() -> board.DashboardLink:
    return (
        board.DashboardLink("otelkit")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags(["otelkit"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def _source_choice(uid: str) -> board.DatasourceVariable:
    return (
        board.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(models.VariableOption(selected=True, text=uid, value=uid))
    )


def _choice(variable: Variable) -> board.QueryVariable:
    return (
        board.QueryVariable(variable.name)
        .label(variable.title)
        .datasource(_SOURCE)
        .query({"query": f"label_values({variable.series}, {variable.label})", "refId": "Choice"})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _panel(panel: Panel, number: int, interval_s: int) -> Any:
    builder = {"heatmap": _heatmap, "number": _number}.get(panel.kind, _lines)(panel)
    builder = (
        builder.id(number)
        .title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .no_value(panel.empty)
        .span(min(panel.width, COLUMNS))
        .height(_NUMBER_HEIGHT if panel.kind == "number" else _LINES_HEIGHT)
        .thresholds(_thresholds(panel.limit))
    )
    if panel.maximum is not None:
        builder = builder.max(panel.maximum)
    for place, query in enumerate(panel.queries):
        builder = builder.with_target(_target(query, panel, chr(ord("A") + place), interval_s))
    return builder


def _target(query: Query, panel: Panel, letter: str, interval_s: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(query.expression)
        .legend_format(query.legend)
        .exemplar(query.exemplars)
        .format(PromQueryFormat.HEATMAP if panel.kind == "heatmap" else PromQueryFormat.TIME_SERIES)
        .range()
        .interval(f"{interval_s}s")
        .ref_id(letter)
        .datasource(_SOURCE)
    )


def _thresholds(limit: float | None) -> board.ThresholdsConfig:
    steps = [models.Threshold(value=None, color=_GREEN)]
    if limit is not None:
        steps.append(models.Threshold(value=limit, color=_RED))
    return board.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _lines(panel: Panel) -> timeseries.Panel:
    stacked = panel.kind == "stacked"
    builder = (
        timeseries.Panel()
        .min(0)
        .line_width(1)
        .fill_opacity(40 if stacked else 8)
        .show_points(common.VisibilityMode.AUTO)
        .tooltip(shared.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .legend(
            shared.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if stacked:
        builder = builder.stacking(shared.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.limit is not None:
        style = shared.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        builder = builder.thresholds_style(style)
    return builder


def _number(panel: Panel) -> stat.Panel:
    plain = panel.limit is None
    return (
        stat.Panel()
        .graph_mode(common.BigValueGraphMode.AREA)
        .color_mode(common.BigValueColorMode.NONE if plain else common.BigValueColorMode.VALUE)
        .reduce_options(shared.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _heatmap(panel: Panel) -> heatmap.Panel:
    return (
        heatmap.Panel()
        .calculate(False)
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmaps.HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .reverse(False)
            .steps(32)
        )
        .show_legend()
        .show_y_histogram()
        .exemplars_color("rgba(255,0,255,0.7)")
    )
