# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A class whose public methods are actions: metrics and a span for each, without a line in the methods."""

import csv
import tempfile
from pathlib import Path

import otelkit


class UnknownOrderError(LookupError):
    """There is no such order."""


@otelkit.service(prefix="api_gateway_")
class Orders:
    def __init__(self) -> None:
        self._orders = {1: "tea", 2: "coffee"}

    def get(self, order_id: int) -> str:
        if order_id not in self._orders:
            raise UnknownOrderError(order_id)
        return self._orders[order_id]

    @otelkit.action(labels=["user_tier"], buckets=[0.001, 0.01, 0.1])
    def place(self, what: str, user_tier: str) -> int:
        order_id = len(self._orders) + 1
        self._orders[order_id] = what
        return order_id

    @otelkit.action(metrics=False, traces=False)
    def health(self) -> str:
        return "ok"


if __name__ == "__main__":
    folder = tempfile.mkdtemp(prefix="otelkit-example-")
    otelkit.configure(
        service_name="orders", metrics_exporters=["csv"], traces_exporters=["none"], machine=[], data_folder=folder
    )
    orders = Orders()
    orders.place("milk", user_tier="free")
    orders.place("cake", user_tier="premium")
    for order_id in (1, 2, 3, 99):
        try:
            print(orders.get(order_id))
        except UnknownOrderError as error:
            print(f"no order {error}")
    orders.health()
    otelkit.shutdown()
    for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines()):
        if row["field"] in ("value", "count"):
            print(row["metric"], row["labels"], row["value"])
