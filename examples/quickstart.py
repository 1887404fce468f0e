# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One decorator, one line: calls, active calls, errors and duration on http://localhost:9464/metrics."""

import random
import time

import otelkit


@otelkit.metered
def price(order: int) -> float:
    time.sleep(random.uniform(0.001, 0.01))
    return 100 / (order % 10)  # every tenth order fails


if __name__ == "__main__":
    otelkit.configure(service_name="quickstart", metrics_exporters=["prometheus"], traces_exporters=["none"])
    orders = failed = 0
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        orders += 1
        try:
            price(orders)
        except ZeroDivisionError:
            failed += 1
    print(f"{orders} calls, {failed} errors")
