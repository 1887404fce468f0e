# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``otelkit dashboards``: Grafana's dashboards, written to files or into a Grafana."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from otelkit.cli._files import write
from otelkit.dashboards.extra import require_extra

__all__ = ("add_arguments", "main")

_TOKEN = "GRAFANA_TOKEN"  # noqa: S105 - a variable's name
_EPILOG = """\
  otelkit dashboards write grafana/dashboards
  GRAFANA_TOKEN=glsa_... otelkit dashboards import --url https://grafana.example
  otelkit dashboards import --url http://localhost:3000 --dry-run

For Grafana 11.6 and newer; needs pip install 'otelkit[grafana]'.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", required=True, metavar="write|import")
    writing = actions.add_parser("write", help="write the dashboards' JSON into a folder", allow_abbrev=False)
    writing.add_argument(
        "folder", nargs="?", type=Path, default=Path("dashboards"), help="made when needed (default: dashboards)"
    )
    importing = actions.add_parser("import", help="put the dashboards into a Grafana", allow_abbrev=False)
    importing.add_argument("--url", required=True, help="Grafana's address: http://localhost:3000")
    importing.add_argument(
        "--token", help=f"of a service account; better in the variable {_TOKEN}, which process lists do not show"
    )
    importing.add_argument("--folder", default="otelkit", help="title of Grafana's folder, made when needed")
    importing.add_argument("--overwrite", action="store_true", help="replace dashboards that are there already")
    importing.add_argument("--dry-run", action="store_true", help="ask and say what would be done, and do nothing")
    for each in (writing, importing):
        each.add_argument(
            "--interval", type=_seconds, default=60, metavar="S",
            help="how often programs export or are scraped, in seconds (default 60)",
        )  # fmt: skip
        each.add_argument("--data-source", default="prometheus", metavar="UID", help="chosen at first (prometheus)")


def main(arguments: argparse.Namespace) -> int:
    """Write or import; returns 1 if a dashboard was there already and had to stay."""
    require_extra()
    from otelkit.dashboards.grafana_json import all_rendered

    found = all_rendered(interval_s=arguments.interval, data_source=arguments.data_source)
    if arguments.action == "write":
        write(arguments.folder, found)
        return 0
    return _import(arguments, [json.loads(text) for text in found.values()])


def _import(arguments: argparse.Namespace, dashboards: list[dict[str, object]]) -> int:
    from otelkit.dashboards.grafana_api import Grafana

    grafana = Grafana(arguments.url, arguments.token or os.environ.get(_TOKEN, ""))
    would = "would be " if arguments.dry_run else ""
    folder = grafana.folder(arguments.folder)
    if folder is None:
        folder = "" if arguments.dry_run else grafana.create_folder(arguments.folder)
        print(f"folder {arguments.folder}: {would}created")
    stayed = 0
    for dashboard in dashboards:
        title, uid = dashboard["title"], str(dashboard["uid"])
        exists = grafana.has_dashboard(uid)
        if exists and not arguments.overwrite:
            stayed += 1
            print(f"{title}: there already, {would}left as it is; --overwrite replaces it")
            continue
        where = ""
        if not arguments.dry_run:
            where = " at " + grafana.put_dashboard(dashboard, folder, overwrite=arguments.overwrite)
        print(f"{title}: {would}{'replaced' if exists else 'created'}{where}")
    return 1 if stayed else 0


def _seconds(text: str) -> int:
    try:
        seconds = int(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"expected a whole number of seconds from 1 to 86400, got {text!r}")
    return seconds
