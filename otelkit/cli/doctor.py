# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``otelkit doctor``: what is configured, whether it works, and what to do where it does not.

Each finding is ok, note, warning or broken; only broken ones make the exit
code 1. Endpoints are really asked, side by side, two seconds each at most.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

from otelkit.cli import _checks_configuration, _report
from otelkit.cli._findings import Finding, Status, worst
from otelkit.cli._parallel import run_all
from otelkit.config import Settings
from otelkit.masking import Masker

__all__ = ("add_arguments", "main")

_EXIT_BROKEN = 1
_TIMEOUT_S = 4.0

_EPILOG = """\
Run it where the program runs: with the same environment, in the same folder,
with the same Python.

Exit code: 0 when nothing is broken (warnings do not count), 1 when something
is, 2 for wrong usage.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _EPILOG
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--url", help="the page of a running program to ask; else that on the configured port")
    parser.add_argument("--overhead", action="store_true", help="measure what otelkit costs on this machine (seconds)")
    parser.add_argument(
        "--calls-per-second", type=_rate, metavar="N", help="the program's rate, for --overhead; else read from --url"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list settings that are at their defaults, too")


def main(arguments: argparse.Namespace) -> int:
    """Check, print, and return 1 if something is broken."""
    settings, findings = _checks_configuration.check()
    findings += run_all(_checks(settings), _TIMEOUT_S)
    findings = [*map(_masked, [*findings, *_of_a_program(settings, arguments)])]
    shown = _checks_configuration.shown_settings(settings) if settings else []
    if arguments.json:
        _print_json(_report.as_json(findings, shown, _version()))
    else:
        _report.write_text(sys.stdout, findings, shown, verbose=arguments.verbose)
    return _EXIT_BROKEN if worst(findings) is Status.BROKEN else 0


def _checks(settings: Settings | None) -> list[Callable[[], list[Finding]]]:
    # Imported here: `otelkit doctor --help` needs none of it.
    from otelkit.cli import _checks_endpoints, _checks_environment, _checks_instrumentors

    endpoints = _checks_endpoints.checks(settings) if settings and settings.enabled else [_no_endpoints]
    return [
        *endpoints,
        _checks_environment.check_providers,
        _checks_instrumentors.check_instrumentors,
        _checks_environment.check_fork_model,
        _checks_environment.check_gpu,
        _checks_environment.check_environment,
    ]


def _of_a_program(settings: Settings | None, arguments: argparse.Namespace) -> list[Finding]:
    from otelkit.cli import _checks_running

    if arguments.url:
        found = _checks_running.check(arguments.url, settings)
    else:
        found = _checks_running.check_configured(settings)
    if arguments.overhead:
        from otelkit.cli import _overhead

        # By itself: what runs beside it would be measured too.
        found += _overhead.check(settings, arguments.calls_per_second, arguments.url)
    return found


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return number


def _masked(finding: Finding) -> Finding:
    """Return ``finding`` without credentials: messages of libraries and command lines may hold some."""
    masker = Masker()
    return finding._replace(message=masker.text(finding.message), fix=masker.text(finding.fix))


def _no_endpoints() -> list[Finding]:
    text = "Not asked: the configuration is broken, or otelkit is off."
    return [Finding("Endpoints", "endpoint", Status.NOTE, text)]


def _print_json(report: dict) -> None:
    import json

    print(json.dumps(report, indent=2, ensure_ascii=True))


def _version() -> str:
    from importlib.metadata import version

    return version("otelkit")
