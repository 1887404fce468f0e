# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Dask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from engines.adapters.batch import ProgramAdapter

_LACKS = {
    "retried": "a local scheduler ends the graph with its first failure",
    "timed_out": "Dask has no time limits",
}


class DaskThreadsAdapter(ProgramAdapter):
    """The local scheduler with threads, dask's default."""

    name = "Dask, threads"
    engine = "dask"
    program = "dask_program.py"
    arguments = ("threads",)
    lacks: ClassVar[Mapping[str, str]] = {
        **_LACKS,
        "worker_lost": "a thread does not die alone",
        "recycled": "threads are not worth it",
    }


class DaskProcessesAdapter(ProgramAdapter):
    """The local scheduler with processes."""

    name = "Dask, processes"
    engine = "dask"
    program = "dask_program.py"
    arguments = ("processes",)
    lacks: ClassVar[Mapping[str, str]] = _LACKS


class DistributedAdapter(ProgramAdapter):
    """LocalCluster, two worker processes."""

    name = "Dask, distributed"
    engine = "dask"
    program = "distributed_program.py"
    lacks: ClassVar[Mapping[str, str]] = {"timed_out": _LACKS["timed_out"]}
