# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Dask, instrumented by name: a cluster of two workers, whose scheduler counts what its tasks come to."""

from distributed import Client, LocalCluster, wait

import otelkit
from otelkit.instruments.registry import default_registry


def share(number: int) -> float:
    return 100 / number


if __name__ == "__main__":
    otelkit.configure(service_name="shares", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    otelkit.instrument("dask")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        Client(cluster) as client,
    ):
        shares = client.map(share, range(10))
        wait(shares)
        total = client.submit(sum, [each for each in shares if each.status == "finished"])
        print(f"{total.result():.1f} of all, {sum(each.status == 'error' for each in shares)} without a share")
        for metric, points in default_registry.snapshot():
            for point in points if metric.name in ("job.status", "job.errors", "batch.size", "batch.workers") else ():
                labels = [value for key, value in point.attributes.items() if key != "batch.engine"]
                print(metric.name, *labels, int(point.value if hasattr(point, "value") else point.sum))
