# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A program that records with everything otelkit has, and ships it to a Collector; test_collector.py runs it.

    python collector_program.py FOLDER [setting=value ...]

It works, flushes, writes its own pages to FOLDER (page.txt, page.openmetrics), prints ``ready`` and waits for a line
on its standard input before it ends.
"""

import asyncio
import json
import sys
import time
import urllib.request
from pathlib import Path

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation

import otelkit

UNITS = """s By 1 {request} m/s % Cel W J ms us ns min h d m g V A Hz KiBy MiBy GBy By/s 1/s {packet}/s By/{call} 1/mo
m/w s/{call} km By/m KBy/h J/d widget wid-get/y
""".replace("\n", " ").split(" ")
NAMES = (
    "request.size",
    "already.seconds",
    "bytes.read.total",
    "total",
    "hit_ratio",
    "ratio.hit.count",
    "speed.meters.per_second",
    "under__score_",
    "CamelCase",
    "slash/and-dash",
    "percent_used",
    "power.watts.joules",
)
BOUNDS = (0.5, 1, 2.5, 1e6)
ODD_TEXTS = ("", 'quo"te', "back\\slash", "new\nline", "größe ✓ 字符", "a=b,{c}", "x" * 300)


def record_names_and_units() -> None:
    """One metric of each kind for each name and unit; the kind's letter keeps their names apart."""
    for n, name in enumerate(NAMES):
        for u, unit in enumerate(UNITS):
            end, said = f"{n}x{u}.{name}", f'A "{name}"\nin \\{unit}.'
            otelkit.counter(f"c{end}", unit=unit, description=said).increment(n + 1)
            otelkit.up_down_counter(f"u{end}", unit=unit, description=said).increment(-u - 0.5)
            otelkit.gauge(f"g{end}", unit=unit, description=said).set(n - u)
            otelkit.histogram(f"h{end}", unit=unit, description=said, buckets=BOUNDS).observe(u)
            otelkit.gauge(f"k{end}", unit=unit, description=said, callback=lambda n=n: n / 3)


def record_values_and_labels() -> None:
    """Numbers that are hard to spell, and labels whose names and values are."""
    keys = ["http.method", "user-tier", "_private", "9lives", "a__b..größe"]
    odd = otelkit.gauge("odd.value", labels=keys)
    for text in ODD_TEXTS:
        odd.labels(**dict.fromkeys(keys, text) | {"user-tier": "free"}).set(1)
    many = otelkit.counter("many.labels", labels=["tenant"])
    for tenant in range(9):
        many.increment(tenant=tenant)
    numbers = otelkit.gauge("odd.number", labels=["which"])
    for value in (0.0, -0.0, 1e-300, -1e300, 2**53 + 1, 0.1 + 0.2, 1e21, 123456789.123456789):
        numbers.set(value, which=repr(value))
    falls = otelkit.histogram("may.fall", buckets=[-1, 0, 1])
    spread = otelkit.histogram("spread", unit="s", labels=["tenant"])
    for step in range(200):
        falls.observe(step % 5 - 2)
        spread.observe(step / 7, tenant=f"t{step % 3}")
    empty = otelkit.histogram("empty.bounds", buckets=[1e9])
    empty.observe(2e9)


@otelkit.metered
def plain() -> None:
    """No name, no label."""


@otelkit.metered(name="peer_discovery", prefix="dht_", labels=["tier"], buckets=[0.001, 0.01, 0.1])
async def discover(tier: str) -> None:
    """A name and a prefix with its underscore."""


@otelkit.metered(name="rows", prefix="etl.")
def rows(count: int):
    """A generator."""
    yield from range(count)


@otelkit.observed
def charge(amount: int) -> None:
    """A span, metrics and an exemplar that links them."""
    check(amount)


@otelkit.traced
def check(amount: int) -> None:
    """A span alone."""
    if amount < 0:
        raise ValueError("negative amount")


@otelkit.service(prefix="api_gateway_")
class Orders:
    """Actions, an event's handler, and a job."""

    @otelkit.action(labels=["user_tier"], buckets=[0.001, 0.01, 0.1])
    async def get(self, order: int) -> int:
        """An action with a label given from inside."""
        otelkit.add_label("user_tier", "free")
        charge(order)
        return order

    @otelkit.event_handler("payment.completed")
    def on_payment(self, event: dict) -> None:
        """Its latency comes from the event's timestamp."""

    @otelkit.job(name="cleanup_job")
    def cleanup(self, fail: bool) -> None:
        """Succeeds or fails."""
        if fail:
            raise TimeoutError


