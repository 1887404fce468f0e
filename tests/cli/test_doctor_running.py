# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the doctor learns from a running program's page, and what it measures here."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from otelkit._core._guard import guard
from otelkit.cli import _overhead
from otelkit.cli._scraped import Scraped
from otelkit.config import load
from otelkit.exporters.prometheus import PrometheusReader
from otelkit.instruments.counter import counter
from otelkit.instruments.registry import Registry


@pytest.fixture
def program() -> Iterator[Callable[..., tuple[PrometheusReader, Registry]]]:
    """Serve the page of a registry, as a program with these settings would; nothing has gone wrong in it yet."""
    guard.reset()
    with ExitStack() as stack:

        def serve(**arguments: object) -> tuple[PrometheusReader, Registry]:
            settings = load(file="/dev/null", environ={}, prometheus_port=0, **arguments)
            registry = Registry()
            registry.apply(settings)
            reader = PrometheusReader(settings, registry)
            stack.callback(reader.shutdown)
            return reader, registry

        yield serve


def test_the_exploding_label_is_named(doctor, program):
    """With metric, number of values, an example, how much went to the overflow series, and what to write where."""
    reader, registry = program(cardinality_limit=50)
    calls = counter("t.doctor.exploding", labels=["tier", "user_id"], unit="{call}", registry=registry)
    for number in range(80):
        calls.increment(tier="free", user_id=f"u{number}")
    finding = doctor("--url", reader.url).of("running.overflow")
    assert finding["status"] == "warning"
    assert "t.doctor.exploding" in finding["message"]
    assert "30 observations" in finding["message"]
    assert "'user_id': 50 values, such as 'u0'" in finding["message"]
    assert '[metrics."t.doctor.exploding"] drop_labels = ["user_id"]' in finding["fix"]


def test_the_configured_port_is_asked_without_being_told(doctor, program):
    """Where the program serves it; nothing is said where no program does."""
    reader, registry = program(cardinality_limit=5)
    calls = counter("t.doctor.configured", labels=["user_id"], registry=registry)
    for number in range(8):
        calls.increment(user_id=number)
    port = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(reader.port)}
    assert "'user_id': 5 values" in doctor(**port).of("running.overflow")["message"]
    reader.shutdown()
    assert "running.page" not in doctor(**port).checks()


def test_drops_failures_and_exports(doctor, program):
    """Each loss is a finding of its own."""
    reader, _ = program()
    guard.dropped("t.lost", "not a number", 3)
    guard.tally("failures", (("otelkit.where", "callback of t"), ("error.type", "ZeroDivisionError")))
    guard.exported("t.refused", "failure", 2)
    guard.exported("t.refused", "success", 5)
    findings = doctor("--url", reader.url).report["findings"]
    said = {finding["check"]: [] for finding in findings}
    for finding in findings:
        said[finding["check"]].append(finding["message"])
    assert "3 dropped of t.lost: not a number." in said["running.dropped"]
    assert "1 failures in callback of t: ZeroDivisionError." in said["running.failures"]
    assert "Exports to t.refused: 2 failure, 5 success." in said["running.exports"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "localhost:9464", "ftp://x/", "http://"])
def test_no_page(doctor, url):
    """An address where no page is breaks the diagnosis, and says what is expected."""
    diagnosis = doctor("--url", url)
    assert diagnosis.code == 1
    assert "--url http://localhost:9464/metrics" in diagnosis.of("running.page")["fix"]


def test_something_else_answers(doctor, serve):
    """HTML and errors are no page."""
    port = serve(body=b"<html>{not metrics}</html>")
    assert doctor("--url", f"http://127.0.0.1:{port}/").of("running.page")["status"] == "broken"
    port = serve(code=503)
    assert "503" in doctor("--url", f"http://127.0.0.1:{port}/").of("running.page")["message"]


