# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Events through a queue: publication, processing, failures, and how late each event is handled."""

import asyncio
import csv
import tempfile
import time
from pathlib import Path

import otelkit

queue: asyncio.Queue[dict] = asyncio.Queue()


@otelkit.publisher
class Payments:
    async def publish(self, event: str, payment: int) -> None:
        await queue.put({"event": event, "payment": payment, "timestamp": time.time()})


@otelkit.service
class Mailer:
    @otelkit.event_handler("payment.completed")
    async def on_payment(self, event: dict) -> None:
        await asyncio.sleep(0.01)
        if event["payment"] % 5 == 0:
            raise ConnectionError("mail server is gone")


async def main() -> None:
    payments, mailer = Payments(), Mailer()
    for payment in range(1, 11):
        await payments.publish("payment.completed", payment)
    handled = failed = 0
    while not queue.empty():
        try:
            await mailer.on_payment(await queue.get())
            handled += 1
        except ConnectionError:
            failed += 1
    print(f"{handled} handled, {failed} failed")


if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="mailer", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    asyncio.run(main())
    otelkit.shutdown()
    for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines()):
        if row["field"] in ("value", "count"):
            print(row["metric"], row["labels"], row["value"])
