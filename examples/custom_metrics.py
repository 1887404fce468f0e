# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of your own: declared once, with labels, unit and description; bound where it is hot."""

import tempfile
from pathlib import Path

import otelkit

signups = otelkit.counter("user_registration", labels=["source"], description="Users registered.")
queue_length = otelkit.up_down_counter("mail.queue", unit="{mail}", description="Mails that wait.")
temperature = otelkit.gauge("room.temperature", unit="Cel", callback=lambda: 21.5)
upload_size = otelkit.histogram("upload.size", unit="By", buckets=[1e3, 1e4, 1e5], description="Size of an upload.")
latency = otelkit.summary("render.latency", unit="s", description="p50 to p99 over a sliding window.")
per_second = otelkit.rate("user_registration.rate", of=signups, description="Registrations a second.")


def work() -> None:
    from_web = signups.labels(source="web")  # bound once, then one call costs next to nothing
    for number in range(1, 101):
        from_web.increment()
        upload_size.observe(number * 250)
        latency.observe(number / 1_000)
    otelkit.increment("user_registration", source="shop")  # by name, where it was not declared
    queue_length.increment(3)
    queue_length.decrement()
    with otelkit.timer("order_processing_time", priority="high"):
        sum(range(10_000))


if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="custom", metrics_exporters=["json"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    work()
    otelkit.shutdown()
    print(Path(folder, "metrics.json").read_text())
