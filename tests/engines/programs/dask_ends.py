# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""``dask_ends.py SCENARIO``: a program that instruments Dask itself, on a cluster of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from opentelemetry import trace

import otelkit


def double(number: int) -> int:
    """End well."""
    return number * 2


def refuse(number: int) -> int:
    """Fail."""
    raise ValueError(number)


async def waits(number: int) -> int:
    """End well, in the worker's event loop."""
    return number


def submits(number: int) -> int:
    """Submit from within."""
    from distributed import worker_client

    with worker_client() as client:
        return client.submit(double, number).result()


def use(client) -> None:
    """Run a few of each."""
    with trace.get_tracer("program").start_as_current_span("submitter"):
        assert sum(client.gather(client.map(double, range(10)))) == 90
        refused = client.submit(refuse, 1)
        assert isinstance(refused.exception(), ValueError)
        assert isinstance(client.submit(double, refused).exception(), ValueError)
        assert client.submit(waits, 4).result() == 4
        assert client.submit(submits, 5).result() == 10


def local(**options) -> None:
    """A cluster in this process, its workers in others, or in threads."""
    otelkit.instrument("dask")
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None, **options)
    with cluster, Client(cluster) as client:
        use(client)


def in_threads() -> None:
    """Workers are threads of this process."""
    local(processes=False)


def late() -> None:
    """Instrumented when the client is connected, and uninstrumented."""
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        assert client.submit(double, 1).result() == 2
        otelkit.instrument("dask")
        while not client.run_on_scheduler(lambda dask_scheduler: "otelkit" in dask_scheduler.plugins):
            time.sleep(0.01)
        while not all(client.run(lambda dask_worker: "otelkit" in dask_worker.plugins).values()):
            time.sleep(0.01)
        use(client)
        otelkit.uninstrument("dask")
        while any(client.run(lambda dask_worker: "otelkit" in dask_worker.plugins).values()):
            time.sleep(0.01)
        assert client.submit(double, 100).result() == 200


def elsewhere() -> None:
    """Scheduler and workers are programs that know nothing of otelkit."""
    otelkit.instrument("dask")
    from distributed import Client

    file = os.path.join(os.environ["TMPDIR"], "scheduler.json")
    common = ["--scheduler-file", file, "--no-dashboard"]
    dask = [sys.executable, "-m", "dask"]
    scheduler = subprocess.Popen([*dask, "scheduler", "--port", "0", *common], stderr=subprocess.DEVNULL)
    workers = subprocess.Popen([*dask, "worker", "--nworkers", "2", *common], stderr=subprocess.DEVNULL)
    try:
        with Client(scheduler_file=file) as client:
            client.wait_for_workers(2)
            use(client)
    finally:
        for process in (workers, scheduler):
            process.terminate()
            assert process.wait(30) == 0


if __name__ == "__main__":
    otelkit.configure(service_name="program", machine=[])
    {"local": local, "in_threads": in_threads, "late": late, "elsewhere": elsewhere}[sys.argv[1]]()
