# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's system through an agent and two gateways: what a user then finds in Jaeger and in Prometheus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stack.ports import Ports
from stack.stack import Stack
from support.prometheus_pages import Page, Series, parse
from support.stack_queries import Jaeger, Prometheus, Span, wait_for
from support.talking_program import TalkingProgram

pytestmark = pytest.mark.stack

PROGRAMS = Path(__file__).with_name("programs")
VISITS = 300
DEMO_S = 4
KEEP_ALL = {"COLLECTOR_KEEP_PERCENT": "100", "COLLECTOR_DECISION_WAIT": "2s", "COLLECTOR_SPAN_METRICS_INTERVAL": "1s"}
MOVING = ("otelkit_", "system_", "process_", "cpython_", "hw_")
SUMMARY = "detect_score"
VOCABULARY = {
    *("service_requests_total", "service_active_requests", "service_errors_total"),
    *("event_received_total", "event_processing_time_seconds_count", "event_latency_seconds_count"),
    *("job_runs_total", "job_active", "job_duration_seconds_count", "job_last_success_seconds"),
    *("inference_requests_total", "inference_duration_seconds_count", "inference_items_total"),
    *("inference_batch_size_count", "inference_phase_duration_seconds_count"),
    *("shop_client_calls_total", "shop_client_active_calls", "shop_client_duration_seconds_count"),
    *("index_files_total", "index_pending", "detect_calls_total", "cache_hit_ratio", SUMMARY),
    *("system_cpu_time_seconds_total", "system_memory_usage_bytes", "process_memory_usage_bytes"),
    *("cpython_gc_collections_total", "otelkit_exports_total", "otelkit_series"),
}


@dataclass
class Run:
    """What is left after all programs have ended but the stack."""

    stack: Stack
    jaeger: Jaeger
    prometheus: Prometheus
    page: Page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The demo, and beside it its shop and its customers in processes of their own."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, Ports(free=True), gateways=2, scrape_s=1, settings=KEEP_ALL) as stack:
        sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.entry.url("otlp_http")}
        jaeger, prometheus = Jaeger(stack.jaeger.url("query")), Prometheus(stack.prometheus.url("web"))
        with (
            TalkingProgram(PROGRAMS / "demo.py", folder, str(DEMO_S), OTEL_SERVICE_NAME="demo", **sent) as demo,
            TalkingProgram(PROGRAMS / "shop.py", folder, OTEL_SERVICE_NAME="shop", **sent) as shop,
            TalkingProgram(
                PROGRAMS / "customers.py", folder, shop.answer, OTEL_SERVICE_NAME="customers", **sent
            ) as customers,
        ):
            assert customers.say(f"visit {VISITS}") == str(VISITS)
            page = parse(json.loads(demo.say("page")))
            wait_for(lambda: prometheus.query('otelkit_series{job="demo"}'))
        yield Run(stack, jaeger, prometheus, page)


def test_all_parts_are_well(run: Run) -> None:
    """Prometheus reaches everything it is to scrape, and no Collector had to refuse or drop anything."""
    expected = {"collectors": 2, "telemetry": 4}

    def reached() -> Counter[str]:
        up = run.prometheus.samples("up")
        return Counter(dict(series.labels)["job"] for series, value in up.items() if value == 1)

    wait_for(lambda: reached() == expected, said=lambda: run.prometheus.samples("up"))
    wait_for(lambda: run.prometheus.total("otelcol_receiver_accepted_spans") > VISITS)
    assert run.prometheus.query('{__name__=~"otelcol_.*(failed|refused)_(spans|metric_points)"} > 0') == []


