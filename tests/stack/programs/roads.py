# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One metric of each kind and of each family, recorded the same way in each run; answers True to a flush."""

import sys
import time

import otelkit

orders = otelkit.counter("shop.orders", labels=["tier"], description="Orders.")
open_orders = otelkit.up_down_counter("shop.open_orders", description="Orders that are open.")
fill = otelkit.gauge("shop.fill", unit="1", description="How full the shop is.")
room = otelkit.gauge("room.temperature", unit="Cel", description="How warm it is.")
size = otelkit.histogram("upload.size", unit="By", buckets=[1e3, 1e6], description="Size of an upload.")


@otelkit.observed
def charge(amount: int) -> None:
    """Fails for an amount below zero."""
    if amount < 0:
        raise ValueError("negative amount")


@otelkit.service(prefix="api_gateway_")
class Orders:
    """An action, an event's handler and a job."""

    @otelkit.action(labels=["tier"])
    def get(self, tier: str) -> str:
        """Return the tier."""
        return tier

    @otelkit.event_handler("payment.completed")
    def on_payment(self, event: dict[str, float]) -> None:
        """Have a latency."""

    @otelkit.job(name="cleanup")
    def clean_up(self) -> None:
        """Succeed."""


def work() -> None:
    """Record everything."""
    orders.increment(3, tier="gold")
    orders.increment(tier="free")
    open_orders.increment(2)
    fill.set(0.5)
    room.set(21.5)
    for value in (10, 5_000, 2e6):
        size.observe(value)
    for amount in (1, 2, -1):
        try:
            charge(amount)
        except ValueError:
            continue
    service = Orders()
    service.get("gold")
    service.on_payment({"timestamp": time.time()})
    service.clean_up()
    with otelkit.inference("ranker", engine="custom", batch_size=4) as step, step.phase("compute"):
        pass


def main() -> None:
    """Work once, then deliver whenever asked."""
    otelkit.configure()
    work()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(otelkit.flush(timeout_s=30), flush=True)


if __name__ == "__main__":
    main()
