# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The command: ``python -m benchmarks``; ``--help`` says what it takes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import environments
from benchmarks.cases import CASES, RIVALS, Case, Rival

RESULTS = environments.ROOT / "benchmarks" / "RESULTS.md"
README = environments.ROOT / "README.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the environments, measure, print; set-up happens in whatever Python runs this, the rest in ``main``'s."""
    options = parse(arguments)
    rivals = [rival for rival in RIVALS if options.rivals is None or rival.key in options.rivals]
    absent = create_environments({"main", *(rival.environment for rival in rivals)})
    if Path(sys.prefix) != environments.CACHE / "main":
        python = str(environments.python("main"))
        os.chdir(environments.ROOT)
        os.execv(python, [python, "-m", "benchmarks", *(sys.argv[1:] if arguments is None else arguments)])
    rivals = [rival for rival in rivals if rival.environment not in absent]
    measure_and_print(options, rivals, list(absent.values()))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What otelkit costs beside its rivals.")
    cases, rivals = ", ".join([*(case.key for case in CASES), "import"]), ", ".join(rival.key for rival in RIVALS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, for a first look")
    parser.add_argument("--only", type=names, metavar="CASES", help=f"comma-separated, of {cases}")
    parser.add_argument("--rivals", type=names, metavar="RIVALS", help=f"comma-separated, of {rivals}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all values, for pyperf compare_to")
    parser.add_argument("--write", action="store_true", help="also write RESULTS.md and the README's ratios")
    return parser.parse_args(arguments)


def names(text: str) -> frozenset[str]:
    """Split a comma-separated option."""
    return frozenset(text.split(","))


def create_environments(wanted: set[str]) -> dict[str, str]:
    """Make what is missing; returns, by name, why one could not be made. Without ``main`` nothing can be measured."""
    absent: dict[str, str] = {}
    for name in sorted(wanted):
        try:
            environments.create(name)
        except RuntimeError as error:
            if name == "main":
                raise SystemExit(str(error)) from None
            absent[name] = str(error)
    return absent


def measure_and_print(options: argparse.Namespace, rivals: Sequence[Rival], errors: list[str]) -> None:
    """The rest of the run, in the environment that has pyperf."""
    from benchmarks import archive, imports, readme, report
    from benchmarks.contest import QUICK, Contest, Effort
    from benchmarks.spread import Measured

    effort = QUICK if options.quick else Effort()
    contest = Contest(rivals, effort)
    contest.results.errors.extend(errors)
    results = contest.run(chosen(options.only))
    unwanted = None
    if options.only is None or "import" in options.only:
        imports.measure(results, effort.imports)
        unwanted = imports.unwanted()
    machine: dict[str, Any] = archive.machine()
    page = report.page(results, machine, unwanted, datetime.now(UTC), options.quick)
    print(page)
    if options.json:
        archive.write(results, options.json)
    if options.write:
        RESULTS.write_text(page + "\n")
        measured = Measured(results.values, results.bare)
        README.write_text(readme.updated(README.read_text(), measured, datetime.now(UTC)))


def chosen(keys: frozenset[str] | None) -> list[Case]:
    """The cases named on the command line; all when none was."""
    return [case for case in CASES if keys is None or case.key in keys]


if __name__ == "__main__":
    main()