def test_traces_are_complete_across_processes(run: Run) -> None:
    """Each request is one trace: the customer's span, the shop's below it, and for an order payment and invoice too."""
    traces = wait_for(
        lambda: complete(run.jaeger.traces("customers")),
        said=lambda: Counter(len(spans) for spans in run.jaeger.traces("customers").values()),
    )
    assert len(traces) == VISITS
    shapes = Counter(tuple(sorted(f"{span.service}: {span.name}" for span in spans)) for spans in traces.values())
    assert all(shape.count("customers: shop_client") == 1 for shape in shapes)
    ordered = ("customers: shop_client", "shop: Shop.place_order", "shop: order.placed process", "shop: payment")
    assert shapes[ordered] > 30
    assert shapes["customers: shop_client", "shop: Shop.search"] > 30


def complete(traces: dict[str, list[Span]]) -> dict[str, list[Span]] | None:
    """Return the traces once all requests are there, and no span misses its parent or its trace's other process."""
    for spans in traces.values():
        known = {span.id for span in spans} | {""}
        if {span.parent for span in spans} - known or {span.service for span in spans} != {"customers", "shop"}:
            return None
    return traces if len(traces) == VISITS else None


def test_prometheus_has_every_metric_of_the_demo(run: Run) -> None:
    """Whatever is on the demo's own page has come through agent and gateway under the same name."""
    own = {series.name for series in run.page.samples if not series.name.endswith("_created")}
    assert own >= VOCABULARY
    # OTLP has no summaries: each is a gauge of its quantiles, here with a unit of 1, and two counters.
    as_otlp = {f"{SUMMARY}_ratio", f"{SUMMARY}_count_total", f"{SUMMARY}_sum_total"}
    expected = {name for name in own if not name.startswith((SUMMARY, "target_info"))} | as_otlp

    def missing() -> set[str]:
        return expected - run.prometheus.names('{job="demo"}')

    wait_for(lambda: not missing(), said=missing)


def test_values_are_those_of_the_demo(run: Run) -> None:
    """Every sample that stands still has the very same value at its source and in Prometheus, buckets included."""
    own = {series: value for series, value in run.page.samples.items() if still(series)}
    assert len(own) > 300

    def theirs() -> dict[Series, float]:
        found = run.prometheus.samples('{job="demo"}', "job", "instance")
        return {series: value for series, value in found.items() if series in own}

    wait_for(lambda: theirs() == own, said=lambda: set(own.items()) ^ set(theirs().items()))


def still(series: Series) -> bool:
    """Say whether a sample no longer moves, and is one that OTLP carries as it is."""
    return not (series.name.startswith((*MOVING, "target", SUMMARY)) or series.name.endswith("_created")) and (
        not series.name.startswith("inference_throughput")  # over the last minute
    )


def test_exemplars_lead_to_traces(run: Run) -> None:
    """Where all traces are kept, Jaeger knows each trace that an exemplar names."""
    selector = '{__name__=~".+_bucket", job!=""}'
    metrics = {f"{name}_duration_seconds_bucket" for name in ("shop_client", "payment", "detect", "job")}
    wait_for(lambda: {each.metric for each in run.prometheus.exemplars(selector)} >= metrics)
    traces = {each.trace for each in run.prometheus.exemplars(selector)}
    assert len(traces) > 20
    for trace in traces:
        wait_for(lambda trace=trace: run.jaeger.knows(trace), said=lambda trace=trace: trace)


def test_span_metrics_count_every_span_once(run: Run) -> None:
    """The gateways' own counts add up to the customers' requests, whichever gateway a trace came to."""
    selector = 'traces_span_metrics_calls_total{span_name="shop_client", service_name="customers"}'
    wait_for(lambda: run.prometheus.total(selector) == VISITS, said=lambda: run.prometheus.samples(selector))
    by = run.prometheus.samples(selector)
    assert {dict(series.labels)["collector_instance_id"] for series in by} == {"gateway-1", "gateway-2"}
    seconds = 'traces_span_metrics_duration_seconds_count{span_name="shop_client", service_name="customers"}'
    assert run.prometheus.total(seconds) == VISITS


def test_jaeger_lists_the_services(run: Run) -> None:
    """All three programs, by their service names."""
    assert run.jaeger.services() >= {"demo", "shop", "customers"}
