# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``ray_program.py SCENARIO``: Ray's tasks and actors on a cluster of this machine, by themselves."""

from __future__ import annotations

import os
import tempfile

import jobs
import ray
from jobs import Account, main
from opentelemetry import trace
from ray.exceptions import TaskCancelledError, WorkerCrashedError
from ray.util import ActorPool

work = ray.remote(jobs.work)
refuse = ray.remote(jobs.refuse)
inside = ray.remote(jobs.inside)
wait_for = ray.remote(jobs.wait_for)
die = ray.remote(max_retries=0)(jobs.die)


@ray.remote(max_calls=5)
def used_up(number: int) -> int:
    """Run in a process that ends after five."""
    return number


@ray.remote(max_retries=4, retry_exceptions=[ConnectionError])
def unstable(path: str) -> None:
    """Fail twice."""
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) < 3:
        raise ConnectionError(path)


@ray.remote
class Counter:
    """An actor."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, number: int) -> int:
        """Add up."""
        self.total += number
        return self.total

    def inside(self, number: int) -> int:
        """Make a span."""
        return jobs.inside(number)


def each(function, numbers, account: Account) -> None:
    """Submit jobs one by one, and ask for all results."""
    for reference in [function.remote(number) for number in numbers]:
        try:
            ray.get(reference)
        except ValueError:
            account.outcome(ValueError())
        else:
            account.outcome(None)


def complete(account: Account) -> None:
    """Tasks, an actor's methods, and a batch over two actors."""
    each(work, range(20), account)
    each(Counter.remote().add, range(10), account)
    pool = ActorPool([Counter.remote(), Counter.remote()])
    assert len(list(pool.map(lambda actor, number: actor.add.remote(number), [1, 2, 3, 4]))) == 4
    account.batches.append(4)
    for _ in range(4):
        account.outcome(None)


def fail(account: Account) -> None:
    """Two of twenty raise."""
    each(refuse, range(20), account)


def context(account: Account) -> None:
    """Three jobs in a span: two tasks, and an actor's method."""
    with trace.get_tracer("program").start_as_current_span("submitter"):
        each(inside, range(2), account)
        each(Counter.remote().inside, range(1), account)


def retried(account: Account) -> None:
    """Ray runs it again."""
    with tempfile.TemporaryDirectory() as folder:
        ray.get([unstable.remote(os.path.join(folder, str(number))) for number in range(3)])
    account.add("submitted", 3)
    account.add("running", 9)
    account.add("retried", 6)
    account.add("completed", 3)


def cancelled(account: Account) -> None:
    """Two workers wait; one is interrupted, and what waits behind them never starts."""
    with tempfile.TemporaryDirectory() as folder:
        ready = [os.path.join(folder, str(number)) for number in range(2)]
        waiting = [wait_for.remote(path) for path in ready]
        for path in ready:
            jobs.wait_for_begun(path)
        behind = [work.remote(number) for number in range(5)]
        for reference in [*behind, waiting[1]]:
            ray.cancel(reference)
        for reference in [*behind, waiting[1]]:
            try:
                ray.get(reference)
            except TaskCancelledError:
                account.add("submitted")
                account.add("cancelled")
        account.add("running")
        open(ready[0], "w").close()
        ray.get(waiting[0])
        account.outcome(None)


def worker_lost(account: Account) -> None:
    """The process takes its task along; the driver hears of it when it asks."""
    try:
        ray.get(die.remote())
    except WorkerCrashedError:
        account.error("ray.exceptions.WorkerCrashedError")
    account.add("submitted")
    account.add("failed")
    account.forget_running()


def recycled(account: Account) -> None:
    """Four processes, five tasks each."""
    each(used_up, range(20), account)


def many(account: Account, count: int) -> None:
    """Each tenth fails; three are retried, and workers used up."""
    retried(account)
    recycled(account)
    each(refuse, range(count), account)


def until_the_end(scenario):
    """Return a scenario that ends its cluster, and with that what Ray itself prints."""

    def run(*arguments) -> None:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        scenario(*arguments)
        ray.shutdown()

    return run


if __name__ == "__main__":
    main({name: until_the_end(found) for name, found in globals().items() if callable(found)})
