# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``futures_program.py thread|fork|spawn SCENARIO``: executors of concurrent.futures, by themselves."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from jobs import Account, die, inside, main, refuse, wait_for, work
from opentelemetry import trace

KIND = sys.argv[1]


def executor(**options: int) -> Executor:
    """Return an executor of two workers."""
    if KIND == "thread":
        return ThreadPoolExecutor(2)
    return ProcessPoolExecutor(2, multiprocessing.get_context(KIND), **options)


def each(pool: Executor, function, count: int, account: Account) -> None:
    """Submit jobs one by one."""
    for future in [pool.submit(function, number) for number in range(count)]:
        account.outcome(future.exception())


def complete(account: Account) -> None:
    """Twenty by ``submit``, a batch of ten by ``map``."""
    with executor() as pool:
        each(pool, work, 20, account)
        assert list(pool.map(work, range(10), chunksize=3)) == [number * 2 for number in range(10)]
    account.batches.append(10)
    for _ in range(10):
        account.outcome(None)


def fail(account: Account) -> None:
    """Two of twenty raise."""
    with executor() as pool:
        each(pool, refuse, 20, account)


def context(account: Account) -> None:
    """Three jobs in a span."""
    with executor() as pool, trace.get_tracer("program").start_as_current_span("submitter"):
        each(pool, inside, 3, account)


def cancelled(account: Account) -> None:
    """Two workers wait, what is behind them is cancelled."""
    with tempfile.TemporaryDirectory() as folder, executor() as pool:
        ready = os.path.join(folder, "ready")
        futures = [pool.submit(wait_for, ready) for _ in range(20)]
        taken_back = sum(future.cancel() for future in reversed(futures))
        open(ready, "w").close()
        for future in futures:
            if not future.cancelled():
                account.outcome(future.exception())
        account.add("submitted", taken_back)
        account.add("cancelled", taken_back)
        assert taken_back >= 10


def worker_lost(account: Account) -> None:
    """The worker's end fails the job: the submitter tells, for nobody else can."""
    with executor() as pool:
        account.outcome(pool.submit(work, 1).exception())
    with executor() as pool:
        error = pool.submit(die).exception()
        assert isinstance(error, BrokenProcessPool)
    account.add("submitted")
    account.add("failed")
    account.error("concurrent.futures.process.BrokenProcessPool")
    account.forget_running()


def recycled(account: Account) -> None:
    """A worker lives for one task; with more, Python 3.11 hangs by itself (python/cpython#115634)."""
    with executor(max_tasks_per_child=1) as pool:
        each(pool, work, 6, account)


def many(account: Account, count: int) -> None:
    """Each tenth fails; of spawned workers, some are recycled."""
    if KIND == "spawn":
        recycled(account)
    for _ in range(2):
        with executor() as pool:
            each(pool, refuse, count // 2, account)


if __name__ == "__main__":
    main(globals())
