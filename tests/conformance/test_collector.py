# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
otelkit before the real Collector: both roads to Prometheus, the scrape and OTLP, lead to the same page.

What differs, and is left out of the comparison:

- The Collector puts ``job`` and ``instance`` on every series; who scrapes otelkit's page adds its own.
- It has no ``_created`` samples (its exporter has no option for them) and no ``# UNIT``.
- In text, not in OpenMetrics, it spells bounds as ``le="1"``; otelkit writes ``le="1.0"`` in both.
- ``target_info`` is a gauge there, without what went into ``job`` and ``instance``.
- A summary travels as a gauge of quantiles and two counters: the SDK's OTLP has no summary.
- An exponential histogram is a native one there, of which text shows count and sum.
- OpenMetrics forbids count and sum of a histogram that may fall; the Collector writes them nonetheless.
- The Collector counts spans, and shows that beside what it was sent.
- The machine's and otelkit's own numbers move between export and scrape: names, types and labels must agree.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.collector import STANDALONE, Collector, binary, free_port
from support.otlp_receiver import OtlpReceiver
from support.prometheus_pages import Exemplar, Page, Series, parse

pytestmark = pytest.mark.collector

PROGRAM = Path(__file__).with_name("collector_program.py")
OWN_OF_A_SCRAPE = ("job", "instance")
SUMMARY = "render_latency"
MAY_FALL = "may_fall"
SPAN_METRICS = "traces_span_metrics"
MOVING = ("otelkit_", "system_", "process_", "cpython_", "hw_", "user_registration_rate")
SPANS = {
    "Orders.get": 6,
    "charge": 8,
    "check": 8,
    "cleanup_job": 4,
    "payment.completed process": 2,
    "Payments.publish": 2,
    "root": 2,
    "sdk": 1,
    "stock.count": 2,
}


@dataclass
class Run:
    """What one run of the program left: pages by format (True: OpenMetrics), spans, the Collector's log."""

    collector: dict[bool, str]
    own: dict[bool, str]
    after_the_end: str = ""
    spans: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""


