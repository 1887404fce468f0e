# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``pools_program.py fork|spawn|forkserver|thread SCENARIO``: multiprocessing's pools, by themselves."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing.pool import Pool, ThreadPool

from jobs import Account, inside, main, refuse, wait_for, wait_for_begun, work
from opentelemetry import trace

KIND = sys.argv[1]


@contextlib.contextmanager
def workers(recycled_after: int | None = None) -> Iterator[Pool]:
    """Give a pool of two workers, and end it well."""
    if KIND == "thread":
        pool: Pool = ThreadPool(2)
    else:
        pool = multiprocessing.get_context(KIND).Pool(2, maxtasksperchild=recycled_after)
    with pool:
        yield pool
        pool.close()
        pool.join()


def each(pool: Pool, function, count: int, account: Account) -> None:
    """Submit jobs one by one."""
    for result in [pool.apply_async(function, (number,)) for number in range(count)]:
        try:
            result.get()
        except ValueError as error:
            account.outcome(error)
        else:
            account.outcome(None)


def complete(account: Account) -> None:
    """Ten by ``apply_async``, and one batch by each of the ways of mapping."""
    expected = [number * 2 for number in range(10)]
    with workers() as pool:
        each(pool, work, 10, account)
        assert pool.map(work, range(10)) == expected
        assert pool.map(work, range(10), chunksize=4) == expected
        assert list(pool.imap(work, iter(range(10)))) == expected
        assert list(pool.imap(work, range(10), chunksize=3)) == expected
        assert sorted(pool.imap_unordered(work, range(10))) == expected
        assert pool.starmap(work, [(number,) for number in range(10)]) == expected
        assert pool.map_async(work, range(10)).get() == expected
        assert pool.apply(work, (4,)) == 8
    account.batches += [10] * 7
    for _ in range(71):
        account.outcome(None)


def fail(account: Account) -> None:
    """Two of twenty by themselves; and one in the middle of a chunk, which ends the chunk."""
    with workers() as pool:
        each(pool, refuse, 20, account)
        with contextlib.suppress(ValueError):
            pool.map(refuse, range(10), chunksize=10)
    account.batches.append(10)
    for _ in range(3):
        account.outcome(None)
    account.outcome(ValueError())
    account.add("submitted", 6)
    account.add("cancelled", 6)


def context(account: Account) -> None:
    """Three jobs in a span."""
    with workers() as pool, trace.get_tracer("program").start_as_current_span("submitter"):
        each(pool, inside, 3, account)


def cancelled(account: Account) -> None:
    """The only worker has begun one job when the pool is terminated, with five behind it."""
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "ready")
        pool = ThreadPool(1) if KIND == "thread" else multiprocessing.get_context(KIND).Pool(1)
        pool.apply_async(wait_for, (ready,))
        results = [pool.apply_async(work, (number,)) for number in range(5)]
        wait_for_begun(ready)
        if KIND == "thread":
            threading.Timer(0.5, open, (ready, "w")).start()  # the pool's end waits for it
        pool.terminate()
        pool.join()
        assert not any(result.ready() for result in results)
        account.add("submitted", 6)
        account.add("cancelled", 5 if KIND == "thread" else 6)
        account.add("completed", 1 if KIND == "thread" else 0)


def recycled(account: Account) -> None:
    """A worker lives for two tasks."""
    with workers(2) as pool:
        each(pool, work, 20, account)


def many(account: Account, count: int) -> None:
    """Each tenth fails; workers are recycled."""
    with workers(count // 6) as pool:
        each(pool, refuse, count // 2, account)
        assert len(pool.map(work, range(count // 2))) == count // 2
    account.batches.append(count // 2)
    for _ in range(count // 2):
        account.outcome(None)


if __name__ == "__main__":
    main(globals())
