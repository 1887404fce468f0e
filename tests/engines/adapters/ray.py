# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Ray."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from engines.adapters.batch import ProgramAdapter, Truth
from support.otlp_receiver import OtlpReceiver


class RayAdapter(ProgramAdapter):
    """Tasks and actors on a cluster of one machine; a local mode Ray has no longer."""

    name = "Ray"
    engine = "ray"
    program = "ray_program.py"
    lacks: ClassVar[Mapping[str, str]] = {"timed_out": "get(timeout) stops waiting, the task goes on"}

    def run(self, scenario: str, receiver: OtlpReceiver, folder: Path) -> Truth:
        # Ten of Ray's own processes are Python's, and take a second each to be set up: once is enough. Otherwise the
        # workers report as the driver tells them to.
        self.options = () if scenario == "complete" else ("--no-children",)
        return super().run(scenario, receiver, folder)
