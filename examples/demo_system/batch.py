# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A batch over a process pool, measured by the process that submits."""

from __future__ import annotations

import multiprocessing
import signal
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed, wait
from multiprocessing import resource_tracker
from pathlib import Path

import otelkit

from .work import Indexed, index_file, ready

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

files = otelkit.counter("index.files", labels=["status"], unit="{file}", description="Files indexed, by outcome.")
pending = otelkit.up_down_counter("index.pending", unit="{file}", description="Files submitted and not yet done.")
queue_time = otelkit.timer(
    "index.queue_time", buckets=SECONDS, description="Time from submission until a worker takes a file up."
)
file_time = otelkit.timer("index.file_time", buckets=SECONDS, description="Time a worker has one file.")
batch_size = otelkit.histogram(
    "index.batch_size", unit="{file}", buckets=[8, 16, 32, 64, 128], description="Files in one batch."
)


class Indexer:
    """Indexes batches of files on a pool of worker processes."""

    def __init__(self, workers: int = 2) -> None:
        # Spawned, not forked: the workers start while this process has threads (exporters, later the HTTP server), and
        # a lock that such a thread holds at the moment of a fork stays locked in the child for ever.
        self._pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
        # Ctrl-C reaches the whole process group, and only this process is to act on it: the workers are started here
        # and now with SIGINT blocked, which they inherit. The tracker first, because starting it unblocks SIGINT.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            wait([self._pool.submit(ready) for _ in range(workers)])
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @otelkit.job(name="index_files")
    def run(self, batch: list[Path]) -> int:
        """Index one batch; return how many of its files were no text."""
        batch_size.observe(len(batch))
        submitted: dict[Future[Indexed], float] = {}
        for path in batch:
            future = self._pool.submit(index_file, path)
            submitted[future] = time.monotonic()
            pending.increment()
            future.add_done_callback(lambda _: pending.decrement())
        failed = 0
        for future in as_completed(submitted):
            outcome = future.result()
            queue_time.observe(outcome.began_s - submitted[future])
            file_time.observe(outcome.seconds)
            files.labels(status="failed" if outcome.error else "completed").increment()
            failed += bool(outcome.error)
        return failed

    def close(self) -> None:
        """Let the workers finish what they have, and wait until they are gone."""
        self._pool.shutdown(wait=True, cancel_futures=True)
