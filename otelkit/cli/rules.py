# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``otelkit rules``: recording and alert rules for Prometheus."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from otelkit.cli._files import write
from otelkit.config import load
from otelkit.dashboards.extra import require_extra
from otelkit.exceptions import ConfigurationError

__all__ = ("add_arguments", "main")

_EPILOG = """\
  otelkit rules write prometheus/rules
  otelkit rules write prometheus/rules --threshold HighErrorRate=0.01 --delay HighErrorRate=60

Thresholds stand in otelkit.toml as well, under [alert_thresholds] and
[alert_delays_s]; docs/alerts.md lists the alerts. Needs pip install 'otelkit[grafana]'.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(dest="action", required=True, metavar="write")
    writing = actions.add_parser("write", help="write the rules into a folder", allow_abbrev=False)
    writing.add_argument(
        "folder", nargs="?", type=Path, default=Path("rules"), help="made when needed (default: rules)"
    )
    for option, what in (("threshold", "where an alert begins"), ("delay", "how long it must hold, in seconds")):
        writing.add_argument(
            f"--{option}",
            action="append",
            type=_pair,
            default=[],
            metavar="ALERT=NUMBER",
            help=f"{what}; again for more",
        )
    writing.add_argument(
        "--grafana-url", default="http://localhost:3000", metavar="URL", help="where alerts link to (localhost:3000)"
    )
    writing.add_argument("--config-file", metavar="FILE", help="read this file instead of the nearest otelkit.toml")


def main(arguments: argparse.Namespace) -> int:
    """Write the files."""
    require_extra()
    from otelkit.rules.rules_yaml import rendered
    from otelkit.rules.thresholds import configured

    if not arguments.grafana_url.startswith(("http://", "https://")):
        raise ConfigurationError("http:// or https://", arguments.grafana_url, "--grafana-url", "http://localhost:3000")
    settings = load(arguments.config_file)
    thresholds = {**settings.alert_thresholds, **dict(arguments.threshold)}
    delays = {**settings.alert_delays_s, **dict(arguments.delay)}
    settings = load(arguments.config_file, os.environ, alert_thresholds=thresholds, alert_delays_s=delays)
    write(arguments.folder, rendered(configured(settings), grafana_url=arguments.grafana_url))
    return 0


def _pair(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected ALERT=NUMBER, got {text!r}") from None
