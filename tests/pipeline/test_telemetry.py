# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Setting up, setting up again, and ending, whatever the other side does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from support import otlp_receiver
from support.otlp_receiver import OtlpReceiver

from otelkit import __version__, pipeline
from otelkit._core._guard import guard
from otelkit.exceptions import ConfigurationError
from otelkit.instruments.counter import counter
from otelkit.instruments.registry import Registry
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("kind", ["dead", "never"])
def test_shutdown_keeps_its_time(start: Start, registry: Registry, protocol: str, kind: str) -> None:
    """Against a port where nobody listens and a receiver that never answers; also while an export hangs."""
    with OtlpReceiver("grpc" if protocol == "grpc" else "http") as receiver:
        receiver.always = otlp_receiver.NEVER
        endpoint = receiver.endpoint if kind == "never" else f"http://127.0.0.1:{_free_port()}"
        telemetry = start(
            otlp_endpoint=endpoint, otlp_protocol=protocol, export_interval_s=0.05, otlp_timeout_s=10, span_delay_s=0.05
        )
        counter("t.calls", registry=registry).increment()
        with trace.get_tracer("application").start_as_current_span("work"):
            pass
        time.sleep(0.2)
        began = time.monotonic()
        assert not telemetry.flush(0.2)
        assert time.monotonic() - began < 0.5
        began = time.monotonic()
        assert not telemetry.shutdown(1)
        assert (0.5 if kind == "never" else 0) < time.monotonic() - began < 1.3
        began = time.monotonic()
        assert not telemetry.shutdown(1)
        assert time.monotonic() - began < 0.2


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_shutdown_from_several_threads(start: Start, registry: Registry, receiver: OtlpReceiver) -> None:
    """It happens once, and everybody hears that all was delivered."""
    telemetry = start(otlp_endpoint=receiver.endpoint, traces_exporters=["none"])
    counter("t.calls", registry=registry).increment()
    heard: list[bool] = []
    threads = [threading.Thread(target=lambda: heard.append(telemetry.shutdown(2))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [True] * 4
    assert len(receiver.requests) == 1
    assert telemetry.shutdown(2)
    assert receiver.total("t.calls") == 1


def test_flushes_from_several_threads(start: Start, receiver: OtlpReceiver) -> None:
    """One that is under way does not make another one's delivery look like a failure."""
    between_threads_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    telemetry = start(otlp_endpoint=receiver.endpoint, traces_exporters=["none"])
    heard: list[bool] = []
    threads = [threading.Thread(target=lambda: heard.extend(telemetry.flush(5) for _ in range(25))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(between_threads_s)
    assert heard == [True] * 100


def test_second_configuration_replaces_the_first(start: Start, registry: Registry) -> None:
    """The first destination gets what came before, the second what comes after; instruments and tracers live on."""
    with OtlpReceiver() as first, OtlpReceiver() as second:
        start(otlp_endpoint=first.endpoint, metrics_temporality="delta", service_name="one", sampler="always_off")
        calls = counter("t.calls", registry=registry)
        theirs = metrics.get_meter("application").create_counter("theirs.calls")
        tracer = trace.get_tracer("application")
        calls.increment(1)
        with tracer.start_as_current_span("not sampled"):
            pass
        provider = metrics.get_meter_provider()

        start(otlp_endpoint=second.endpoint, metrics_temporality="delta", service_name="two")
        assert metrics.get_meter_provider() is provider
        calls.increment(2)
        theirs.add(5)
        with tracer.start_as_current_span("sampled"):
            pass
        assert pipeline.shutdown()
        assert first.total("t.calls") == 1
        assert first.spans() == []
        assert {series.resource["service.name"] for series in first.series()} == {"one"}
        assert second.total("t.calls") == 3  # a new reader knows of no delivery: it gets a series from its start
        assert second.total("theirs.calls") == 5
        assert [span.name for span in second.spans()] == ["sampled"]
        assert {series.resource["service.name"] for series in second.series()} == {"two"}


def test_configuration_after_shutdown(start: Start, registry: Registry) -> None:
    """The pipeline may be ended and begun again."""
    with OtlpReceiver() as first, OtlpReceiver() as second:
        start(otlp_endpoint=first.endpoint)
        assert pipeline.shutdown()
        start(otlp_endpoint=second.endpoint)
        counter("t.calls", registry=registry).increment()
        with trace.get_tracer("application").start_as_current_span("work"):
            pass
        assert pipeline.shutdown()
        assert second.total("t.calls") == 1
        assert len(second.spans()) == 1


def test_reader_that_the_application_adds(start: Start, registry: Registry) -> None:
    """A reader added to our provider later gets cells and SDK instruments."""
    start(metrics_exporters=["none"], traces_exporters=["none"])
    reader = InMemoryMetricReader()
    metrics.get_meter_provider().add_metric_reader(reader)  # type: ignore[attr-defined]
    counter("t.calls", registry=registry).increment(4)
    data = reader.get_metrics_data()
    assert data is not None
    names = {m.name for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics}
    assert {"t.calls", "otelkit.series"} <= names


def test_off_builds_nothing(start: Start) -> None:
    """Nothing is installed, and flush and shutdown are content."""
    telemetry = start(enabled=False)
    assert (telemetry.metering, telemetry.tracing, telemetry.readers) == (None, None, ())
    assert type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider"
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert telemetry.flush(1)
    assert telemetry.shutdown(1)


def test_metrics_and_traces_are_switched_apart(start: Start) -> None:
    """Each signal has its own switch."""
    telemetry = start(traces_enabled=False, metrics_exporters=["none"])
    assert telemetry.meter_provider is metrics.get_meter_provider()
    assert telemetry.tracer_provider is None


def test_failed_set_up_leaves_nothing(start: Start, receiver: OtlpReceiver) -> None:
    """A bad sampler raises; what was begun is undone, and the next configuration works."""
    with pytest.raises(ConfigurationError):
        start(sampler="traceidratio", sampler_arg=7.0, otlp_endpoint=receiver.endpoint)
    assert pipeline.current() is None
    assert start(otlp_endpoint=receiver.endpoint).flush(2)


def test_application_spans_use_the_sampler(start: Start, receiver: OtlpReceiver) -> None:
    """A ratio of nothing keeps nothing."""
    telemetry = start(otlp_endpoint=receiver.endpoint, sampler="traceidratio", sampler_arg=0.0)
    with trace.get_tracer("application").start_as_current_span("work"):
        pass
    assert telemetry.flush(2)
    assert receiver.spans() == []


def test_resource(start: Start, receiver: OtlpReceiver) -> None:
    """Name, version, namespace and further attributes arrive on both signals."""
    telemetry = start(
        otlp_endpoint=receiver.endpoint,
        service_name="shop",
        service_version="2",
        service_namespace="store",
        resource_attributes={"team": "blue"},
    )
    assert telemetry.flush(2)
    resource = receiver.series()[0].resource
    assert {key: resource[key] for key in ("service.name", "service.version", "service.namespace", "team")} == {
        "service.name": "shop",
        "service.version": "2",
        "service.namespace": "store",
        "team": "blue",
    }
    assert resource["service.instance.id"]
    assert (resource["telemetry.distro.name"], resource["telemetry.distro.version"]) == ("otelkit", __version__)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"machine": ["host"]}, socket.gethostname()),
        ({"machine": ["host"], "resource_attributes": {"host.name": "blue-1"}}, "blue-1"),
        ({"machine": []}, None),
    ],
)
def test_the_machine_has_a_name_where_it_is_observed(
    start: Start, registry: Registry, receiver: OtlpReceiver, given: dict[str, object], named: str | None
) -> None:
    """Else the metrics of two machines would be one machine's; whoever names the host is believed."""
    telemetry = start(otlp_endpoint=receiver.endpoint, **given)
    counter("t.calls", registry=registry).increment()
    assert telemetry.flush(2)
    assert {series.resource.get("host.name") for series in receiver.series("t.calls")} == {named}


