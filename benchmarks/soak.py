# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A soak: four workers record at full rate for minutes, while they export and are scraped.

``python -m benchmarks.soak [--minutes 10] [--workers 4]`` prints what each
sample saw and ends with 1 if a count is wrong. Whether memory is flat is for
the reader to see: the table has the sum of the workers' resident sets.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import socket
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

import otelkit

SAMPLES = 20
LABEL_SETS = 500


@otelkit.metered
def call(number: int) -> int:
    """Fail once in a hundred."""
    if number % 100 == 0:
        raise ValueError("one in a hundred")
    return number


@otelkit.metered(name="soak.tenant", labels=["tenant"])
def labelled(tenant: str) -> str:
    return tenant


@otelkit.observed
def traced() -> None:
    """Make a span."""


def configure(port: int, folder: str, name: str) -> None:
    """Export to files, and be scraped."""
    otelkit.configure(
        service_name="soak",
        metrics_exporters=["prometheus", "otlp_file"],
        traces_exporters=["otlp_file"],
        prometheus_port=port,
        export_interval_s=5,
        data_folder=f"{folder}/{name}",
        sampler="parentbased_traceidratio",
        sampler_arg=0.01,
    )


def work(port: int, folder: str, seconds: float, counts: multiprocessing.Queue[int]) -> None:
    """Record as fast as one process can, and say how often."""
    configure(port, folder, multiprocessing.current_process().name)
    done = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for _ in range(1_000):
            done += 1
            with suppress(ValueError):
                call(done)
            labelled(f"tenant-{done % LABEL_SETS}")
            if done % 100 == 0:
                traced()
    otelkit.flush()
    counts.put(done)
    time.sleep(10)  # the last scrape sees this worker alive; then it ends, and its numbers stay


def page(port: int) -> str:
    """Scrape."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return answer.read().decode()


def total(text: str, name: str) -> int:
    """Add up a metric's series of the soak."""
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in text.splitlines()
        if re.match(rf"{name}\{{", line) and "benchmarks.soak.traced" not in line and "__main__.traced" not in line
    )


def wait_for(port: int) -> None:
    """Return when a worker listens; the workers begin together, one of them gets the port."""
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"Expected a worker to listen on port {port} within 10 s.")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main() -> int:
    """Run, sample, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--folder", default=".cache/soak")
    options = parser.parse_args()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    port, seconds = free_port(), options.minutes * 60
    context = multiprocessing.get_context("fork")
    counts: multiprocessing.Queue[int] = context.Queue()
    workers = [
        context.Process(target=work, args=(port, options.folder, seconds, counts), name=f"worker-{number}")
        for number in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    print(f"{'minute':>8} {'calls':>14} {'errors':>10} {'RSS of workers':>16} {'scrape':>9}", flush=True)
    wait_for(port)
    began = time.monotonic()
    for sample in range(1, SAMPLES + 1):
        time.sleep(max(0.0, began + sample * seconds / SAMPLES - time.monotonic()))
        started = time.perf_counter()
        text = page(port)
        spent = time.perf_counter() - started
        resident = sum(psutil.Process(worker.pid).memory_info().rss for worker in workers if worker.is_alive())
        print(
            f"{(time.monotonic() - began) / 60:8.1f} {total(text, 'function_calls_total'):14,}"
            f" {total(text, 'function_errors_total'):10,} {resident / 2**20:12,.1f} MiB {spent * 1e3:6.0f} ms",
            flush=True,
        )
    done = sum(counts.get(timeout=60) for _ in workers)
    text = page(port)
    found = total(text, "function_calls_total"), total(text, "soak_tenant_calls_total")
    errors = total(text, "function_errors_total")
    dropped = sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("otelkit_dropped_"))
    print(f"done {done:,}; calls {found[0]:,}; labelled calls {found[1]:,}; errors {errors:,}; dropped {dropped:g}")
    for worker in workers:
        worker.join()
    return 0 if found == (done, done) and dropped == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
