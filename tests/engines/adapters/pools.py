# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""multiprocessing's pools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engines.adapters.batch import ProgramAdapter

_LACKS = {
    "retried": "a failed call is submitted anew by the program: another job",
    "timed_out": "get(timeout) stops waiting, the job goes on",
    "worker_lost": "a pool does not notice: the caller waits for ever, and the job stays pending",
}


class ForkedPoolAdapter(ProgramAdapter):
    """Pool, workers forked."""

    name = "multiprocessing.Pool, forked"
    engine = "multiprocessing.pool"
    program = "pools_program.py"
    arguments = ("fork",)
    lacks: ClassVar[Mapping[str, str]] = _LACKS


class SpawnedPoolAdapter(ForkedPoolAdapter):
    """Pool, workers spawned."""

    name = "multiprocessing.Pool, spawned"
    arguments = ("spawn",)


class ForkserverPoolAdapter(ForkedPoolAdapter):
    """Pool, workers forked by a server."""

    name = "multiprocessing.Pool, forkserver"
    arguments = ("forkserver",)


class ThreadPoolAdapter(ProgramAdapter):
    """ThreadPool."""

    name = "multiprocessing.pool.ThreadPool"
    engine = "multiprocessing.threadpool"
    program = "pools_program.py"
    arguments = ("thread",)
    lacks: ClassVar[Mapping[str, str]] = {
        **_LACKS,
        "worker_lost": "a thread does not die alone",
        "recycled": "threads are not worth it",
    }