def test_credentials_are_sent_and_never_shown(doctor, program):
    """Those in the URL, or the configured ones; neither is printed."""
    reader, _ = program(prometheus_basic_auth="ada:hunter2hunter2")
    url = reader.url.replace("://", "://ada:hunter2hunter2@")
    diagnosis = doctor("--url", url)
    assert diagnosis.of("running.page")["status"] == "ok"
    assert "hunter2" not in json.dumps(diagnosis.report)
    assert doctor("--url", reader.url).of("running.page")["status"] == "broken"
    configured = doctor("--url", reader.url, OTELKIT_PROMETHEUS_BASIC_AUTH="ada:hunter2hunter2")
    assert configured.of("running.page")["status"] == "ok"
    assert "hunter2" not in json.dumps(configured.report)


def test_secrets_in_messages_are_masked(doctor):
    """Also those that stand in an endpoint, in a header, or in the middle of a wrong value."""
    diagnosis = doctor(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="pushgateway",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://ada:hunter2@127.0.0.1:9/?api_key=t0ken",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20he4der",
        OTELKIT_PUSHGATEWAY_URL="http://ada:hunter2@127.0.0.1:9",
        OTEL_RESOURCE_ATTRIBUTES="deploy.token=t0ken,dsn=pg://ada:hunter2@db",
    )
    text = json.dumps(diagnosis.report)
    assert not [secret for secret in ("hunter2", "t0ken", "he4der") if secret in text]
    wrong = doctor(OTELKIT_PUSHGATEWAY_URL="ftp://ada:hunter2@h?token=t0ken")
    assert "hunter2" not in json.dumps(wrong.report)
    assert "t0ken" not in json.dumps(wrong.report)


def test_overhead_is_measured_here(doctor, monkeypatch):
    """A call costs something, less than a span, less than a scrape; and the share follows from the given rate."""
    monkeypatch.setattr(_overhead, "_CALLS", 2_000)
    monkeypatch.setattr(_overhead, "_SPANS", 200)
    costs = {cost.name: cost for cost in _overhead.measure()}
    assert 0 < costs["call"].least_s < costs["span"].least_s < costs["scrape"].least_s
    assert all(0 <= cost.least_s <= cost.median_s * 1.01 for cost in costs.values())
    diagnosis = doctor("--overhead", "--calls-per-second", "10000")
    assert "10,000 metered calls a second (--calls-per-second)" in diagnosis.of("overhead.share")["message"]
    assert "ns" in diagnosis.of("overhead.call")["message"]
    assert "1,000 metered calls" in doctor("--overhead").of("overhead.share")["message"]


def test_the_rate_is_read_from_the_page(doctor, program, monkeypatch):
    """Calls of all decorators, over the seconds between two scrapes."""
    monkeypatch.setattr(_overhead, "_CALLS", 200)
    monkeypatch.setattr(_overhead, "_SPANS", 20)
    reader, registry = program()
    calls = counter("t.busy.calls", unit="{call}", registry=registry)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            calls.increment(10)
            time.sleep(0.01)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        message = doctor("--url", reader.url, "--overhead").of("overhead.share")["message"]
    finally:
        stop.set()
        worker.join()
    rate = float(message.split()[1].replace(",", ""))
    assert 200 < rate < 1_100
    assert "its page" in message


def test_wrong_rate(capsys):
    """Usage errors are usage errors."""
    from otelkit.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--calls-per-second", "-1"])
    assert ended.value.code == 2


def test_counting_calls():
    """Functions, named actions, services, events, jobs, with any prefix; not durations, not others' metrics."""
    page = Scraped(
        "# TYPE function_calls_total counter\n"
        'function_calls_total{otel_scope_name="otelkit"} 1\n'
        "# TYPE dht_peer_calls_total counter\n"
        "dht_peer_calls_total 2\n"
        "# TYPE shop_service_requests_total counter\n"
        "shop_service_requests_total 4\n"
        "# TYPE job_runs_total counter\n"
        "job_runs_total 8\n"
        "# TYPE other_calls_total counter\n"
        'other_calls_total{otel_scope_name="somebody.else"} 16\n'
        "# TYPE function_duration_seconds histogram\n"
        'function_duration_seconds_bucket{le="+Inf"} 32\n'
        "function_duration_seconds_count 32\n"
        "function_duration_seconds_sum 32\n"
    )
    assert page.calls() == 15