@otelkit.service(name="stock")
class Stock:
    """A service without a prefix."""

    def count(self) -> int:
        """A plain action."""
        return 3


@otelkit.publisher(prefix="bus.")
class Payments:
    """Publishes."""

    def publish(self, event: str) -> None:
        """The event's name is an argument."""


def call_everything() -> None:
    """Each family, succeeding and failing."""
    orders = Orders()
    for order in (1, 2, -1):
        try:
            asyncio.run(orders.get(order))
        except ValueError:
            continue
    for fail in (False, True):
        try:
            orders.cleanup(fail)
        except TimeoutError:
            continue
    orders.on_payment({"timestamp": time.time() - 0.2})
    Stock().count()
    Payments().publish("payment.completed")
    plain()
    asyncio.run(discover("gold"))
    list(rows(4))


def record_other_instruments() -> None:
    """Summary, rate, timer, by name; inside a span, so that there are exemplars."""
    with trace.get_tracer("program", "1.0").start_as_current_span(
        "root", attributes={"answer": 42, "list": ["a", "b"]}
    ):
        signups = otelkit.counter("user_registration", labels=["source"], description="Users registered.")
        for _ in range(10):
            signups.labels(source="web").increment()
        otelkit.increment("user_registration", 2, source="shop")
        otelkit.increment("never.declared", tier="gold")
        otelkit.observe("never.declared.either", 5)
        otelkit.set("never.declared.level", 5.5, room="a")
        otelkit.rate("user_registration.rate", of=signups)
        latency = otelkit.summary("render.latency", unit="s")
        sizes = otelkit.histogram("upload.size", unit="By", buckets=[10, 100, 1000])
        for number in range(1, 101):
            latency.observe(number)
            sizes.observe(number * 12)
        with otelkit.timer("order_processing_time", priority="high"):
            charge(3)


def record_with_the_sdk() -> None:
    """What the application's own OpenTelemetry instruments hold comes along, with a scope that has everything."""
    about = {"team": "checkout", "short.name": "s"}
    meter = metrics.get_meter("shop", "2.1", schema_url="https://example.org/schema", attributes=about)
    with trace.get_tracer("program").start_as_current_span("sdk"):
        for n, unit in enumerate(UNITS):
            meter.create_counter(f"sdk.c{n}", unit, "A counter.").add(n + 1, {"http.method": "GET", "flag": True})
            meter.create_up_down_counter(f"sdk.u{n}", unit).add(-2)
            meter.create_histogram(f"sdk.h{n}", unit).record(12.5, {"http.route": "/a", "sizes": (1, 2)})
            meter.create_observable_gauge(f"sdk.g{n}", [_observe], unit)


def _observe(_: CallbackOptions) -> list[Observation]:
    return [Observation(0.25, {"ratio": 1.5, "count": 3})]


def pages(folder: Path) -> None:
    """Write what /metrics answers now."""
    from otelkit.exporters.prometheus import PrometheusReader
    from otelkit.pipeline import current

    telemetry = current()
    assert telemetry is not None
    reader = next(each for each in telemetry.readers if isinstance(each, PrometheusReader))
    for name, accept in (
        ("page.openmetrics", "application/openmetrics-text; version=1.0.0"),
        ("page.txt", "text/plain; version=0.0.4"),
    ):
        with urllib.request.urlopen(urllib.request.Request(reader.url, headers={"Accept": accept})) as answer:
            (folder / name).write_bytes(answer.read())


def work_and_flush() -> bool:
    """Do everything, and say whether it was delivered."""
    record_names_and_units()
    record_values_and_labels()
    call_everything()
    record_other_instruments()
    return otelkit.flush(timeout_s=30)


def main() -> None:
    """Configure, work, flush, show, wait, end."""
    folder = Path(sys.argv[1])
    otelkit.configure(
        service_name="conformance",
        service_namespace="tests",
        resource_attributes={"deployment.environment.name": "ci", "9lives": "cat"},
        prometheus_port=0,
        metrics={"many.labels": {"cardinality_limit": 5}},
        **json.loads(sys.argv[2]),
    )
    # Twice: deltas are to be added up, and a CPU's share of time needs two readings, which are kept for 0.25 s. The
    # SDK's own exemplars last for one collection.
    delivered = work_and_flush()
    pages(folder)
    time.sleep(0.3)
    record_with_the_sdk()
    delivered &= work_and_flush()
    pages(folder)
    print("ready" if delivered else "not delivered", flush=True)
    sys.stdin.readline()
    sys.exit(0 if otelkit.shutdown(timeout_s=30) else 3)


if __name__ == "__main__":
    main()
