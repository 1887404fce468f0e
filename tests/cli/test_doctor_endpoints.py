# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the doctor says about destinations, each of them a real server or a real absence of one."""

import socket
import time
from pathlib import Path

import pytest

CERTIFICATE = Path(__file__).with_name("loopback.pem")


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_a_receiver_is_ok(doctor, receive, protocol, signal):
    """A receiver that speaks the configured protocol is found well, and nothing is stored there."""
    receiver = receive(protocol)
    diagnosis = doctor(
        **{f"OTEL_{signal.upper()}_EXPORTER": "otlp"},
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc" if protocol == "grpc" else "http/protobuf",
    )
    assert diagnosis.of(f"endpoint.{signal}")["status"] == "ok"
    assert diagnosis.code == 0
    assert receiver.spans() == []
    assert receiver.series() == []
    assert [request.signal for request in receiver.requests] == [signal]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nothing_listens(doctor, protocol):
    """A closed port is broken, and the fix names the variable."""
    port = free_port()
    diagnosis = doctor(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    )
    finding = diagnosis.of("endpoint.traces")
    assert finding["status"] == "broken"
    assert f"nothing listens at 127.0.0.1:{port}" in finding["message"]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in finding["fix"]
    assert diagnosis.code == 1


def test_grpc_server_where_http_is_configured(doctor, receive):
    """The HTTP exporter pointed at a gRPC port is told to change its protocol."""
    receiver = receive("grpc")
    finding = doctor(OTEL_METRICS_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint).of("endpoint.metrics")
    assert finding["status"] == "broken"
    assert f"port {receiver.port} speaks HTTP/2 (gRPC), but http/protobuf is configured" in finding["message"]
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in finding["fix"]


def test_http_server_where_grpc_is_configured(doctor, receive):
    """The gRPC exporter pointed at an HTTP port is told to change its protocol."""
    receiver = receive("http")
    diagnosis = doctor(
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
    )
    finding = diagnosis.of("endpoint.metrics")
    assert finding["status"] == "broken"
    assert f"port {receiver.port} speaks HTTP/1.1, but grpc is configured" in finding["message"]
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in finding["fix"]


def test_a_signal_with_a_variable_of_its_own(doctor, receive):
    """A signal's own address is asked as it stands, and named in the fix."""
    receiver = receive("http")
    finding = doctor(
        OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.endpoint}/elsewhere"
    ).of("endpoint.traces")
    assert finding["status"] == "broken"
    assert "'/elsewhere'" in finding["message"]
    assert "/v1/traces" in finding["fix"]


