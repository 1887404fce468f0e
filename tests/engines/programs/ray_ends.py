# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``ray_ends.py SCENARIO``: a program that instruments Ray itself; its workers know of otelkit by that only."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress

import ray
from opentelemetry import trace

import otelkit


@ray.remote
def double(number: int, *more: int, **named: int) -> int:
    """End well."""
    return number * 2 + sum(more) + sum(named.values())


@ray.remote
def nothing() -> None:
    """Take nothing."""


@ray.remote
def submits(number: int) -> int:
    """Submit from within."""
    return ray.get(double.remote(number))


@ray.remote
def count(number: int):
    """Generate."""
    for item in range(number):  # noqa: UP028 - Ray sends a value in, which `yield from range` cannot take
        yield item


@ray.remote(max_retries=1)
def crash() -> None:
    """Take the process along, twice."""
    os._exit(1)


@ray.remote
class Clerk:
    """An actor with methods of all kinds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def greet(self, *, loud: bool = False) -> str:
        """End well."""
        return self.name.upper() if loud else self.name

    def refuse(self) -> None:
        """Fail."""
        raise KeyError(self.name)

    def leave(self) -> None:
        """End the actor."""
        ray.actor.exit_actor()

    @staticmethod
    def rules() -> str:
        """Need no actor."""
        return "none"


@ray.remote
class Waiter:
    """An actor with an event loop."""

    async def serve(self, number: int) -> int:
        """End well."""
        await asyncio.sleep(0)
        return number

    async def each(self, number: int):
        """Generate."""
        for item in range(number):
            yield item


def use() -> None:
    """Run a few of each."""
    with trace.get_tracer("program").start_as_current_span("submitter"):
        doubled = [double.remote(1), double.remote(1, 2), double.options(name="job-7").remote(1, extra=3)]
        assert ray.get(doubled) == [2, 4, 5]
        assert ray.get(nothing.remote()) is None
        assert ray.get(submits.remote(2)) == 4
        assert [ray.get(each) for each in count.remote(3)] == [0, 1, 2]
        clerk = Clerk.remote("otto")
        assert ray.get([clerk.greet.remote(), clerk.greet.remote(loud=True)]) == ["otto", "OTTO"]
        assert ray.get(clerk.rules.remote()) == "none"
        with suppress(KeyError):
            ray.get(clerk.refuse.remote())
        with suppress(ray.exceptions.RayActorError):
            ray.get(clerk.leave.remote())
        waiter = Waiter.remote()
        assert ray.get([waiter.serve.remote(number) for number in range(2)]) == [0, 1]
        assert [ray.get(each) for each in waiter.each.remote(2)] == [0, 1]
        with suppress(TypeError):
            submits.remote(unknown=1)
            raise AssertionError("a call that does not fit the function")


def before() -> None:
    """Instrumented first."""
    otelkit.instrument("ray")
    start()
    use()


def late() -> None:
    """Instrumented when functions were exported and actors made; uninstrumented in the end."""
    start()
    clerk = Clerk.remote("anna")
    assert ray.get([double.remote(1), nothing.remote(), clerk.greet.remote()]) == [2, None, "anna"]
    otelkit.instrument("ray")
    use()
    assert ray.get(clerk.greet.remote()) == "anna"
    between = Clerk.remote("maud")
    otelkit.uninstrument("ray")
    assert ray.get([double.remote(1), clerk.greet.remote(), between.greet.remote()]) == [2, "anna", "maud"]
    assert ray.get(Clerk.remote("hans").greet.remote()) == "hans"


def crashes() -> None:
    """One retry is all that Ray grants."""
    otelkit.instrument("ray")
    start()
    try:
        ray.get(crash.remote())
    except ray.exceptions.WorkerCrashedError:
        print("crashed")


def start() -> None:
    """Start a cluster."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)


if __name__ == "__main__":
    otelkit.configure(service_name="program", machine=[])
    {"before": before, "late": late, "crashes": crashes}[sys.argv[1]]()
