# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP: what each answer means, and what goes out."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from support.otlp_receiver import BAD_REQUEST, CUT, NEVER, Answer, OtlpReceiver
from support.otlp_spans import make_request, names_of, otlp_settings

from otelkit.pipeline.otlp.http_transport import HttpTransport, retry_after_s
from otelkit.pipeline.otlp.reply import Reply

BODY = make_request("one")


def transport_to(endpoint: str, **arguments: object) -> HttpTransport:
    """Return what sends there."""
    return HttpTransport(otlp_settings(endpoint, **arguments), "traces", "otelkit/0")


def send(receiver: OtlpReceiver, answer: Answer, timeout_s: float = 5.0) -> Reply:
    """Return what an answer is taken for."""
    receiver.answers.append(answer)
    return transport_to(receiver.endpoint).send(BODY, timeout_s)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        *((code, "delivered") for code in (200, 202)),
        *((code, "retry") for code in (429, 502, 503, 504)),
        *((code, "refused") for code in (301, 302, 304, 307, 308, 400, 401, 403, 404, 405, 408, 500, 501, 505)),
        (413, "too_large"),
    ],
)
def test_verdicts(http: OtlpReceiver, code: int, verdict: str) -> None:
    """Only what the specification calls retryable is retried, and a redirection is no success."""
    reply = send(http, Answer(code))
    assert reply.verdict == verdict
    assert (str(code) in reply.reason) == (verdict != "delivered")
    assert len(http.requests) == 1


def test_redirection_is_not_followed(http: OtlpReceiver) -> None:
    """The headers may be secret; the reason says where it led."""
    reply = send(http, Answer(307, headers=(("Location", "http://elsewhere.test/v1/traces"),)))
    assert "http://elsewhere.test/v1/traces" in reply.reason
    assert len(http.requests) == 1


@pytest.mark.parametrize("value", [7, "7", "7.0"])
def test_retry_after_in_seconds(http: OtlpReceiver, value: object) -> None:
    """It comes with the verdict."""
    assert send(http, Answer(429, retry_after_s=value)).retry_after_s == 7  # type: ignore[arg-type]


def test_retry_after_as_a_date(http: OtlpReceiver) -> None:
    """Seconds from now on, none for a date that has passed."""
    now = datetime.now(UTC)
    coming, gone = (format_datetime(now + timedelta(seconds=s), usegmt=True) for s in (60, -60))
    assert send(http, Answer(503, retry_after_s=coming)).retry_after_s == pytest.approx(60, abs=3)
    assert send(http, Answer(503, retry_after_s=gone)).retry_after_s == 0


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "-inf", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_retry_after_that_means_nothing(value: str) -> None:
    """It is as if there was none."""
    assert retry_after_s(value) is None


def test_retry_after_of_a_year() -> None:
    """Nobody is shut up for that long."""
    assert retry_after_s("31536000") == 600


def test_nobody_listens() -> None:
    """The reason is the system's, not three lines of wrappers."""
    reply = transport_to(f"http://127.0.0.1:{_free_port()}").send(BODY, 5)
    assert reply.verdict == "retry"
    assert "Connection refused" in reply.reason
    assert len(reply.reason) < 100


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_no_answer(http: OtlpReceiver) -> None:
    """The timeout is kept."""
    began = time.monotonic()
    assert send(http, NEVER, timeout_s=0.3).verdict == "retry"
    assert 0.25 < time.monotonic() - began < 1


def test_cut_connection(http: OtlpReceiver) -> None:
    """One more attempt at once, as a kept connection may have been closed by an idle receiver; then it is a failure."""
    http.answers.append(CUT)
    assert send(http, CUT).verdict == "retry"
    assert len(http.requests) == 2


def test_kept_connection_that_was_closed(http: OtlpReceiver) -> None:
    """The receiver restarts on its port; the next request goes through, on a fresh connection."""
    transport = transport_to(http.endpoint)
    assert transport.send(BODY, 5).verdict == "delivered"
    http.stop()
    with OtlpReceiver(port=http.port) as again:
        assert transport.send(BODY, 5).verdict == "delivered"
        assert names_of(again.spans()) == ["one"]


