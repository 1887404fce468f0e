# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``joblib_program.py loky|threading|multiprocessing SCENARIO``: joblib's Parallel, by itself."""

from __future__ import annotations

import multiprocessing
import sys

from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from jobs import Account, die, inside, main, refuse, sleep, work
from opentelemetry import trace

KIND = sys.argv[1]


def parallel(function, arguments, account: Account, **options) -> None:
    """Run one batch that ends well."""
    arguments = list(arguments)
    Parallel(n_jobs=2, backend=KIND, **options)(delayed(function)(argument) for argument in arguments)
    account.batches.append(len(arguments))
    for _ in arguments:
        account.outcome(None)


def fails(account: Account) -> None:
    """Run a batch of one job, which fails."""
    try:
        Parallel(n_jobs=2, backend=KIND)([delayed(refuse)(3)])
    except ValueError as error:
        account.outcome(error)
    account.batches.append(1)


def complete(account: Account) -> None:
    """Two batches, and one in sequence."""
    parallel(work, range(20), account)
    parallel(work, range(10), account, batch_size=4)
    assert Parallel(n_jobs=1)(delayed(work)(number) for number in range(5)) == [0, 2, 4, 6, 8]
    account.batches.append(5)
    for _ in range(5):
        account.outcome(None)


def fail(account: Account) -> None:
    """Between others that end well."""
    parallel(work, range(10), account)
    fails(account)
    parallel(work, range(10), account)


def context(account: Account) -> None:
    """Three jobs in a span."""
    with trace.get_tracer("program").start_as_current_span("submitter"):
        parallel(inside, range(3), account, batch_size=1)


def timed_out(account: Account) -> None:
    """joblib's own limit."""
    try:
        Parallel(n_jobs=2, backend=KIND, timeout=0.5)([delayed(sleep)(4)])
    except multiprocessing.TimeoutError as error:
        account.error(f"{type(error).__module__}.{type(error).__qualname__}")
    account.batches.append(1)
    account.add("submitted")
    account.add("failed")
    account.forget_running()


def worker_lost(account: Account) -> None:
    """The worker's end fails the whole call."""
    parallel(work, range(4), account)
    try:
        Parallel(n_jobs=2, backend=KIND)([delayed(die)()])
    except TerminatedWorkerError:
        account.error("joblib.externals.loky.process_executor.TerminatedWorkerError")
    account.batches.append(1)
    account.add("submitted")
    account.add("failed")
    account.forget_running()


def many(account: Account, count: int) -> None:
    """Five failures, each of which ends the workers."""
    for _ in range(5):
        parallel(work, range(count // 5 - 1), account)
        fails(account)


if __name__ == "__main__":
    main(globals())