def test_full_span_queue_is_counted(start: Start, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    """What does not fit is dropped, and said in one line of otelkit's."""
    guard.reset()
    telemetry = start(otlp_endpoint=receiver.endpoint, span_queue_size=10, span_delay_s=60, metrics_exporters=["none"])
    tracer = trace.get_tracer("application")
    with telemetry.span_processors[0]._batch_processor._export_lock:  # type: ignore[attr-defined]
        for _ in range(30):
            with tracer.start_as_current_span("work"):
                pass
        labels = (("otelkit.metric", "spans"), ("otelkit.reason", "queue full"))
        assert ("dropped", labels, 20) in guard.tallies()
    assert telemetry.flush(2)
    assert len(receiver.spans()) == 10
    assert [record.name for record in caplog.records] == ["otelkit"]


_AT_EXIT = """
import otelkit.pipeline as pipeline
from opentelemetry import trace
from otelkit.instruments.counter import counter
pipeline.configure(file="/dev/null", machine=[])
counter("t.calls").increment(7)
with trace.get_tracer("application").start_as_current_span("work"):
    pass
"""


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_end_of_the_program_delivers(protocol: str) -> None:
    """Configured by variables alone, without a word about shutdown."""
    with OtlpReceiver(protocol) as receiver:
        assert _run(_AT_EXIT, receiver, protocol) == ""
        assert receiver.total("t.calls") == 7
        assert [span.name for span in receiver.spans()] == ["work"]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_end_of_the_program_is_not_held_up(protocol: str) -> None:
    """A receiver that never answers costs the two seconds of shutdown_timeout_s, no more."""
    with OtlpReceiver(protocol) as receiver:
        receiver.always = otlp_receiver.NEVER
        began = time.monotonic()
        assert "could not deliver everything before the end (2 s at most)" in _run(_AT_EXIT, receiver, protocol)
        assert time.monotonic() - began < 5


_FORKING = """
import os, sys
import otelkit.pipeline as pipeline
from otelkit.instruments.counter import counter
pipeline.configure(file="/dev/null", machine=[], traces_exporters=["none"])
calls = counter("t.calls")
calls.increment(100)
assert pipeline.flush(5)
child = os.fork()
calls.increment(1)
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_forked_child_reports_its_own() -> None:
    """Parent and child deliver at their ends; the child starts from zero, under an instance id of its own."""
    with OtlpReceiver() as receiver:
        assert _run(_FORKING, receiver, "http") == ""
        last = {series.resource["service.instance.id"]: series.point.as_int for series in receiver.series("t.calls")}
        assert sorted(last.values()) == [1, 101]


def test_chosen_instance_id_is_kept_in_a_child() -> None:
    """It is suffixed, never replaced."""
    with OtlpReceiver() as receiver:
        chosen = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=blue"}
        assert _run(_FORKING, receiver, "http", chosen) == ""
        ids = {series.resource["service.instance.id"] for series in receiver.series("t.calls")}
        assert len(ids) == 2
        assert {identity.split("-")[0] for identity in ids} == {"blue"}


_FORKING_WHILE_EXPORTING = """
import os, time
import otelkit.pipeline as pipeline
from opentelemetry import metrics
from otelkit.instruments.counter import counter
pipeline.configure(file="/dev/null", machine=[], traces_exporters=["none"], export_interval_s=0.002,
                   metrics_temporality="delta")
calls = counter("t.calls")
metrics.get_meter("application").create_counter("theirs.calls").add(1)
for number in range(100):
    counter(f"t.other.{number}").increment()
for _ in range(10):
    calls.increment()
    time.sleep(0.003)
    child = os.fork()
    if not child:
        calls.increment()
        os._exit(not pipeline.shutdown(5))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_forks_amid_exports() -> None:
    """No child hangs on a lock of the parent's or shares its connection; nothing is lost, nothing comes twice."""
    with OtlpReceiver() as receiver:
        assert _run(_FORKING_WHILE_EXPORTING, receiver, "http") == ""
        assert receiver.total("t.calls") == 20


def _run(script: str, receiver: OtlpReceiver, protocol: str, variables: dict[str, str] | None = None) -> str:
    """Run a program of its own and return what it said on stderr."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "PYTHON"))},
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if protocol == "grpc" else "http/protobuf",
        **(variables or {}),
    }
    # From 3.12 on Python warns of every fork of a program that has threads, as any exporter does.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stderr
