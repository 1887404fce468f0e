# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the jobs of the programs do, and how a program accounts for them; none of it knows otelkit."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from opentelemetry import trace


def work(number: int) -> int:
    """End well."""
    return number * 2


def refuse(number: int) -> int:
    """Fail each tenth time."""
    if number % 10 == 3:
        raise ValueError(number)
    return number * 2


def inside(number: int) -> int:
    """Make a span of the program's own."""
    with trace.get_tracer("program").start_as_current_span("inside"):
        return number


def sleep(seconds: float) -> None:
    """Take its time."""
    time.sleep(seconds)


def wait_for(path: str) -> None:
    """Say that it has begun, and wait for a file, as long as a test may take at most."""
    open(f"{path}.begun", "a").close()
    end = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.005)


def wait_for_begun(path: str) -> None:
    """Wait until somebody waits for a file."""
    while not os.path.exists(f"{path}.begun"):
        time.sleep(0.005)


def die(_: Any = None) -> None:
    """Take the worker along."""
    os._exit(3)


class Account:
    """The program's own books."""

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self.errors: dict[str, int] = {}
        self.batches: list[int] = []

    def add(self, status: str, jobs: int = 1) -> None:
        """Note jobs of a status."""
        if jobs:
            self.statuses[status] = self.statuses.get(status, 0) + jobs

    def outcome(self, error: BaseException | None) -> None:
        """Note a job that was submitted and run, and how it ended."""
        self.add("submitted")
        self.add("running")
        self.add("failed" if error else "completed")
        if error:
            self.error(type(error).__name__)

    def error(self, kind: str, jobs: int = 1) -> None:
        """Note failed jobs of an error type."""
        self.errors[kind] = self.errors.get(kind, 0) + jobs

    def forget_running(self) -> None:
        """Workers are killed: nobody can tell how many runs they had begun."""
        self.statuses.pop("running", None)

    def close(self) -> None:
        """Print them."""
        print(json.dumps({"statuses": self.statuses, "errors": self.errors, "batches": self.batches}))


def main(scenarios: dict[str, Any]) -> None:
    """Run ``program.py [engine] scenario [argument]`` and print the account."""
    *_, name = [word for word in sys.argv[1:] if not word.isdecimal()]
    account = Account()
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    scenarios[name](account, *numbers)
    account.close()
