# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Parts of the stack fail while the demo's customers go on: the figures stay right, and what can be kept is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from stack.ports import Ports
from stack.stack import Stack
from support.stack_queries import Jaeger, Prometheus, wait_for
from support.talking_program import TalkingProgram

pytestmark = pytest.mark.stack

PROGRAMS = Path(__file__).with_name("programs")
KEEP_ALL = {"COLLECTOR_KEEP_PERCENT": "100", "COLLECTOR_DECISION_WAIT": "2s", "COLLECTOR_SPAN_METRICS_INTERVAL": "1s"}
REFUSE_ALL = {"COLLECTOR_MEMORY_MIB": "5"}
"""Less than an idle Collector has in use."""


SHOWN = ("job", "otelkit_outcome", "part", "receiver", "exporter")


@dataclass
class System:
    """The demo's shop and customers before a stack."""

    stack: Stack
    shop: TalkingProgram
    customers: TalkingProgram

    def visit(self, number: int) -> None:
        """Have the customers make so many requests more."""
        self.customers.say(f"visit {number}")

    def deliver(self) -> None:
        """Wait until both programs have handed over everything."""
        for program in (self.customers, self.shop):
            wait_for(lambda program=program: program.say("flush") == "True")

    def wait_for_figures(self, requests: int) -> None:
        """Wait until Prometheus has the right figures, on the customers' side and on the shop's."""
        prometheus = Prometheus(self.stack.prometheus.url("web"))
        for metric in ('shop_client_calls_total{job="customers"}', 'service_requests_total{job="shop"}'):
            wait_for(
                lambda metric=metric: prometheus.total(metric) == requests,
                said=lambda metric=metric: prometheus.samples(metric),
            )

    def wait_for_traces(self, requests: int) -> None:
        """Wait until Jaeger has each request's trace, no span of it without its parent."""
        jaeger = Jaeger(self.stack.jaeger.url("query"))

        def gaps() -> tuple[int, list[str]]:
            traces = jaeger.traces("customers")
            missing = [
                span.name
                for spans in traces.values()
                for span in spans
                if span.parent and span.parent not in {each.id for each in spans}
            ]
            alone = [
                trace for trace, spans in traces.items() if {span.service for span in spans} != {"customers", "shop"}
            ]
            return len(traces), missing + alone

        wait_for(lambda: gaps() == (requests, []), said=gaps)

    def tell(self) -> None:
        """Print the counts; `make test-stack` shows them."""
        prometheus = Prometheus(self.stack.prometheus.url("web"))
        for expression in (
            "sum by (job, otelkit_outcome) (otelkit_exports_total)",
            '{__name__=~"otelcol_receiver_(accepted|refused|failed)_(spans|metric_points)"}',
            '{__name__=~"otelcol_exporter_(sent|send_failed|enqueue_failed)_(spans|metric_points)"}',
        ):
            for each in prometheus.query(expression):
                labels = {key: value for key, value in each["metric"].items() if key in SHOWN}
                print(each["metric"].get("__name__", "otelkit_exports_total"), labels, each["value"][1])


@contextmanager
def system(folder: Path, gateways: int, settings: dict[str, str]) -> Iterator[System]:
    """Start everything."""
    with Stack(folder, Ports(free=True), gateways=gateways, scrape_s=1, settings=settings) as stack:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.entry.url("otlp_http")}
        with (
            TalkingProgram(PROGRAMS / "shop.py", folder, OTEL_SERVICE_NAME="shop", **sent) as shop,
            TalkingProgram(
                PROGRAMS / "customers.py", folder, shop.answer, OTEL_SERVICE_NAME="customers", **sent
            ) as customers,
        ):
            running = System(stack, shop, customers)
            yield running
            running.tell()


def test_agent_killed_while_gateways_are_away(tmp_path: Path) -> None:
    """What the agent had taken is in its queue on disk: its successor delivers all of it, to both gateways."""
    with system(tmp_path, 2, KEEP_ALL) as running:
        *gateways, agent = running.stack.collectors
        for gateway in gateways:
            gateway.stop()
        running.visit(100)
        running.deliver()
        agent.kill()
        running.visit(50)  # into the programs' own buffers
        agent.start()
        agent.wait_ready()
        running.visit(50)
        running.deliver()
        for gateway in gateways:
            gateway.start()
            gateway.wait_ready()
        running.wait_for_figures(200)
        running.wait_for_traces(200)


def test_jaeger_away_and_the_collector_killed(tmp_path: Path) -> None:
    """Metrics arrive meanwhile; the spans wait on disk, survive the Collector, and arrive when Jaeger is there."""
    with system(tmp_path, 0, {}) as running:
        running.stack.jaeger.stop()
        running.visit(100)
        running.deliver()
        running.wait_for_figures(100)
        running.stack.entry.kill()
        running.stack.entry.start()
        running.stack.entry.wait_ready()
        running.visit(50)
        running.deliver()
        running.wait_for_figures(150)
        running.stack.jaeger.start()
        running.stack.jaeger.wait_ready()
        running.wait_for_traces(150)


def test_memory_limiter_refuses(tmp_path: Path) -> None:
    """A Collector without memory takes nothing; the programs go on and keep it, and one with memory gets it all."""
    with system(tmp_path, 0, REFUSE_ALL) as running:
        collector, prometheus = running.stack.entry, Prometheus(running.stack.prometheus.url("web"))
        for signal in ("spans", "metric_points"):
            refused = f"otelcol_processor_memory_limiter_refused_{signal}"
            wait_for(lambda refused=refused: running.visit(5) or prometheus.total(refused) > 0)
        made = int(running.customers.say("visit 50"))
        collector.stop()
        collector.environment["COLLECTOR_MEMORY_MIB"] = "512"
        collector.start()
        collector.wait_ready()
        running.deliver()
        running.wait_for_figures(made)
        running.wait_for_traces(made)
        failures = 'otelkit_exports_total{job="customers", otelkit_outcome!="success"}'
        wait_for(lambda: prometheus.total(failures) > 0, said=lambda: prometheus.samples("otelkit_exports_total"))


def test_one_gateway_away(tmp_path: Path) -> None:
    """Spans wait in the agent, and no gateway counts one twice when it is back; the figures are right in the end."""
    with system(tmp_path, 2, KEEP_ALL) as running:
        first = running.stack.collectors[0]
        first.kill()  # before it has anything to decide, which would be lost
        running.visit(100)
        running.deliver()
        first.start()
        first.wait_ready()
        running.visit(50)
        running.deliver()
        running.wait_for_figures(150)
        running.wait_for_traces(150)
        counted = 'traces_span_metrics_calls_total{span_name="shop_client"}'
        prometheus = Prometheus(running.stack.prometheus.url("web"))
        wait_for(lambda: prometheus.total(counted) == 150, said=lambda: prometheus.samples(counted))
