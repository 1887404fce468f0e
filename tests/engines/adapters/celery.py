# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Celery: a Redis, a prefork worker and a program that submits, each under ``otelkit run``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from engines.adapters.batch import BatchAdapter, Truth
from engines.celery_system import System, redis
from support.otlp_receiver import OtlpReceiver


class CeleryAdapter(BatchAdapter):
    """Prefork, two processes."""

    name = "Celery, prefork"
    engine = "celery"
    lacks: ClassVar[Mapping[str, str]] = {}

    def run(self, scenario: str, receiver: OtlpReceiver, folder: Path) -> Truth:
        options = ["--pool=prefork", "--concurrency=2"]
        if scenario in ("recycled", "many"):
            options.append(f"--max-tasks-per-child={500 if scenario == 'many' else 5}")
        with redis(folder) as broker:
            system = System("celery_program", receiver, broker, folder, *options)
            try:
                said = system.submit(scenario, *([str(self.many)] if scenario == "many" else []), timeout_s=280)
            finally:
                system.stop()
        return Truth(**json.loads(said.splitlines()[-1]))
