# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""concurrent.futures, instrumented by name: threads, and processes that report to the same place."""

import csv
import multiprocessing
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import otelkit


def fetch(page):
    if page == 7:
        raise TimeoutError("page 7 is slow")
    return f"page {page}"


def count_words(text):
    return len(text.split())


def main():
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="pages", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    otelkit.instrument("concurrent_futures")
    with ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(fetch, page) for page in range(10)]
    pages = [future.result() for future in futures if not future.exception()]
    # Workers that are spawned configure themselves as this process is.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        print(sum(processes.map(count_words, pages, chunksize=3)), "words")
    otelkit.shutdown()
    report(folder)


def report(folder):
    """Add up what all processes have written; of each series the last line counts."""
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
