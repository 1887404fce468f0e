# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``celery_program.py SCENARIO``: submits to a worker that runs elsewhere; and the tasks, for that worker."""

from __future__ import annotations

import os
import sys
import tempfile
import time

import celery
import jobs
from celery.exceptions import TaskRevokedError, TimeLimitExceeded, WorkerLostError
from jobs import Account, main
from opentelemetry import trace

app = celery.Celery("program", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    task_serializer="json",
)
TIMEOUT_S = 100

work = app.task(name="program.work")(jobs.work)
refuse = app.task(name="program.refuse")(jobs.refuse)
inside = app.task(name="program.inside")(jobs.inside)
wait_for = app.task(name="program.wait_for")(jobs.wait_for)
die = app.task(name="program.die")(jobs.die)
sleep = app.task(name="program.sleep", time_limit=1)(jobs.sleep)


@app.task(name="program.unstable", bind=True, max_retries=3)
def unstable(self: celery.Task) -> int:
    """End well after two retries."""
    if self.request.retries < 2:
        raise self.retry(countdown=0, exc=ConnectionError("away"))
    return self.request.retries


def batch(task: celery.Task, numbers, account: Account) -> None:
    """Submit a group."""
    results = celery.group(task.s(number) for number in numbers).apply_async()
    account.batches.append(len(results))
    for result in results:
        account.outcome(result.get(timeout=TIMEOUT_S, propagate=False) if failed(result) else None)


def failed(result: celery.result.AsyncResult) -> bool:
    """Wait for the end, and tell."""
    result.get(timeout=TIMEOUT_S, propagate=False)
    return result.failed()


def complete(account: Account) -> None:
    """A group, tasks by themselves, a chord."""
    batch(work, range(20), account)
    for number in range(3):
        work.delay(number).get(timeout=TIMEOUT_S)
        account.outcome(None)
    chord = celery.chord((work.s(number) for number in range(4)), work.si(5))
    assert chord.apply_async().get(timeout=TIMEOUT_S) == 10
    account.batches.append(4)
    for _ in range(5):
        account.outcome(None)


def fail(account: Account) -> None:
    """Two of twenty raise."""
    batch(refuse, range(20), account)


def context(account: Account) -> None:
    """Three jobs in a span."""
    with trace.get_tracer("program").start_as_current_span("submitter"):
        batch(inside, range(3), account)


def retried(account: Account) -> None:
    """The task asks for it."""
    for result in [unstable.delay() for _ in range(3)]:
        assert result.get(timeout=TIMEOUT_S) == 2
    account.add("submitted", 3)
    account.add("running", 9)
    account.add("retried", 6)
    account.add("completed", 3)


def cancelled(account: Account) -> None:
    """Two processes wait, what is behind them is revoked."""
    with tempfile.TemporaryDirectory() as folder:
        ready = [os.path.join(folder, str(number)) for number in range(2)]
        waiting = [wait_for.delay(path) for path in ready]
        for path in ready:
            jobs.wait_for_begun(path)
        behind = [work.delay(number) for number in range(6)]
        app.control.revoke([result.id for result in behind], reply=True, timeout=10, limit=1)
        for path in ready:
            open(path, "w").close()
        for result in waiting:
            result.get(timeout=TIMEOUT_S)
            account.outcome(None)
        for result in behind:
            assert isinstance(result.get(timeout=TIMEOUT_S, propagate=False), TaskRevokedError)
            account.add("submitted")
            account.add("cancelled")


def timed_out(account: Account) -> None:
    """Celery's hard limit ends the process."""
    error = sleep.delay(60).get(timeout=TIMEOUT_S, propagate=False)
    assert isinstance(error, TimeLimitExceeded)
    account.add("submitted")
    account.add("running")
    account.add("failed")
    account.error("billiard.exceptions.TimeLimitExceeded")


def worker_lost(account: Account) -> None:
    """The process takes its task along; the worker tells, and has another one made."""
    assert isinstance(die.delay().get(timeout=TIMEOUT_S, propagate=False), WorkerLostError)
    account.add("submitted")
    account.add("running")
    account.add("failed")
    account.error("billiard.exceptions.WorkerLostError")
    batch(work, range(4), account)


def recycled(account: Account) -> None:
    """A process of this worker lives for five hundred tasks in ``many``, else for five."""
    batch(work, range(25), account)


def many(account: Account, count: int) -> None:
    """Each tenth fails; three are retried; processes are replaced after five hundred tasks."""
    retried(account)
    for _ in range(count // 1000):
        batch(refuse, range(1000), account)


if __name__ == "__main__":
    sys.modules["celery_program"] = sys.modules["__main__"]
    while not app.control.ping(timeout=0.5):
        time.sleep(0.1)
    main(globals())
