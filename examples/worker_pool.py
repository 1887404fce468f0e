# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""multiprocessing.Pool, instrumented by name: chunks, a failure that ends its chunk, workers that are recycled."""

import csv
import multiprocessing
import tempfile
from collections import Counter
from pathlib import Path

import otelkit


def square(number):
    if number == 42:
        raise ValueError("no answer")
    return number * number


def main():
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="squares", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    otelkit.instrument("multiprocessing")
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=4) as pool:
        print(sum(pool.map(square, range(40), chunksize=5)))
        try:
            pool.map(square, range(40, 45), chunksize=5)
        except ValueError as error:
            print("failed:", error)
        pool.close()
        pool.join()
    otelkit.shutdown()
    last = {}
    for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines()):
        if row["metric"] in ("batch.created", "job.status", "job.errors"):
            last[row["instance"], row["metric"], row["labels"]] = int(float(row["value"]))
    totals = Counter()
    for (_, metric, labels), value in last.items():
        totals[f"{metric} {labels}"] += value
    for what, number in sorted(totals.items()):
        print(what, number)


if __name__ == "__main__":
    main()
