# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A Celery application that has never heard of otelkit, with tasks that end in every way a task can.

``python celery_shop.py many 100`` submits and waits; each function below that is named as an argument is one scenario.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import celery
from celery.exceptions import Ignore, Reject

app = celery.Celery("shop", broker=os.environ["BROKER"], backend=os.environ.get("BACKEND", os.environ["BROKER"]))
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 3600},
)


class OutOfStock(Exception):
    """Cannot be unpickled: its constructor wants more than its arguments."""

    def __init__(self, item: str, left: int) -> None:
        super().__init__(f"{item}: {left} left")


@app.task(name="shop.price")
def price(order: int) -> int:
    """End well."""
    return order * 2


@app.task(name="shop.refuse")
def refuse(order: int) -> None:
    """Fail."""
    raise ValueError(order)


@app.task(name="shop.sold_out")
def sold_out() -> None:
    """Fail with what cannot be pickled."""
    raise OutOfStock("tea", 0)


@app.task(name="shop.ship", bind=True, max_retries=5)
def ship(self: celery.Task, failures: int) -> int:
    """End well after so many retries."""
    if self.request.retries < failures:
        raise self.retry(countdown=0, exc=ConnectionError("carrier"))
    return self.request.retries


@app.task(name="shop.give_up", bind=True, max_retries=1)
def give_up(self: celery.Task) -> None:
    """Fail after a retry."""
    raise self.retry(countdown=0, exc=ConnectionError("carrier"))


@app.task(name="shop.pack")
def pack(seconds: float) -> None:
    """Take time."""
    time.sleep(seconds)


@app.task(name="shop.crash", acks_late=False)
def crash() -> None:
    """Take the process along."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="shop.crash_once", acks_late=True, reject_on_worker_lost=True)
def crash_once(path: str) -> str:
    """Take the process along the first time; the broker delivers it again."""
    if not os.path.exists(path):
        with open(path, "w"):
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return "again"


@app.task(name="shop.overtime", time_limit=1)
def overtime() -> None:
    """Run into the hard time limit."""
    time.sleep(60)


@app.task(name="shop.slow", soft_time_limit=1)
def slow() -> None:
    """Run into the soft time limit."""
    time.sleep(60)


@app.task(name="shop.ignored")
def ignored() -> None:
    """End without a result."""
    raise Ignore


@app.task(name="shop.rejected", acks_late=True)
def rejected() -> None:
    """Refuse the message."""
    raise Reject("no", requeue=False)


@app.task(name="shop.total")
def total(prices: list[int]) -> int:
    """Add up; the body of a chord."""
    return sum(prices)


def ended(result: celery.result.AsyncResult) -> None:
    """Wait for an end of any kind."""
    result.get(timeout=60, propagate=False)


def started() -> None:
    """Wait for the worker."""
    while not app.control.ping(timeout=0.5):
        time.sleep(0.1)


def many(count: str) -> None:
    """Submit many: one in ten fails, one in a hundred is retried twice, by groups of a thousand."""
    orders = range(int(count))
    for begin in range(0, len(orders), 1000):
        celery.group(_many(order) for order in orders[begin : begin + 1000]).apply_async().get(
            timeout=500, propagate=False
        )


def _many(order: int) -> celery.Signature:
    if order % 10 == 3:
        return refuse.s(order)
    return ship.s(2) if order % 100 == 7 else price.s(order)


def ways() -> None:
    """Submit one of each that ends by itself."""
    for task in (price.s(1), refuse.s(1), sold_out.s(), ship.s(2), give_up.s()):
        ended(task.apply_async())
    for task in (slow.s(), overtime.s(), crash.s()):
        ended(task.apply_async())
    ignored.apply_async()
    ended(rejected.apply_async())


def again(path: str) -> None:
    """Submit one that loses its process, and is delivered again."""
    ended(crash_once.delay(path))


def revoke() -> None:
    """Revoke one while it runs, and one before."""
    running = pack.delay(60)
    while not app.control.inspect().active() or not any(app.control.inspect().active().values()):
        time.sleep(0.05)
    running.revoke(terminate=True)
    ended(running)
    deadline = pack.apply_async((0,), expires=0.001, countdown=0.1)
    ended(deadline)


def canvas() -> None:
    """Submit a chord, a chain, chunks and a single task."""
    assert celery.chord((price.s(n) for n in range(4)), total.s()).apply_async().get(timeout=60) == 12
    assert celery.chain(price.s(1), price.s(), price.s()).apply_async().get(timeout=60) == 8
    price.chunks([(n,) for n in range(6)], 3).apply_async().get(timeout=60)
    assert price.delay(1).get(timeout=60) == 2


def eager() -> None:
    """Run tasks in this very process."""
    assert price.apply((2,)).get() == 4
    assert ship.apply((1,)).get() == 1
    refuse.apply((1,))
    app.conf.task_always_eager = True
    celery.group(price.s(n) for n in range(3)).apply_async().get()


if __name__ == "__main__":
    from opentelemetry import trace

    with trace.get_tracer("shop").start_as_current_span("submitter"):
        globals()[sys.argv[1]](*sys.argv[2:])
