# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The committed dashboards are what the code says now, and what Grafana needs is in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.dashboards.catalogue import DASHBOARDS
from otelkit.dashboards.grafana_json import all_rendered, rendered
from otelkit.dashboards.panel import Dashboard, Panel
from otelkit.exporters._prometheus_names import metric_name

COMMITTED = Path(__file__).parents[2] / "collector-config" / "grafana" / "dashboards"
ALL_PANELS = [
    pytest.param(panel, id=f"{dashboard.title}: {panel.title}")
    for dashboard in DASHBOARDS
    for panel in dashboard.panels()
]

NOT_SHOWN = {
    semconv.SYSTEM_CPU_TIME,  # its rate is the utilization, which is shown
    semconv.SYSTEM_CPU_LOGICAL_COUNT,
    semconv.SYSTEM_CPU_PHYSICAL_COUNT,
    semconv.SYSTEM_MEMORY_UTILIZATION,  # the usage over the limit, both shown
    semconv.SYSTEM_PAGING_UTILIZATION,
    semconv.SYSTEM_FILESYSTEM_USAGE,
    semconv.SYSTEM_FILESYSTEM_LIMIT,
    semconv.SYSTEM_DISK_MERGED,
    semconv.PROCESS_CPU_TIME,
    semconv.PROCESS_MEMORY_VIRTUAL,
    semconv.PROCESS_MEMORY_UTILIZATION,
    semconv.CPYTHON_GC_COLLECTED_OBJECTS,
    semconv.CPYTHON_GC_UNCOLLECTABLE_OBJECTS,
}


def panels_of(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all panels of a rendered dashboard, those in folded rows and the rows' headings included."""
    return [each for panel in board["panels"] for each in (panel, *panel.get("panels", []))]


@pytest.mark.parametrize("name", sorted(all_rendered()))
def test_the_committed_dashboard_is_current(name: str) -> None:
    """`make docs` would change no byte."""
    assert (COMMITTED / name).read_text(encoding="utf-8") == all_rendered()[name]


def test_nothing_else_is_committed_among_them() -> None:
    """A dashboard that was renamed leaves no file behind."""
    assert {path.name for path in COMMITTED.iterdir()} == set(all_rendered())


def test_every_process_writes_the_same_bytes() -> None:
    """Hash seeds change the order of sets, and of nothing here."""
    code = (
        "import sys; from otelkit.dashboards.grafana_json import all_rendered; sys.stdout.write(repr(all_rendered()))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == repr(all_rendered())


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.title)
def test_ids_are_their_own_and_panels_do_not_overlap(dashboard: Dashboard) -> None:
    """Links name panels by id, and Grafana moves panels that overlap."""
    board = json.loads(rendered(dashboard))
    ids = [panel["id"] for panel in panels_of(board)]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not taken & cells
        taken |= cells


@pytest.mark.parametrize("panel", ALL_PANELS)
def test_a_panel_says_what_it_is(panel: Panel) -> None:
    """Title, description, unit, and what stands there when there is nothing."""
    assert panel.title
    assert panel.description.endswith(".")
    assert panel.unit
    assert panel.empty
    assert panel.queries
    assert all(query.legend for query in panel.queries)
    assert panel.kind != "heatmap" or len(panel.queries) == 1


def test_titles_of_a_dashboard_differ() -> None:
    """Within a row, at least: a person names a panel by both."""
    for dashboard in DASHBOARDS:
        for row in dashboard.rows:
            titles = [panel.title for panel in row.panels]
            assert len(set(titles)) == len(titles), (dashboard.title, row.title)


def test_every_metric_of_the_vocabulary_is_on_a_dashboard() -> None:
    """But for those whose figure another one tells."""
    expressions = " ".join(
        query.expression for dashboard in DASHBOARDS for panel in dashboard.panels() for query in panel.queries
    )
    declared = {value for value in vars(semconv).values() if isinstance(value, Metric)}
    declared |= set(semconv.call_metrics(semconv.FUNCTION))
    assert {metric for metric in declared if metric_name(metric) not in expressions} == NOT_SHOWN


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.title)
def test_every_choice_is_used_and_asks_only_what_stands_before_it(dashboard: Dashboard) -> None:
    """A choice that changes nothing misleads."""
    known: list[str] = []
    for variable in dashboard.variables:
        for earlier in known:
            assert f'=~"${earlier}"' in variable.series
        known.append(variable.name)
        used = [
            any(f'${variable.name}"' in query.expression for query in panel.queries) for panel in dashboard.panels()
        ]
        assert any(used)
    for panel in dashboard.panels():
        for query in panel.queries:
            assert 'job=~"$service"' in query.expression
            assert 'instance=~"$instance"' in query.expression


def test_the_latency_panels_draw_exemplars() -> None:
    """Points that lead to traces, on the response time of services and the duration of steps."""
    for name, title in (("otelkit-services.json", "Response time"), ("otelkit-inference.json", "Duration")):
        (panel,) = [each for each in panels_of(json.loads(all_rendered()[name])) if each["title"] == title]
        assert any(target["exemplar"] for target in panel["targets"])
        assert all("_bucket" in target["expr"] for target in panel["targets"])


def test_the_interval_decides_how_far_rates_look_back() -> None:
    """Grafana takes four times a query's interval for $__rate_interval."""
    board = json.loads(rendered(DASHBOARDS[0], interval_s=15))
    intervals = {target["interval"] for panel in panels_of(board) for target in panel.get("targets", [])}
    assert intervals == {"15s"}


def test_the_data_source_is_a_choice() -> None:
    """`prometheus` at first, and any other where that does not exist."""
    board = json.loads(rendered(DASHBOARDS[0], data_source="mimir"))
    first = board["templating"]["list"][0]
    assert (first["name"], first["query"], first["current"]["value"]) == ("datasource", "prometheus", "mimir")
    sources = {panel["datasource"]["uid"] for panel in panels_of(board) if "targets" in panel}
    assert sources == {"${datasource}"}


@pytest.mark.parametrize("name", sorted(all_rendered()))
def test_grafanas_own_package_reads_it_again(name: str) -> None:
    """And finds in it exactly what was written: nothing is there that its models do not know."""
    read = models.Dashboard.from_json(json.loads(all_rendered()[name]))
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == json.loads(all_rendered()[name])
