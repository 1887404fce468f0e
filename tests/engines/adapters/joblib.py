# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""joblib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engines.adapters.batch import ProgramAdapter

_LACKS = {
    "retried": "a failed call ends the whole Parallel",
    "cancelled": "there is nothing to take back; what a failure cuts off is counted as cancelled",
    "recycled": "workers live until they are idle for long",
}


class LokyAdapter(ProgramAdapter):
    """Processes, joblib's default."""

    name = "joblib, loky"
    engine = "joblib"
    program = "joblib_program.py"
    arguments = ("loky",)
    lacks: ClassVar[Mapping[str, str]] = _LACKS


class JoblibThreadsAdapter(LokyAdapter):
    """Threads."""

    name = "joblib, threads"
    arguments = ("threading",)
    lacks: ClassVar[Mapping[str, str]] = {**_LACKS, "worker_lost": "a thread does not die alone"}


class JoblibPoolAdapter(LokyAdapter):
    """multiprocessing's processes."""

    name = "joblib, multiprocessing"
    arguments = ("multiprocessing",)
    lacks: ClassVar[Mapping[str, str]] = {
        **_LACKS,
        "worker_lost": "the pool does not notice: the caller waits for ever",
    }
