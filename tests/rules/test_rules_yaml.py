# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The committed rules are what the code says now, and each leads somewhere. promtool's judgement: tests/promtool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.dashboards.catalogue import DASHBOARDS
from otelkit.exporters._prometheus_names import metric_name
from otelkit.rules.alerts import ALERTS
from otelkit.rules.recordings import RECORDINGS
from otelkit.rules.rule import Alert
from otelkit.rules.rules_yaml import rendered

COMMITTED = Path(__file__).parents[2] / "collector-config" / "rules"
COLLECTORS = {
    f"otelcol_exporter_{what}_failed_{items}(_total)?"
    for what in ("send", "enqueue")
    for items in ("spans", "metric_points", "log_records")
}
NOT_OURS = {"up", "otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"} | COLLECTORS
"""Metrics that Prometheus and Collectors make."""


def test_the_committed_rules_are_current() -> None:
    """`make docs` would change no byte, and nothing else lies there."""
    assert {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.iterdir()} == rendered()


def test_names_are_given_once() -> None:
    """Of recordings and of alerts."""
    names = [each.name for each in (*RECORDINGS, *ALERTS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_why_and_where(alert: Alert) -> None:
    """Summary, description with the threshold in it, and a dashboard that has the variables that the link chooses."""
    assert "{{ $labels." in alert.summary
    assert "THRESHOLD" in alert.description or alert.name == "TelemetryTargetDown"
    assert alert.dashboard in DASHBOARDS
    assert {variable for variable, _ in alert.chosen} <= {each.name for each in alert.dashboard.variables}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_threshold_is_in_the_expression(alert: Alert) -> None:
    """Another threshold, another expression."""
    assert alert.expression(alert.threshold) != alert.expression(alert.threshold + 1)


def test_every_metric_is_of_the_vocabulary_or_recorded() -> None:
    """No name is spelled by hand: what a rule asks for is something that otelkit, a recording or Prometheus makes."""
    recorded = {each.name for each in RECORDINGS}
    made = {metric_name(value) for value in vars(semconv).values() if isinstance(value, Metric)}
    made |= {f"{name}_bucket" for name in made}
    for rule in (*RECORDINGS, *ALERTS):
        text = rule.expression(rule.threshold) if isinstance(rule, Alert) else rule.expression
        text = re.sub(r"by \([^)]*\)", "", text)
        asked = set(re.findall(r"(?:^|[ (])([a-z][a-z0-9_:]*)(?= *(?:[{[)>/<]|$| [<>]| or | unless ))", text))
        asked |= {name.removeprefix("(.+_)?") for name in re.findall(r'__name__=~"([^"]+)"', text)}
        assert asked, text
        assert asked <= made | recorded | NOT_OURS, rule.name


def test_links_go_to_the_grafana_that_is_given() -> None:
    """A slash at its end does no harm."""
    text = rendered(grafana_url="https://grafana.example/sub/")["otelkit-alerts.yaml"]
    (group,) = yaml.safe_load(text)["groups"]
    pages = [rule["annotations"]["dashboard"] for rule in group["rules"]]
    assert len(pages) == len(ALERTS)
    assert all(page.startswith("https://grafana.example/sub/d/otelkit-") for page in pages)


def test_no_delay_is_no_for() -> None:
    """Prometheus then fires at once."""
    (group,) = yaml.safe_load(rendered()["otelkit-alerts.yaml"])["groups"]
    delays = {rule["alert"]: rule.get("for") for rule in group["rules"]}
    assert delays == {alert.name: f"{alert.delay_s:g}s" if alert.delay_s else None for alert in ALERTS}
