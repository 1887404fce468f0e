# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What test_vocabulary.py needs to know of a batch engine; one small class for each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from support.otlp_receiver import OtlpReceiver
from support.program import environment

PROGRAMS = Path(__file__).parents[1] / "programs"

CAPABILITIES = ("retried", "cancelled", "timed_out", "worker_lost", "recycled")
"""What an engine may have or lack; all of them submit, run, fail and carry context."""


@dataclass
class Truth:
    """
    What a program knows that it has done, by its own account; the receiver is to agree.

    Attributes:
        statuses: Jobs by status, those of zero left out; ``running`` too, where a worker was killed in mid-run, for
            nobody may be left to tell that it had begun.
        errors: Failed jobs by ``error.type``.
        batches: Batches that were handed over, of how many jobs each.
    """

    statuses: dict[str, int]
    errors: dict[str, int] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)


class BatchAdapter:
    """
    One engine.

    Attributes:
        name: In test names and in docs/batch.md.
        engine: Value of ``batch.engine``.
        lacks: Of `CAPABILITIES`, those that the engine does not have, and why.
        many: Jobs of the scenario ``many``.
    """

    name: ClassVar[str]
    engine: ClassVar[str]
    lacks: ClassVar[Mapping[str, str]] = {}
    many: ClassVar[int] = 10_000

    def run(self, scenario: str, receiver: OtlpReceiver, folder: Path) -> Truth:
        """
        Run a program to its end, everything delivered, and return what it knows it has done.

        Args:
            scenario: ``complete``: some jobs that end well, one batch among them. ``fail``: some raise ValueError.
                ``context``: three jobs, submitted in a span named ``submitter``, each with a span ``inside``.
                ``many``: `many` jobs with failures, retries and recycled workers, as far as the engine has them.
                And each of `CAPABILITIES`: jobs that are retried, cancelled before they run, ended by a time limit
                (``timed_out``), or whose worker dies in mid-run (``worker_lost``).
            receiver: Where the telemetry goes.
            folder: Empty, for whatever it needs.
        """
        raise NotImplementedError


class ProgramAdapter(BatchAdapter):
    """An engine without servers: one program under ``otelkit run``, which prints its truth as JSON."""

    program: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]] = ()
    options: tuple[str, ...] = ()
    """Of ``otelkit run``."""

    def run(self, scenario: str, receiver: OtlpReceiver, folder: Path) -> Truth:
        many = scenario == "many"
        words = [self.program, *self.arguments, scenario, *([str(self.many)] if many else [])]
        done = subprocess.run(
            [sys.executable, "-m", "otelkit", "run", *self.options, "--", sys.executable, *words],
            # Nothing is exported before the end of each process: what arrives, its end has delivered.
            env=environment(receiver, OTELKIT_EXPORT_INTERVAL_S="3600", OTELKIT_SHUTDOWN_TIMEOUT_S="20"),
            cwd=PROGRAMS,
            capture_output=True,
            text=True,
            timeout=280 if many else 110,
        )
        assert done.returncode == 0, done.stderr
        return Truth(**json.loads(done.stdout.splitlines()[-1]))
