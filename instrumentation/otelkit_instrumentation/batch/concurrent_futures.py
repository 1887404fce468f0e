# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
``concurrent.futures``: its executors of threads and of processes.

asyncio's default executor is a ThreadPoolExecutor, and what a program gives it
(``asyncio.to_thread``, ``run_in_executor``) is recorded as any other job. What
joblib, Dask and the like run on an executor is left to their own instrumentors.
"""

from __future__ import annotations

from typing import Any

from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch import _futures, _processes, _threads

__all__ = ("ConcurrentFuturesInstrumentor",)


class ConcurrentFuturesInstrumentor(Instrumentor):
    """Jobs of ThreadPoolExecutor and ProcessPoolExecutor."""

    title = "concurrent.futures"
    signals = (
        "batches of map; jobs: status, queue time, duration, errors, pending; workers; a span per job or chunk, of "
        "threads inside traces"
    )

    def patch(self, patches: Patches, **options: Any) -> None:
        """Patch what the program has imported of it, and the rest when it does."""
        patches.when_imported("concurrent.futures._base", lambda module: _futures.patch(patches, module))
        patches.when_imported("concurrent.futures.thread", lambda module: _threads.patch(patches, module))
        patches.when_imported("concurrent.futures.process", lambda module: _processes.patch(patches, module))