def run_program(folder: Path, collector: Collector, protocol: str = "http/protobuf", **settings: object) -> Run:
    """Run the program to its end; pages are taken while it waits, and once more after."""
    address = collector.otlp_grpc if protocol == "grpc" else collector.otlp_http
    told = {
        "otlp_endpoint": f"http://{address}",
        "otlp_protocol": protocol,
        "metrics_exporters": ["otlp", "prometheus"],
    }
    command = [sys.executable, PROGRAM, folder, json.dumps(told | settings)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        pages = {form: collector.page(openmetrics=form) for form in (True, False)}
        program.communicate("\n", timeout=60)
        assert program.returncode == 0
    own = {True: (folder / "page.openmetrics").read_text(), False: (folder / "page.txt").read_text()}
    return Run(pages, own, collector.page(openmetrics=True), log=collector.log())


@pytest.fixture(scope="module", params=["http/protobuf", "grpc"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The program's whole life, once per protocol."""
    folder = tmp_path_factory.mktemp("collector")
    with Collector(folder) as collector:
        made = run_program(folder, collector, request.param)
        made.spans = collector.spans(at_least=sum(SPANS.values()))
        yield made


def own_page(run: Run, *, openmetrics: bool = True) -> Page:
    """Return otelkit's page, what the Collector has no place for left out."""
    page = parse(run.own[openmetrics], bounds_as_numbers=not openmetrics)
    page.samples = {series: value for series, value in page.samples.items() if not series.name.endswith("_created")}
    return page.without(*left_out(openmetrics))


def collector_page(run: Run, *, openmetrics: bool = True) -> Page:
    """Return the Collector's page, what is its own left out."""
    page = parse(run.collector[openmetrics], without_labels=OWN_OF_A_SCRAPE, bounds_as_numbers=not openmetrics)
    return page.without(*left_out(openmetrics))


def left_out(openmetrics: bool) -> tuple[str, ...]:
    """Return the beginnings of what cannot be equal."""
    return ("target", SPAN_METRICS, SUMMARY, MAY_FALL) if openmetrics else ("target", SPAN_METRICS, SUMMARY)


def test_nothing_is_refused(run: Run) -> None:
    """The Collector warns of nothing and refuses nothing: no label is its own, no two names are the same."""
    troubles = [line for line in run.log.splitlines() if "\terror\t" in line or "\twarn\t" in line]
    assert troubles == []


@pytest.mark.parametrize("openmetrics", [True, False], ids=["openmetrics", "text"])
def test_families_are_equal(run: Run, openmetrics: bool) -> None:
    """Every family has the same name, type and help on both pages: a grid of names, units and kinds among them."""
    own = own_page(run, openmetrics=openmetrics).families
    assert len(own) > 2_000
    assert own == collector_page(run, openmetrics=openmetrics).families


@pytest.mark.parametrize("openmetrics", [True, False], ids=["openmetrics", "text"])
def test_series_and_values_are_equal(run: Run, openmetrics: bool) -> None:
    """Every sample of the program's metrics, buckets included, has the same labels and the very same value."""
    own = own_page(run, openmetrics=openmetrics).without(*MOVING).samples
    assert len(own) > 5_000
    assert any(("otel_metric_overflow", "true") in series.labels for series in own)
    assert own == collector_page(run, openmetrics=openmetrics).without(*MOVING).samples


def test_moving_series_are_equal_but_for_their_values(run: Run) -> None:
    """The machine's and otelkit's own metrics have the same series on both pages."""
    own, theirs = (set(page.beginning(*MOVING)) for page in (own_page(run), collector_page(run)))
    assert len(own) > 50
    assert own == theirs


def test_exemplars_are_equal(run: Run) -> None:
    """The same observations, with trace and span, are the exemplars of the same series."""
    own = own_page(run).exemplars
    assert {"function_duration_seconds_bucket", "user_registration_total", "upload_size_bytes_bucket"} <= {
        series.name for series in own
    }
    assert sum(series.name.startswith("sdk_") for series in own) > 50
    assert own == collector_page(run).exemplars


def test_exemplars_lead_to_spans_that_arrived(run: Run) -> None:
    """Each exemplar's trace and span are among the Collector's spans."""
    arrived = {(span["traceId"], span["spanId"]) for span in run.spans}
    named = {(dict(e.labels)["trace_id"], dict(e.labels)["span_id"]) for e in collector_page(run).exemplars.values()}
    assert len(named) > 5
    assert named <= arrived


def test_exemplars_outlive_the_program(run: Run) -> None:
    """After its last export the Collector still shows those of otelkit's cells, to be scraped when it suits."""

    def cells(page: Page) -> dict[Series, Exemplar]:
        return {s: e for s, e in page.exemplars.items() if ("otel_scope_name", "otelkit") in s.labels}

    before, after = (parse(text, without_labels=OWN_OF_A_SCRAPE) for text in (run.collector[True], run.after_the_end))
    assert cells(before)
    assert cells(before) == cells(after)


def test_target_is_equal(run: Run) -> None:
    """Both pages have the resource; service name, namespace and instance are job and instance at the Collector."""
    ((_, own_labels),) = (s for s in parse(run.own[True]).samples if s.name == "target_info")
    ((_, labels),) = (s for s in parse(run.collector[True]).samples if s.name == "target_info")
    own, theirs = dict(own_labels), dict(labels)
    namespace, name = own.pop("service_namespace"), own.pop("service_name")
    assert theirs.pop("job") == f"{namespace}/{name}" == "tests/conformance"
    assert theirs.pop("instance") == own.pop("service_instance_id")
    assert own == theirs
    assert own["key_9lives"] == "cat"


def test_summary_has_the_same_quantiles(run: Run) -> None:
    """Over OTLP its quantiles have the name and labels of the page; count and sum are counters of their own."""
    own = parse(run.own[True])
    theirs = parse(run.collector[True], without_labels=OWN_OF_A_SCRAPE)
    quantiles, counts = own.beginning("render_latency_seconds"), theirs.beginning(SUMMARY)
    shared = {s: v for s, v in quantiles.items() if s.name == "render_latency_seconds"}
    assert len(shared) == 4
    assert shared == {s: v for s, v in counts.items() if s.name == "render_latency_seconds"}
    others = {s.name: v for s, v in counts.items() if s not in shared}
    assert others == {"render_latency_count_total": 200, "render_latency_sum_seconds_total": 10_100}


def test_spans_arrive_complete(run: Run) -> None:
    """Number, names, parents, traces and kinds are those of the program."""
    assert Counter(span["name"] for span in run.spans) == SPANS
    by_id = {span["spanId"]: span for span in run.spans}
    assert len(by_id) == len(run.spans)
    parents = Counter()
    for span in run.spans:
        parent = by_id[span["parentSpanId"]] if span.get("parentSpanId") else None
        parents[span["name"], parent and parent["name"]] += 1
        if parent:
            assert span["traceId"] == parent["traceId"]
            assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"])
            assert int(span["endTimeUnixNano"]) <= int(parent["endTimeUnixNano"])
    calls = {("charge", "Orders.get"): 6, ("charge", "root"): 2, ("check", "charge"): 8}
    assert {pair: number for pair, number in parents.items() if pair[1]} == calls
    kinds = {span["name"]: span["kind"] for span in run.spans}
    assert (kinds["payment.completed process"], kinds["Payments.publish"], kinds["charge"]) == (5, 4, 1)


def attributes(of: dict[str, Any]) -> dict[str, Any]:
    """Return a span's or a resource's attributes."""
    return {each["key"]: next(iter(each["value"].values())) for each in of.get("attributes", [])}


def test_spans_say_what_happened(run: Run) -> None:
    """Attributes, status and exception of a call that failed; values of all types; the resource on each."""
    failed = [span for span in run.spans if span["status"].get("code") == 2]
    assert Counter(span["name"] for span in failed) == {"Orders.get": 2, "charge": 2, "check": 2, "cleanup_job": 2}
    action = next(span for span in failed if span["name"] == "Orders.get")
    assert action["status"]["message"] == "ValueError: negative amount"
    assert attributes(action) == {
        "service": "Orders",
        "action": "get",
        "user_tier": "free",
        "error.type": "ValueError",
        "otelkit.metric": "api_gateway.service.response_time",
    }
    assert [event["name"] for event in action["events"]] == ["exception"]
    root = attributes(next(span for span in run.spans if span["name"] == "root"))
    assert root == {"answer": "42", "list": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}}
    for span in run.spans:
        assert attributes(span["resource"]).items() >= {"service.name": "conformance", "9lives": "cat"}.items()


def test_exponential_histograms_keep_count_and_sum(tmp_path: Path) -> None:
    """Names, labels, counts and sums are equal; the Collector's buckets are native, which text cannot show."""
    with Collector(tmp_path) as collector:
        run = run_program(tmp_path, collector, traces_exporters=["none"], histogram="exponential")
    own, theirs = (page(run).without(*MOVING) for page in (own_page, collector_page))
    assert own.families == theirs.families
    assert len(totals(own)) > 2_500
    assert totals(own) == totals(theirs)


def totals(page: Page) -> dict[Series, float]:
    """Return a page's samples without buckets."""
    return {series: value for series, value in page.samples.items() if not series.name.endswith("_bucket")}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_deltas_add_up_to_the_page(tmp_path: Path, protocol: str) -> None:
    """Sent as deltas in two exports, all comes to the totals of the page; sums but for the last digit."""
    with Collector(tmp_path) as collector:
        run = run_program(tmp_path, collector, protocol, traces_exporters=["none"], metrics_temporality="delta")
    own, theirs = (page(run).without(*MOVING) for page in (own_page, collector_page))
    assert own.families == theirs.families
    assert len(own.samples) > 5_000
    assert own.samples == pytest.approx(theirs.samples, rel=1e-12)


STATSD_PROGRAM = """
import sys
import otelkit

orders = otelkit.counter("shop.orders", labels=["tier"])
seconds = otelkit.counter("shop.seconds")
level = otelkit.gauge("tank.level", labels=["tank", "http.method"])
active = otelkit.up_down_counter("shop.active")
time = otelkit.histogram("shop.time", unit="s", buckets=[1, 10])
otelkit.configure(
    service_name="shop", metrics_exporters=["statsd"], traces_exporters=["none"], machine=[],
    statsd_host="127.0.0.1", statsd_port=int(sys.argv[1]),
)
for line in sys.stdin:
    exec(line)
    print(otelkit.flush(2), flush=True)
"""


@contextmanager
def statsd_program(port: int) -> Iterator[Any]:
    """Run a program that sends to StatsD after each statement it is given."""
    command = [sys.executable, "-P", "-c", STATSD_PROGRAM, str(port)]  # -P: the installed wheel, not the checkout
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        statements, answers = program.stdin, program.stdout
        assert statements
        assert answers

        def do(statement: str) -> None:
            statements.write(f"{statement}\n")
            statements.flush()
            assert answers.readline() == "True\n"

        yield do
        statements.close()
    assert program.returncode == 0


def test_statsd_arrives(tmp_path: Path) -> None:
    """Counters with fractions, gauges below zero, histograms in parts, tags; a counter that rested goes on."""
    with (
        Collector(tmp_path, COLLECTOR_STATSD_INTERVAL="200ms") as collector,
        statsd_program(collector.statsd_port) as do,
    ):

        def arrives(**expected: float) -> None:
            wait_for(lambda: shop_values(collector).items() >= expected.items(), lambda: shop_values(collector))

        do("orders.increment(5, tier='gold'); orders.increment(1, tier='a b'); seconds.increment(0.25)")
        arrives(**{"shop_orders_total tier=gold": 5, "shop_orders_total tier=a_b": 1, "shop_seconds_total": 0.25})
        do("level.set(-3.25, tank='a', **{'http.method': 'GET'}); active.decrement(7)")
        arrives(**{"tank_level http_method=GET tank=a": -3.25, "shop_active": -7})
        do("[time.observe(each) for each in (0.5, 2, 6.5)]")
        arrives(shop_time_count_total=3, shop_time_sum_total=9, shop_time_min=0.5, shop_time_max=6.5, shop_time_mean=3)
        do("orders.increment(20, tier='gold'); seconds.increment(0.5)")
        arrives(**{"shop_orders_total tier=gold": 25, "shop_seconds_total": 0.75})
        do("level.set(4, tank='a', **{'http.method': 'GET'}); active.increment(7)")
        arrives(**{"tank_level http_method=GET tank=a": 4, "shop_active": 0})


def shop_values(collector: Collector) -> dict[str, float]:
    """Return the StatsD program's values on the Collector's page, by name and tags."""
    ours = ("otel_scope_name", "otel_scope_version", "service_name")
    page = parse(collector.page(openmetrics=False), without_labels=ours).samples
    return {
        " ".join([series.name, *(f"{key}={value}" for key, value in sorted(series.labels))]): value
        for series, value in page.items()
    }


def wait_for(condition: Any, found: Any, timeout_s: float = 15) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, found()
        time.sleep(0.05)


def test_spans_survive_the_collector(tmp_path: Path) -> None:
    """Where spans go to is away, then the Collector is killed: its successor delivers every span from the queue."""
    there = {"COLLECTOR_TRACES_EXPORTER": "otlp_grpc/traces"}
    with Collector(tmp_path, **there, COLLECTOR_TRACES_ENDPOINT=f"127.0.0.1:{free_port()}") as collector:
        run_program(tmp_path, collector, metrics_exporters=["prometheus"])
        collector.kill()
    with OtlpReceiver("grpc") as receiver:
        address = receiver.endpoint.removeprefix("http://")
        with Collector(tmp_path, **there, COLLECTOR_TRACES_ENDPOINT=address):
            wait_for(lambda: len(receiver.spans()) >= sum(SPANS.values()), lambda: len(receiver.spans()))
        assert Counter(span.name for span in receiver.spans()) == SPANS


def test_comparison_can_fail(run: Run) -> None:
    """A bucket's count, a unit's word or a trace id that were other ones would be noticed."""
    theirs = collector_page(run)
    for old, new in (
        ('le="1000.0"} 166', 'le="1000.0"} 167'),
        ("speed_meters_per_second", "speed_meters_per_minute"),
        ('trace_id="', 'trace_id="0'),
    ):
        assert old in run.own[True]
        altered = Run(run.collector, {True: run.own[True].replace(old, new)})
        assert own_page(altered) != theirs


def test_standalone_configuration_is_valid_as_it_is() -> None:
    """Without any variable, and with the other exporter of traces."""
    for environment in ({}, {"COLLECTOR_TRACES_EXPORTER": "debug"}):
        done = subprocess.run(
            [binary(), "validate", f"--config={STANDALONE}"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