@pytest.mark.parametrize("code", [401, 403])
def test_access_denied(doctor, serve, code):
    """A refused export says which headers were sent, but never what was in them."""
    diagnosis = doctor(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{serve(code=code)}",
        OTEL_EXPORTER_OTLP_HEADERS="x-key=s3cret-value",
    )
    finding = diagnosis.of("endpoint.traces")
    assert finding["status"] == "broken"
    assert f"answers {code}" in finding["message"]
    assert "x-key" in finding["message"]
    assert "OTEL_EXPORTER_OTLP_HEADERS" in finding["fix"]
    assert "s3cret" not in str(diagnosis.report)


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        ({"code": 404}, "broken", "no OTLP receiver at the path '/v1/traces'"),
        ({"code": 302, "location": "https://elsewhere"}, "broken", "https://elsewhere"),
        ({"code": 200, "kind": "text/html", "body": b"<html>"}, "warning", "text/html"),
        ({"code": 503}, "warning", "answers 503"),
        ({"code": 500}, "broken", "answers 500"),
    ],
)
def test_http_answers(doctor, serve, reply, status, said):
    """Each kind of wrong answer is told apart."""
    diagnosis = doctor(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{serve(**reply)}")
    finding = diagnosis.of("endpoint.traces")
    assert finding["status"] == status
    assert said in finding["message"]
    assert finding["fix"]
    assert diagnosis.code == (1 if status == "broken" else 0)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_server_where_plain_text_is_configured(doctor, serve, protocol):
    """A TLS server asked in plain text is recognised."""
    port = serve(tls=True)
    finding = doctor(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
    ).of("endpoint.traces")
    assert finding["status"] == "broken"
    if protocol == "grpc":
        assert "speaks HTTP/1.1 over TLS, but grpc is configured" in finding["message"]
        assert (
            f"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf and OTEL_EXPORTER_OTLP_ENDPOINT=https://127.0.0.1:{port}"
            in (finding["fix"])
        )
    else:
        assert "the server speaks TLS, but plain text is configured" in finding["message"]
        assert f"https://127.0.0.1:{port}" in finding["fix"]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_plain_text_server_where_tls_is_configured(doctor, receive, protocol):
    """A plain server asked over TLS is recognised."""
    receiver = receive(protocol)
    finding = doctor(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"https://127.0.0.1:{receiver.port}",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc" if protocol == "grpc" else "http/protobuf",
    ).of("endpoint.traces")
    assert finding["status"] == "broken"
    assert "the server speaks plain text, but TLS is configured" in finding["message"]
    assert f"http://127.0.0.1:{receiver.port}" in finding["fix"]


def test_certificates(doctor, serve):
    """A certificate that nobody vouches for is broken; with its authority named all is well."""
    variables = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://127.0.0.1:{serve(tls=True, kind='application/x-protobuf')}",
    }
    finding = doctor(**variables).of("endpoint.traces")
    assert finding["status"] == "broken"
    assert "not trusted" in finding["message"]
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in finding["fix"]
    trusted = doctor(**variables, OTEL_EXPORTER_OTLP_CERTIFICATE=str(CERTIFICATE))
    assert trusted.of("endpoint.traces")["status"] == "ok"


