# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/alerts.md, made from the rules."""

from __future__ import annotations

from otelkit.rules.alerts import ALERTS
from otelkit.rules.recordings import RECORDINGS
from otelkit.rules.rule import Alert

__all__ = ("page",)

_INTRODUCTION = """\
<!-- Made by `python -m otelkit._pages alerts > docs/alerts.md`; a test holds it up to date. -->

# Alert and recording rules for Prometheus

Made from otelkit's metric vocabulary like the [dashboards](dashboards-grafana.md), and lying ready in
[collector-config/rules](../collector-config/rules), which collector-config's Prometheus reads. Each alert has a
summary, a description and, as the annotation `dashboard`, a link to the dashboard that shows more, with what it is
about chosen.

```console
$ pip install 'otelkit[grafana]'
$ otelkit rules write /etc/prometheus/rules --grafana-url https://grafana.example
$ promtool check rules /etc/prometheus/rules/*.yaml
```

and in Prometheus' configuration:

```yaml
rule_files:
  - rules/*.yaml
```

## Alerts

| alert | fires when | threshold | for | severity | dashboard |
|---|---|---|---|---|---|
"""

_THRESHOLDS = """
A share is given as a number from 0 to 1. `critical` is meant to wake somebody up, `warning` to be read in the morning;
Alertmanager decides by the label `severity`.

## Thresholds of your own

In `otelkit.toml` (in `pyproject.toml`: `[tool.otelkit.alert_thresholds]`), by the alert's name; what is not named
stays:

```toml
[alert_thresholds]
HighErrorRate = 0.01
LowThroughput = 0            # never: this service may idle

[alert_delays_s]
HighErrorRate = 60
```

Then write the rules again. The same as options, which win over the file:

```console
$ otelkit rules write rules --threshold HighErrorRate=0.01 --delay HighErrorRate=60
```

and as variables: `OTELKIT_ALERT_THRESHOLDS=HighErrorRate=0.01,LowMemory=0.05`. A name that no alert has is a mistake,
and the nearest one is suggested. Text and expression change together. A threshold holds for all services; for one of
its own per service, write the rules twice, and let Alertmanager route by `job`.

## What they cannot see

- A program that sends to a Collector or to Prometheus tells nothing once it cannot send: `TelemetryExportFails` sees
  exports that fail among others that succeed, `TelemetrySilent` that nothing comes any more.
- A process that dies before its first export (60 seconds by default), without the end of the program being delivered,
  is in no metric: `CrashLoop` does not count it. Over OTLP each process has an `instance` of its own, unless
  `service.instance.id` is set; both ways are counted.
- A counter's first increment is not seen by `rate()` when its series begins with it: the first error of a service
  shows with the second.
- Two services of the same name and action behind different prefixes, in one process, cannot be told apart by their
  labels: Prometheus then refuses the expressions of services. Give them names of their own.

## Recording rules

Rates over five minutes, at which the alerts look and others may.

| record | what | empty where |
|---|---|---|
"""

_TESTED = """
## How they are tested

`make test-promtool` lets Prometheus' own promtool check syntax, templates and style, and plays cases to each alert:
values at which it must fire, with its labels and texts, and values that look alike at which it must not. `make
test-stack` has a real Prometheus evaluate all of them.
"""


def page() -> str:
    """Return the whole page."""
    alerts = "".join(map(_alert, ALERTS))
    recordings = "".join(f"| `{each.name}` | {each.about} | {each.may_be_empty} |\n" for each in RECORDINGS)
    return _INTRODUCTION + alerts + _THRESHOLDS + recordings + _TESTED


def _alert(alert: Alert) -> str:
    cells = (
        f"`{alert.name}`",
        alert.about,
        alert.threshold_text(alert.threshold),
        alert.delay_text(),
        alert.severity,
        alert.dashboard.title,
    )
    return "| " + " | ".join(cells) + " |\n"