def test_answer_that_never_ends() -> None:
    """A receiver that sends its answer drop by drop holds nobody up beyond the timeout, and its status counts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not over.wait(0.02):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        reply = transport_to(f"http://127.0.0.1:{server.getsockname()[1]}").send(BODY, 0.4)
        over.set()
        thread.join()
    assert reply.verdict == "delivered"
    assert time.monotonic() - began < 2


def test_compressed_answer(http: OtlpReceiver) -> None:
    """A receiver may compress, too."""
    answer = Answer(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(b"answer"))
    assert send(http, answer).body == b"answer"


@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_what_goes_out(http: OtlpReceiver, compression: str) -> None:
    """Compression, content type, the user's headers and who we are."""
    headers = {"X-Key": "s3cret", "Authorization": "Bearer t0ken"}
    transport = transport_to(http.endpoint, otlp_compression=compression, otlp_headers=headers)
    assert transport.send(make_request("a", padding=2_000), 5).verdict == "delivered"
    (request,) = http.requests
    assert names_of(http.spans()) == ["a"]
    assert (request.size < 500) == (compression != "none")
    sent = request.headers
    assert (sent["x-key"], sent["authorization"]) == ("s3cret", "Bearer t0ken")
    assert sent["content-type"] == "application/x-protobuf"
    assert sent["user-agent"] == "otelkit/0"


def test_netrc_does_not_replace_a_header(http: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ~/.netrc has for the host is for programs that say nothing themselves."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    transport = transport_to(http.endpoint, otlp_headers={"authorization": "Bearer t0ken"})
    assert transport.send(BODY, 5).verdict == "delivered"
    assert http.requests[0].headers["authorization"] == "Bearer t0ken"


def test_credential_provider(http: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OpenTelemetry's variable names an entry point that makes the session."""
    information = tmp_path / "credentials-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: credentials\nVersion: 1\n")
    (information / "entry_points.txt").write_text(
        "[opentelemetry_otlp_credential_provider]\nmine = test_credentials:session\n"
    )
    (tmp_path / "test_credentials.py").write_text(
        "import requests\ndef session():\n    s = requests.Session()\n    s.auth = ('me', 'mine')\n    return s\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "mine")
    assert transport_to(http.endpoint).send(BODY, 5).verdict == "delivered"
    assert http.requests[0].headers["authorization"].startswith("Basic ")


def test_tls(tmp_path: Path) -> None:
    """Against an authority of one's own, with a client's certificate; without them it is a failure that says why."""
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client@tests")
    for name, blob in (
        ("ca.pem", authority.cert_pem),
        ("client.pem", client.cert_chain_pems[0]),
        ("client.key", client.private_key_pem),
    ):
        blob.write_to_path(str(tmp_path / name))
    ca = {"otlp_certificate": str(tmp_path / "ca.pem")}
    mine = {"otlp_client_certificate": str(tmp_path / "client.pem"), "otlp_client_key": str(tmp_path / "client.key")}
    certificates = (server.cert_chain_pems[0].bytes(), server.private_key_pem.bytes(), authority.cert_pem.bytes())
    with OtlpReceiver(certificates=certificates) as receiver:
        assert transport_to(receiver.endpoint, **ca, **mine).send(BODY, 5).verdict == "delivered"
        stranger = transport_to(receiver.endpoint, **mine).send(BODY, 5)
        assert stranger.verdict == "retry"
        assert "certificate" in stranger.reason.lower()
        assert transport_to(receiver.endpoint, **ca).send(BODY, 5).verdict == "retry"
        assert len(receiver.requests) == 1


def test_bad_request_is_refused_with_its_reason(http: OtlpReceiver) -> None:
    """The status line is what the log says."""
    assert send(http, BAD_REQUEST).reason == "HTTP 400 Bad Request"