def test_grpc_without_otlp(doctor):
    """A gRPC server without the OTLP services is told from one that has them."""
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        finding = doctor(
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
            OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        ).of("endpoint.traces")
    finally:
        server.stop(None)
    assert finding["status"] == "broken"
    assert "no OTLP service for traces" in finding["message"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_silent_server_does_not_hold_the_doctor_up(doctor, protocol):
    """A port that accepts and never answers costs two seconds at most."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        finding = doctor(
            OTEL_TRACES_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}",
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        ).of("endpoint.traces")
        took_s = time.monotonic() - start
    assert finding["status"] == "broken"
    assert "answers neither HTTP nor gRPC" in finding["message"]
    assert took_s < 4


def test_unknown_host(doctor):
    """A host name that does not exist is told as that."""
    finding = doctor(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid:4318").of(
        "endpoint.traces"
    )
    assert finding["status"] == "broken"
    assert "'collector.invalid' is not known" in finding["message"]


def test_proxy_is_pointed_out(doctor, receive, monkeypatch):
    """A proxy that the exporter would use, unlike the doctor, is a warning."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    receiver = receive("http")
    diagnosis = doctor(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
    assert "NO_PROXY=127.0.0.1" in diagnosis.of("endpoint.traces.proxy")["fix"]


# -- /metrics ---------------------------------------------------------------------------------------------------------


def test_scrape_port_free(doctor):
    """A free port is well."""
    diagnosis = doctor(OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=str(free_port()))
    assert diagnosis.of("endpoint.prometheus")["status"] == "ok"
    assert diagnosis.code == 0


def test_scrape_port_taken_by_another_program(doctor, serve):
    """A port that somebody else has is broken; the fix offers another."""
    diagnosis = doctor(OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=str(serve()))
    finding = diagnosis.of("endpoint.prometheus")
    assert finding["status"] == "broken"
    assert "the port is taken by process" in finding["message"]
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" in finding["fix"]
    assert diagnosis.code == 1


def test_scrape_port_served_by_otelkit(doctor, serve):
    """A port on which otelkit's own page is served is as it should be."""
    port = serve(body=b'otelkit_exports_total{otelkit_exporter="otlp"} 1\n')
    finding = doctor(OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=str(port)).of(
        "endpoint.prometheus"
    )
    assert finding["status"] == "ok"
    assert "served by otelkit already" in finding["message"]


def test_scrape_address_of_another_machine(doctor):
    """An address that this machine does not have is broken."""
    finding = doctor(OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_HOST="192.0.2.1").of(
        "endpoint.prometheus"
    )
    assert finding["status"] == "broken"
    assert "OTEL_EXPORTER_PROMETHEUS_HOST" in finding["fix"]


# -- the others -------------------------------------------------------------------------------------------------------


def test_pushgateway(doctor, serve):
    """A Pushgateway that is ready is well; one that is not there is broken."""
    ready = doctor(OTEL_METRICS_EXPORTER="pushgateway", OTELKIT_PUSHGATEWAY_URL=f"http://127.0.0.1:{serve()}")
    assert ready.of("endpoint.pushgateway")["status"] == "ok"
    absent = doctor(OTEL_METRICS_EXPORTER="pushgateway", OTELKIT_PUSHGATEWAY_URL=f"http://127.0.0.1:{free_port()}")
    assert absent.of("endpoint.pushgateway")["status"] == "broken"


def test_statsd(doctor):
    """UDP tells nothing about the other side, but an unknown host is broken."""
    assert doctor(OTEL_METRICS_EXPORTER="statsd").of("endpoint.statsd")["status"] == "note"
    unknown = doctor(OTEL_METRICS_EXPORTER="statsd", OTELKIT_STATSD_HOST="statsd.invalid")
    assert unknown.of("endpoint.statsd")["status"] == "broken"


@pytest.mark.parametrize("exporter", ["json", "csv", "otlp_file"])
def test_data_folder(doctor, tmp_path, exporter):
    """A folder that can be made is well; one below a file, or in a place that takes no files, is broken."""
    (tmp_path / "file").write_text("")
    fine = doctor(OTEL_METRICS_EXPORTER=exporter, OTELKIT_DATA_FOLDER=str(tmp_path / "new" / "deep"))
    assert fine.of("folder.data")["status"] == "ok"
    assert not (tmp_path / "new").exists()
    for folder in (str(tmp_path / "file" / "below"), "/proc/otelkit"):
        diagnosis = doctor(OTEL_METRICS_EXPORTER=exporter, OTELKIT_DATA_FOLDER=folder)
        assert diagnosis.of("folder.data")["status"] == "broken"
        assert "OTELKIT_DATA_FOLDER" in diagnosis.of("folder.data")["fix"]
        assert diagnosis.code == 1


@pytest.mark.parametrize(("speaks", "configured"), [("grpc", "http/protobuf"), ("http", "grpc")])
def test_4317_and_4318_mixed_up(doctor, receive, monkeypatch, speaks, configured):
    """Where nothing listens, the other of the two usual ports is looked at, and offered with its protocol."""
    receiver, closed = receive(speaks), free_port()
    # The real pair may be in use on this machine.
    monkeypatch.setattr("otelkit.cli._probe._TWINS", {closed: receiver.port})
    finding = doctor(
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{closed}",
        OTEL_EXPORTER_OTLP_PROTOCOL=configured,
    ).of("endpoint.traces")
    assert finding["status"] == "broken"
    assert f"nothing listens at 127.0.0.1:{closed}, but 127.0.0.1:{receiver.port} speaks" in finding["message"]
    assert f"OTEL_EXPORTER_OTLP_PROTOCOL={'grpc' if speaks == 'grpc' else 'http/protobuf'}" in finding["fix"]
    assert receiver.endpoint in finding["fix"]


def test_who_has_only_the_dashboard_is_asked_for_no_collector(doctor):
    """With it, and without an endpoint or exporters that were named, nothing goes to OTLP's default address."""
    unset = {"OTEL_TRACES_EXPORTER": "", "OTEL_METRICS_EXPORTER": ""}
    endpoints = {"endpoint.traces", "endpoint.metrics"}
    assert endpoints <= doctor(**unset).checks()
    assert not endpoints & doctor(OTELKIT_DASHBOARD="true", **unset).checks()
