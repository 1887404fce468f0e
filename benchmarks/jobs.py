# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What recording jobs costs, against the same work uninstrumented.

    python -m benchmarks.jobs                     every case, each in a process of its own
    python -m benchmarks.jobs threads pool        some of them

Plain and recorded rounds take turns, so that both meet the same machine. Shown are minima, because other work on the
machine only adds, their ratio, and the ratio of medians. Of threads it is the CPU time of the process, all threads
together: they share one interpreter lock, and on a machine with other work the time on the clock is the scheduler's.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import statistics
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, process_time

from opentelemetry import trace

import otelkit

Round = Callable[[], float]
"""Does the work once and returns the seconds it took for each job."""

JOBS = 4_000


def nothing() -> None:
    """Do nothing, as a job."""


def spin(number: int) -> int:
    """Take 100 µs."""
    end = perf_counter() + 100e-6
    while perf_counter() < end:
        pass
    return number


def compare(name: str, library: str, work: Callable[[], Round], rounds: int) -> None:
    """Print one line: ``work()`` makes the executor or pool, once without the instrumentor and once with it."""
    plain = work()
    otelkit.instrument(library)
    recorded = work()
    pairs = []
    for number in range(rounds + 2):
        otelkit.uninstrument(library)
        before = plain()
        otelkit.instrument(library)
        after = recorded()
        if number >= 2:
            pairs.append((before, after))
    low = [min(times) * 1e6 for times in zip(*pairs, strict=True)]
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    middle = after / before
    print(f"| {name} | {low[0]:.2f} | {low[1]:.2f} | {low[1] - low[0]:.2f} | {low[1] / low[0]:.3f} | {middle:.3f} |")


def submit(workers: int) -> Callable[[], Round]:
    """Submit many, then wait for all."""

    def work() -> Round:
        pool = ThreadPoolExecutor(workers)

        def once() -> float:
            start = process_time()
            for future in [pool.submit(nothing) for _ in range(JOBS)]:
                future.result()
            return (process_time() - start) / JOBS

        return once

    return work


def submit_and_wait() -> Round:
    """Submit one, wait for it, and so on."""
    pool = ThreadPoolExecutor(1)

    def once() -> float:
        start = process_time()
        for _ in range(JOBS):
            pool.submit(nothing).result()
        return (process_time() - start) / JOBS

    return once


def pool_map(items: int) -> Callable[[], Round]:
    """Map over items of 100 µs; one worker, for more would compete with whoever else is there."""

    def work() -> Round:
        pool = multiprocessing.get_context("fork").Pool(1)

        def once() -> float:
            start = perf_counter()
            pool.map(spin, range(items))
            return (perf_counter() - start) / items

        return once

    return work


def _threads(state: str) -> None:
    futures = "concurrent_futures"
    compare(f"submit, 1 thread, {state}", futures, submit(1), 40)
    compare(f"submit, 4 threads, {state}", futures, submit(4), 40)
    compare(f"submit and wait, {state}", futures, lambda: submit_and_wait(), 25)


def threads() -> None:
    """Without tracing."""
    configure()
    _threads("no tracing")


def unsampled() -> None:
    """In a trace that is not sampled: nobody would see the spans, so there are none."""
    configure(sampler="parentbased_traceidratio", sampler_arg=0.0)
    with trace.get_tracer("benchmark").start_as_current_span("program"):
        _threads("unsampled trace")


def roots() -> None:
    """Outside of any trace: the sampler is asked for each job, and says no."""
    configure(sampler="parentbased_traceidratio", sampler_arg=0.0)
    _threads("sampler says no")


def sampled() -> None:
    """In a sampled trace: a span for each job."""
    configure(sampler="parentbased_always_on")
    with trace.get_tracer("benchmark").start_as_current_span("program"):
        _threads("a span each")


def pool() -> None:
    """multiprocessing.Pool, without tracing and with a span for each chunk."""
    configure()
    compare("Pool.map, 1,000 items of 100 µs, no tracing", "multiprocessing", pool_map(1_000), 40)


def pool_sampled() -> None:
    """The same with a span for each chunk."""
    configure(sampler="parentbased_always_on")
    with trace.get_tracer("benchmark").start_as_current_span("program"):
        compare("Pool.map, 1,000 items of 100 µs, spans", "multiprocessing", pool_map(1_000), 40)


def configure(**settings: object) -> None:
    """Set otelkit up with nowhere to send to."""
    otelkit.configure(
        service_name="benchmark",
        metrics_exporters=["none"],
        traces_exporters=["none"],
        traces_enabled=bool(settings),
        machine=[],
        **settings,
    )


CASES: dict[str, Callable[[], None]] = {
    "threads": threads,
    "unsampled": unsampled,
    "roots": roots,
    "sampled": sampled,
    "pool": pool,
    "pool_sampled": pool_sampled,
}


def main() -> None:
    """Print a table of the cases that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jobs")
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all, if none is given")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        CASES[arguments.cases[0]]()
        return
    print("| what | plain, µs a job | recorded, µs | more, µs | ratio | ratio of medians |\n|---|---|---|---|---|---|")
    for case in arguments.cases or CASES:
        sys.stdout.flush()
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run([sys.executable, "-m", "benchmarks.jobs", "--here", case], check=True)


if __name__ == "__main__":
    main()
