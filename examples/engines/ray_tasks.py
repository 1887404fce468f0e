# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Ray, instrumented by name: tasks with a retry, and an actor, all counted in the workers."""

import csv
import tempfile
from collections import Counter
from pathlib import Path

import ray

import otelkit


@ray.remote(max_retries=2, retry_exceptions=[ConnectionError])
def fetch(folder: str, number: int) -> int:
    seen = Path(folder, f"seen-{number}")
    if number == 3 and not seen.exists():
        seen.touch()
        raise ConnectionError("away")
    return number


@ray.remote
class Total:
    def __init__(self) -> None:
        self.total = 0

    def add(self, number: int) -> int:
        self.total += number
        return self.total


if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="fetch", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    otelkit.instrument("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    total = Total.remote()
    print(ray.get([total.add.remote(fetch.remote(folder, number)) for number in range(5)])[-1])
    ray.shutdown()
    otelkit.shutdown()
    last = {}
    for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines()):
        if row["metric"] == "job.status":
            last[row["instance"], row["labels"]] = int(float(row["value"]))
    totals: Counter[str] = Counter()
    for (_, labels), value in last.items():
        totals[labels] += value
    for labels, number in sorted(totals.items()):
        print(labels, number)
