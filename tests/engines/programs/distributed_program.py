# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``distributed_program.py SCENARIO``: Dask's LocalCluster, by itself."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from jobs import Account, die, inside, main, refuse, wait_for, wait_for_begun, work
from opentelemetry import trace


@contextmanager
def cluster() -> Iterator[Client]:
    """Run two workers."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local, Client(local) as client:
        yield client


def each(client: Client, function, numbers, account: Account) -> None:
    """Map one batch."""
    futures = client.map(function, numbers, pure=False)
    account.batches.append(len(futures))
    wait(futures)
    for future in futures:
        account.outcome(future.exception())


def unstable(path: str) -> int:
    """Fail twice."""
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < 3:
        raise ConnectionError(path)
    return 1


def job(number: int) -> int:
    """Make a span; Dask names jobs after functions, without their modules."""
    return inside(number)


def count_known(keys: list[str], dask_scheduler) -> int:
    """Return how many of these tasks the scheduler has."""
    return sum(key in dask_scheduler.tasks for key in keys)


def wait_until_known(client: Client, futures: list[Future], count: int) -> None:
    """Wait until the scheduler has so many of these tasks; it is told of them, and asked, over different wires."""
    keys = [future.key for future in futures]
    while client.run_on_scheduler(count_known, keys) != count:
        time.sleep(0.01)


def complete(account: Account) -> None:
    """A batch by map, two jobs by themselves, a graph."""
    with cluster() as client:
        each(client, work, range(20), account)
        for number in range(2):
            account.outcome(client.submit(work, number).exception())
        graph = dask.delayed(sum)([dask.delayed(work)(number) for number in range(4)])
        assert graph.compute() == 12
        account.batches.append(5)
        for _ in range(5):
            account.outcome(None)


def fail(account: Account) -> None:
    """Two of twenty raise."""
    with cluster() as client:
        each(client, refuse, range(20), account)


def context(account: Account) -> None:
    """Three jobs in a span."""
    with cluster() as client, trace.get_tracer("program").start_as_current_span("submitter"):
        each(client, job, range(3), account)


def retried(account: Account) -> None:
    """The scheduler runs it again."""
    with tempfile.TemporaryDirectory() as folder, cluster() as client:
        for number in range(3):
            client.submit(unstable, os.path.join(folder, str(number)), retries=4).result()
    account.add("submitted", 3)
    account.add("running", 9)
    account.add("retried", 6)
    account.add("completed", 3)


def cancelled(account: Account) -> None:
    """Two workers wait, what needs their results is cancelled."""
    with tempfile.TemporaryDirectory() as folder, cluster() as client:
        ready = os.path.join(folder, "ready")
        waiting = client.submit(wait_for, ready)
        wait_for_begun(ready)
        behind = [client.submit(work, waiting, pure=False) for _ in range(10)]
        wait_until_known(client, behind, len(behind))
        client.cancel(behind)
        wait_until_known(client, behind, 0)
        open(ready, "w").close()
        account.outcome(waiting.exception())
    account.add("submitted", 10)
    account.add("cancelled", 10)


def worker_lost(account: Account) -> None:
    """The scheduler gives up after three retries."""
    with cluster() as client:
        assert isinstance(client.submit(die, 1).exception(), KilledWorker)
    account.add("submitted")
    account.add("running", 4)
    account.add("retried", 3)
    account.add("failed")
    account.error("distributed.scheduler.KilledWorker")


def recycled(account: Account) -> None:
    """All workers are replaced between two batches."""
    with cluster() as client:
        each(client, work, range(10), account)
        client.restart()
        each(client, work, range(10), account)


def many(account: Account, count: int) -> None:
    """Each tenth fails; three are retried; the workers are replaced once."""
    retried(account)
    with cluster() as client:
        each(client, refuse, range(count // 2), account)
        client.restart()
        each(client, refuse, range(count // 2), account)


if __name__ == "__main__":
    main(globals())
