# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``dask_program.py threads|processes SCENARIO``: Dask's local schedulers, by themselves."""

from __future__ import annotations

import sys
from concurrent.futures.process import BrokenProcessPool

import dask
from jobs import Account, die, inside, main, refuse, work
from opentelemetry import trace

KIND = sys.argv[1]


def compute(function, numbers, account: Account) -> None:
    """Compute one graph that ends well."""
    tasks = [dask.delayed(function)(number) for number in numbers]
    dask.compute(*tasks, scheduler=KIND, num_workers=2)
    account.batches.append(len(tasks))
    for _ in tasks:
        account.outcome(None)


def fails(account: Account) -> None:
    """Compute a graph of one task, which fails."""
    try:
        dask.delayed(refuse)(3).compute(scheduler=KIND, num_workers=1)
    except ValueError as error:
        account.outcome(error)
    account.batches.append(1)


def job(number: int) -> int:
    """Make a span; Dask names jobs after functions, without their modules."""
    return inside(number)


def complete(account: Account) -> None:
    """Independent tasks, and a graph of three layers."""
    compute(work, range(20), account)
    total = dask.delayed(sum)([dask.delayed(work)(dask.delayed(work)(number)) for number in range(4)])
    assert total.compute(scheduler=KIND, num_workers=2) == 24
    account.batches.append(9)
    for _ in range(9):
        account.outcome(None)


def fail(account: Account) -> None:
    """Between others that end well."""
    compute(work, range(10), account)
    fails(account)
    compute(work, range(10), account)


def context(account: Account) -> None:
    """Three jobs in a span."""
    with trace.get_tracer("program").start_as_current_span("submitter"):
        compute(job, range(3), account)


def cancelled(account: Account) -> None:
    """What comes after the task that fails is never run."""
    refused = dask.delayed(refuse)(3)
    chain = refused
    for _ in range(5):
        chain = dask.delayed(work)(chain)
    try:
        chain.compute(scheduler=KIND, num_workers=2)
    except ValueError as error:
        account.outcome(error)
    account.batches.append(6)
    account.add("submitted", 5)
    account.add("cancelled", 5)


def worker_lost(account: Account) -> None:
    """The process takes its task along."""
    try:
        dask.delayed(die)(1).compute(scheduler=KIND, num_workers=1)
    except BrokenProcessPool:
        account.error("concurrent.futures.process.BrokenProcessPool")
    account.batches.append(1)
    account.add("submitted")
    account.add("failed")
    account.forget_running()


def recycled(account: Account) -> None:
    """Each graph has processes of its own."""
    for _ in range(3):
        compute(work, range(6), account)


def many(account: Account, count: int) -> None:
    """Five failures, each of which ends a graph."""
    for _ in range(5):
        compute(work, range(count // 5 - 1), account)
        fails(account)


if __name__ == "__main__":
    main(globals())
