# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/dashboards-grafana.md, made from the dashboards."""

from __future__ import annotations

from otelkit.dashboards.catalogue import DASHBOARDS
from otelkit.dashboards.panel import Dashboard, Panel

__all__ = ("page",)

_INTRODUCTION = """\
<!-- Made by `python -m otelkit._pages dashboards-grafana > docs/dashboards-grafana.md`; a test holds it up to date. -->

# Dashboards for Grafana

Five dashboards, made from otelkit's own metric vocabulary: names, labels and units are translated by the same code that
writes `/metrics`, so a metric that is renamed is renamed here. They lie ready in
[collector-config/grafana/dashboards](../collector-config/grafana/dashboards), as JSON for Grafana 11.6 and newer. They
work whichever road the metrics take to Prometheus: scraped, through a Collector, or by its OTLP receiver.

## Getting them into Grafana

With docker-compose of [collector-config](../collector-config/README.md) they are there already. Into a Grafana of
yours:

```console
$ pip install 'otelkit[grafana]'
$ export GRAFANA_TOKEN=glsa_...        # a service account's, with the role Editor
$ otelkit dashboards import --url https://grafana.example --dry-run
$ otelkit dashboards import --url https://grafana.example
```

| option | what it does |
|---|---|
| `--folder TITLE` | Grafana's folder, made when needed; `otelkit` unless given |
| `--overwrite` | replaces dashboards that are there already; without it they stay, and the exit code is 1 |
| `--dry-run` | asks Grafana what is there, says what would be done, and changes nothing |
| `--token TOKEN` | in place of the variable; other users of the machine see it in the list of processes |
| `--interval S` | how often your programs export, or are scraped; 60 unless given |
| `--data-source UID` | of the Prometheus that is chosen at first; `prometheus` unless given |

`otelkit dashboards write FOLDER` writes the files instead, for provisioning or for another tool. The same version of
otelkit writes the same bytes.

`--interval` matters: rates look back over four times as long. With a shorter one than your programs' export interval
(`export_interval_s`, 60 seconds by default) graphs have gaps, with a much longer one they are smoother than they need
be.

Redirections are not followed (the token would go along): give the address that Grafana is really at, sub-path included.
The import follows the documentation of Grafana's HTTP API and is tested against a server that answers as it says; no
Grafana could be had where the tests run. A certificate of an authority of your own is accepted where `SSL_CERT_FILE`
names it.

## What is in them

At the top of each: the data source, the services (Prometheus' `job`: `service.name`, or the scrape's name), their
instances, and what the dashboard is about: GPUs, jobs, models. Everything is chosen at first. The dashboards link to
each other and take time and choices along.

Points on the panels of durations are exemplars: single requests, each with the way to its trace, where the data source
says which one has the traces (as the one in collector-config does).

A service with a prefix (`@otelkit.service(prefix="api_gateway_")`) is shown with the others. Functions with a name of
their own (`@otelkit.metered(name=...)`) and custom instruments have no panel: their names are yours.

A panel that stays empty says so in its own words, and the tables below say why that may be.
`otelkit.rules.expressions` lists every expression of every panel in a form that Prometheus executes; the tests
execute all of them on a real one, with the demo, a program that uses the whole vocabulary, and a fake driver's GPUs.

The pictures are no screenshots of Grafana, which is not to be had where these are made: they show what a real
Prometheus answered to each panel's query while the demo and the tests' programs sent to it, plotted by a script
(`make pictures`) in the dashboard's own arrangement, folded rows opened. Failures are made on purpose, the GPUs are
a fake driver's. In Grafana colours, legends and axes differ.
"""


def page() -> str:
    """Return the whole page."""
    return _INTRODUCTION + "".join(map(_section, DASHBOARDS))


def _section(dashboard: Dashboard) -> str:
    choices = ", ".join(variable.title.lower() for variable in dashboard.variables)
    lines = [
        f"\n## {dashboard.title}\n",
        f"{dashboard.description} Choices: {choices}. Uid: `{dashboard.uid}`.\n",
        f"![{dashboard.title}](dashboards/{dashboard.uid}.png)\n",
        "| row | panel | what it tells | empty where |",
        "|---|---|---|---|",
    ]
    for row in dashboard.rows:
        title = row.title + (" (folded)" if row.folded else "")
        lines += [_line(title, panel) for panel in row.panels]
    return "\n".join(lines) + "\n"


def _line(row: str, panel: Panel) -> str:
    cells = (row, panel.title, panel.description, panel.may_be_empty)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
