# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Celery, instrumented by name: a worker, and a program that sends it a group, with a retry and a failure."""

import csv
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import celery

import otelkit

folder = os.environ.setdefault("ORDERS", tempfile.mkdtemp(prefix="otelkit-example-"))
otelkit.configure(
    service_name="orders", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
)
otelkit.instrument("celery")

# Messages and results in files: an example needs no broker. The worker loads this very module.
app = celery.Celery("celery_orders", broker="filesystem://", backend=f"file://{folder}")
mail = {f"data_folder_{way}": folder for way in ("in", "out")}
app.conf.update(broker_transport_options={**mail, "control_folder": folder}, broker_connection_retry_on_startup=True)


@app.task(name="orders.charge", bind=True)
def charge(self: celery.Task, order: int) -> int:
    if order == 3 and not self.request.retries:
        raise self.retry(countdown=0, exc=ConnectionError("the bank is away"))
    return 100 // (order - 5)


if __name__ == "__main__":
    command = [
        sys.executable,
        "-m",
        "celery",
        "--app=celery_orders",
        "worker",
        "--concurrency=2",
        "--loglevel=CRITICAL",
    ]
    worker = subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results = celery.group(charge.s(order) for order in range(10)).apply_async()
    print([result.get(timeout=60, propagate=False) for result in results])
    worker.terminate()
    worker.wait()
    otelkit.shutdown()
    last = {}
    for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines()):
        if row["metric"] in ("job.status", "job.errors"):
            last[row["instance"], row["metric"], row["labels"]] = int(float(row["value"]))
    totals: Counter[str] = Counter()
    for (_, metric, labels), value in last.items():
        totals[f"{metric} {labels}"] += value
    for what, number in sorted(totals.items()):
        print(what, number)
