# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""concurrent.futures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engines.adapters.batch import ProgramAdapter

_NO_RETRY = "a failed call is submitted anew by the program: another job"
_NO_TIMEOUT = "result(timeout=...) stops waiting, the job goes on"


class ThreadAdapter(ProgramAdapter):
    """ThreadPoolExecutor."""

    name = "concurrent.futures, threads"
    engine = "concurrent.futures.thread"
    program = "futures_program.py"
    arguments = ("thread",)
    lacks: ClassVar[Mapping[str, str]] = {
        "retried": _NO_RETRY,
        "timed_out": _NO_TIMEOUT,
        "worker_lost": "a thread does not die alone",
        "recycled": "threads are not",
    }


class ForkAdapter(ProgramAdapter):
    """ProcessPoolExecutor, workers forked."""

    name = "concurrent.futures, forked processes"
    engine = "concurrent.futures.process"
    program = "futures_program.py"
    arguments = ("fork",)
    lacks: ClassVar[Mapping[str, str]] = {
        "retried": _NO_RETRY,
        "timed_out": _NO_TIMEOUT,
        "recycled": "forked workers are not",
    }


class SpawnAdapter(ForkAdapter):
    """ProcessPoolExecutor, workers spawned and recycled."""

    name = "concurrent.futures, spawned processes"
    arguments = ("spawn",)
    lacks: ClassVar[Mapping[str, str]] = {"retried": _NO_RETRY, "timed_out": _NO_TIMEOUT}
