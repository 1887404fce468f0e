# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A rival's process: answers one request a line on standard input with one line of JSON.

The driver holds the processes of all rivals open and asks them in turn, some
milliseconds each, so that a noisy second of a shared machine falls on all.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.loops import Timing

Built = Timing | Callable[[], float]


class Worker:
    """The cases of one rival, each built when first asked for."""

    def __init__(self, module: str) -> None:
        self._rival = import_module(f"benchmarks.rivals.{module}")
        self._built: dict[str, Built] = {}

    def describe(self) -> dict[str, Any]:
        """Which cases this rival takes part in, and which versions it runs."""
        return {"cases": list(self._rival.CASES), "versions": dict(map(installed, self._rival.DISTRIBUTIONS))}

    def calibrate(self, case: str, seconds: float) -> dict[str, Any]:
        """Find how many loops, a multiple of 100, take about ``seconds``; it warms the case up as well."""
        timing = self._timing(case)
        if (one := timing.loop(100)) > 100 * seconds:  # heavy: a scrape is timed one by one
            return {"loops": 1}
        loops = 100
        while (one := timing.loop(loops)) < seconds / 2 and loops < 10_000_000:
            loops *= 2 if one < seconds / 8 else 1
            if one >= seconds / 8:
                break
        loops = max(100, int(loops * seconds / max(one, 1e-9)) // 100 * 100)
        timing.loop(loops)
        return {"loops": loops}

    def measure(self, case: str, loops: int) -> dict[str, Any]:
        """Time the bare loop and the instrumented one, seconds per call."""
        timing = self._timing(case)
        return {"bare": timing.bare(loops) / loops, "seconds": timing.loop(loops) / loops}

    def number(self, case: str) -> dict[str, Any]:
        """Ask a case that measures in its own way: one scrape's seconds, or bytes a series."""
        measured = self._build(case)
        assert not isinstance(measured, Timing)
        return {"value": measured()}

    def _timing(self, case: str) -> Timing:
        timing = self._build(case)
        assert isinstance(timing, Timing)
        return timing

    def _build(self, case: str) -> Built:
        if case not in self._built:
            self._built[case] = self._rival.CASES[case]()
        return self._built[case]


def installed(distribution: str) -> tuple[str, str]:
    """A distribution and its version; otelkit is measured from the checkout, which has none of its own."""
    try:
        return distribution, version(distribution)
    except PackageNotFoundError:
        return distribution, "checkout"


def main() -> None:
    """Serve until standard input ends. What the rivals print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:  # the driver prints it in the rival's row and goes on with the others
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
