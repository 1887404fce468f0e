# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A program that uses all of the vocabulary, well and badly, over and over, until it is told to end.

It prints the address of its /metrics, and answers each line when everything has been delivered.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

import otelkit
from otelkit.exporters.prometheus import PrometheusReader
from otelkit.jobs import Engine
from otelkit.loops.generation import Generation
from otelkit.pipeline import current

PAUSE_S = 0.05
QUICK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""The demo's buckets, so that a heatmap over both has one set of rows."""


@otelkit.metered
def price(fails: bool) -> None:
    """The family of functions."""
    if fails:
        raise KeyError


@otelkit.service(name="Orders")
class Orders:
    """The family of services, and of events."""

    def get(self, fails: bool) -> None:
        if fails:
            raise KeyError

    @otelkit.event_handler("payment.completed")
    def on_payment(self, event: dict[str, Any]) -> None:
        if event["fails"]:
            raise ValueError


@otelkit.service(name="Gateway", prefix="api_gateway_")
class Gateway:
    """The same behind a prefix."""

    def get(self, fails: bool) -> None:
        if fails:
            raise KeyError


@otelkit.publisher
class Outbox:
    """The publisher's part."""

    def publish(self, event: str, fails: bool) -> None:
        if fails:
            raise ConnectionError


@otelkit.job(name="clean_up")
def clean_up(fails: bool) -> None:
    """The family of background jobs."""
    if fails:
        raise TimeoutError


class Pool:
    """Who has workers."""

    workers = 3


def work(tracker: otelkit.JobTracker, round_number: int) -> None:
    """Run one batch of jobs, one of which fails, one of which is run again, and one of which stays."""
    batch = tracker.create_batch(range(4), batch_id=f"batch {round_number}")
    first, second, third, _ = [job.id for job in batch]
    with tracker.running(first):
        pass
    with contextlib.suppress(ValueError), tracker.running(second):
        raise ValueError
    tracker.update_job_status(third, "running")
    tracker.update_job_status(third, "retried", ValueError())
    tracker.update_job_status(third, "running")


def infer(fails: bool) -> None:
    """Run one step of a model that tells everything, and one generation."""
    with contextlib.suppress(RuntimeError), otelkit.inference("ranker", batch_size=8, warmup=False) as step:
        with step.phase("compute"):
            pass
        step.device_time(0.01)
        step.wait_time(0.002)
        step.cache(hits=3, misses=1)
        step.fill(8, 10)
        step.padding(1, 10)
        if fails:
            raise RuntimeError
    with Generation("transformers", "gpt-test").step(1, warmup=False) as generation:
        generation.input_tokens = 10
        generation.first_token()
        generation.output_tokens = 20


def misbehave(limited: Any, signups: Any, round_number: int) -> None:
    """Give otelkit something to tell about itself."""
    signups.increment(-1)
    for number in range(3):
        limited.increment(user=f"{round_number} {number}")


def main() -> None:
    """Loop in a thread, answer in this one."""
    otelkit.configure(
        metrics_exporters=["otlp", "prometheus"],
        prometheus_port=0,
        sampler="otelkit_adaptive",
        sampler_arg=1_000,
        buckets=QUICK,
        metrics={"visits": {"cardinality_limit": 5}},
    )
    orders, gateway, outbox = Orders(), Gateway(), Outbox()
    tracker, pool = otelkit.JobTracker("ship_orders"), Pool()
    Engine("tracker").watch_workers(pool, lambda pool: pool.workers)
    signups = otelkit.counter("signups")
    limited = otelkit.counter("visits", labels=["user"])
    otelkit.gauge("broken", callback=lambda: 1 / 0)
    stop = threading.Event()

    def loop() -> None:
        round_number = 0
        while not stop.is_set():
            round_number += 1
            fails = round_number % 4 == 0
            for call in (
                lambda: price(fails),  # noqa: B023 - called at once
                lambda: orders.get(fails),  # noqa: B023
                lambda: orders.on_payment({"timestamp": time.time() - 0.1, "fails": fails}),  # noqa: B023
                lambda: gateway.get(fails),  # noqa: B023
                lambda: outbox.publish("order.placed", fails),  # noqa: B023
                lambda: clean_up(fails),  # noqa: B023
            ):
                with contextlib.suppress(LookupError, ValueError, OSError):
                    call()
            work(tracker, round_number)
            infer(fails)
            misbehave(limited, signups, round_number)
            stop.wait(PAUSE_S)

    thread = threading.Thread(target=loop)
    thread.start()
    telemetry = current()
    assert telemetry is not None
    print(next(each.url for each in telemetry.readers if isinstance(each, PrometheusReader)), flush=True)
    for _ in sys.stdin:
        print(otelkit.flush(timeout_s=30), flush=True)
    stop.set()
    thread.join()


if __name__ == "__main__":
    main()
