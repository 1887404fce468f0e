# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Rules as the files that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from otelkit.rules.alerts import ALERTS
from otelkit.rules.recordings import RECORDINGS
from otelkit.rules.rule import Alert

__all__ = ("GRAFANA_URL", "rendered")

GRAFANA_URL = "http://localhost:3000"

_HEAD = "# Made by `otelkit rules write`; docs/alerts.md says what each means and how to change its threshold.\n"


def rendered(alerts: Iterable[Alert] = ALERTS, *, grafana_url: str = GRAFANA_URL) -> dict[str, str]:
    """
    Return the text of every file by its name; the same input gives the same bytes.

    Args:
        grafana_url: Where alerts link to.
    """
    recorded = [{"record": each.name, "expr": each.expression} for each in RECORDINGS]
    fired = [_alert(each, grafana_url.rstrip("/")) for each in alerts]
    return {
        "otelkit-recordings.yaml": _file("otelkit-recordings", recorded),
        "otelkit-alerts.yaml": _file("otelkit-alerts", fired),
    }


def _alert(alert: Alert, grafana_url: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": alert.name, "expr": alert.expression(alert.threshold)}
    if alert.delay_s:
        rule["for"] = f"{alert.delay_s:g}s"
    description = alert.description.replace("THRESHOLD", alert.threshold_text(alert.threshold))
    rule["labels"] = {"severity": alert.severity}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": description,
        "dashboard": grafana_url + _page(alert),
    }
    return rule


def _page(alert: Alert) -> str:
    """Return the path of its dashboard, with what the alert is about chosen."""
    chosen = "&".join(f"var-{variable}={{{{ $labels.{name} | urlquery }}}}" for variable, name in alert.chosen)
    return f"/d/{alert.dashboard.uid}" + (f"?{chosen}" if chosen else "")


def _file(group: str, rules: list[dict[str, Any]]) -> str:
    text: str = yaml.safe_dump(
        {"groups": [{"name": group, "rules": rules}]}, sort_keys=False, allow_unicode=True, width=1_000_000
    )
    return _HEAD + text
