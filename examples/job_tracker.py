# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A batch engine of one's own: jobs from a CSV file with bad rows, stopped in the middle, gone on with."""

import tempfile
from pathlib import Path

import otelkit

folder = Path(tempfile.mkdtemp(prefix="otelkit-example-"))
otelkit.configure(metrics_exporters=["none"], traces_exporters=["none"], machine=[])
orders = folder / "orders.csv"
orders.write_text("order,city\n1,Rome\n2\n3,Oslo\n4,Bonn\n,Nice\n")


def open_batch():
    tracker = otelkit.JobTracker("ship_orders", manifest=folder / "orders.manifest")
    return tracker, tracker.create_batch_from_csv(orders, id_column="order", required=["city"])


tracker, batch = open_batch()
for error in batch.errors:
    print(str(error).replace(f"{folder}/", ""))
for job in batch:
    if job.item["city"] == "Bonn":
        break  # the program is interrupted here
    with tracker.running(job.id):
        print("ship order", job.id, "to", job.item["city"])
tracker.close()

tracker, batch = open_batch()  # the next run
print("left:", [job.id for job in batch])
for job in batch:
    tracker.update_job_status(job.id, "running")
    tracker.update_job_status(job.id, "failed", ConnectionError("no road"))
print(tracker.counts())
