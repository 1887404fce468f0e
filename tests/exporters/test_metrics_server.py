# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The port of /metrics in the hands of strangers: wrong protocols, bodies nobody asked for, and plain noise."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from otelkit.exporters import _metrics_server
from otelkit.exporters._metrics_server import Credentials, MetricsServer

Serve = Callable[..., "Served"]


class Served:
    """A server whose page counts how often it was made."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self.pages = 0
        self.server = MetricsServer("127.0.0.1", 0, self._page, credentials=credentials)
        self.server.start()

    def _page(self, openmetrics: bool) -> bytes:
        self.pages += 1
        return b"the page\n"

    def ask(self, sent: bytes, timeout_s: float = 5.0) -> bytes:
        """Send bytes as they are; return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=timeout_s) as connection:
            connection.sendall(sent)
            received = b""
            with suppress(ConnectionError):
                while chunk := connection.recv(65_536):
                    received += chunk
        return received

    def alive(self) -> bool:
        """Tell whether a proper request is answered."""
        return self.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").endswith(b"the page\n")


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Start servers that end with the test."""
    monkeypatch.setattr(_metrics_server, "POLL_S", 0.02)
    served: list[Served] = []

    def start(credentials: Credentials | None = None) -> Served:
        served.append(Served(credentials))
        return served[-1]

    yield start
    for each in served:
        each.server.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b" 505 "),
        (b"GET http://127.0.0.1/metrics HTTP/1.1\r\nHost: x\r\n\r\n", b" 200 "),
        (b"GET /metrics?name[]=up HTTP/1.1\r\nHost: x\r\n\r\n", b" 200 "),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b" 404 "),
        (b"GET //metrics HTTP/1.1\r\nHost: x\r\n\r\n", b" 200 "),
        (b"GET http://127.0.0.1 HTTP/1.1\r\nHost: x\r\n\r\n", b" 404 "),
        (b"GET /metrics\r\n", b" 400 "),
        (b"nonsense\r\n", b" 400 "),
        (b"GET /metrics HTTP/1.0\r\n\r\n", b" 200 "),
        (b"CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", b" 404 "),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b" 404 "),
        (b"\r\nGET /metrics HTTP/1.1\r\n\r\n", b""),
        (b"get /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b" 405 "),
        (b"GET /metrics HTTP/1.1\r\nHost : x\r\n\x00: y\r\n\r\n", b""),
    ],
)
def test_odd_requests(serve: Serve, sent: bytes, status: bytes) -> None:
    """Each gets its status, or an end of the connection, and the next client its page."""
    served = serve()
    assert status in served.ask(sent).split(b"\r\n", 1)[0]
    assert served.alive()


def test_tls_on_a_plain_port(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that speaks TLS hears at once that this is not it."""
    served = serve()
    context = ssl.create_default_context()
    began = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", served.server.port), timeout=5) as connection,
        pytest.raises(OSError),
        context.wrap_socket(connection, server_hostname="localhost"),
    ):
        pass
    assert time.monotonic() - began < 3
    assert served.alive()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("credentials", [None, Credentials(bearer="t0ken")])
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_a_body_does_not_cost_the_answer(serve: Serve, credentials: Credentials | None, size: int) -> None:
    """A client that posts reads why it was refused, not a reset connection."""
    served = serve(credentials)
    for _ in range(10):
        connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=5)
        connection.request("POST", "/metrics", body=b"x" * size)
        assert connection.getresponse().status == (401 if credentials else 405)
        connection.close()


def test_an_endless_body_is_cut(serve: Serve) -> None:
    """Nobody keeps the server reading."""
    served = serve()
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=5) as connection:
        connection.sendall(b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n")
        began, sent = time.monotonic(), 0
        with suppress(ConnectionError):
            while time.monotonic() - began < 10:
                connection.sendall(b"x" * 65_536)
                sent += 65_536
    assert time.monotonic() - began < 5
    assert sent < 50_000_000
    assert served.alive()


def test_strangers_cause_no_work(serve: Serve) -> None:
    """Without credentials no page is made, whatever is asked for, and nothing is told of what there is."""
    served = serve(Credentials(basic="ada:hunter2"))
    for request in (b"GET /metrics HTTP/1.1", b"GET /other HTTP/1.1", b"HEAD /metrics HTTP/1.1", b"POST / HTTP/1.1"):
        assert b" 401 " in served.ask(request + b"\r\nHost: x\r\n\r\n")
    assert served.pages == 0


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic \xff", "Bearer", "Bearer \u20ac", "x" * 8_000, "Basic " + "A" * 4_001]
)
def test_odd_credentials(header: str | None) -> None:
    """They are wrong, not an error; also against secrets that are not ASCII."""
    for credentials in (Credentials(basic="ä:€"), Credentials(bearer="€"), Credentials("a:b", "c")):
        assert credentials.admit(header) is False


def test_credentials_are_not_shown() -> None:
    """Neither in a representation nor in what is made of it."""
    credentials = Credentials("ada:hunter2", "t0ken")
    assert "hunter2" not in f"{credentials!r} {credentials}"
    assert "t0ken" not in f"{credentials!r} {credentials}"


_LINES = some.sampled_from(
    [
        *(
            b"GET /metrics HTTP/1.1\r\n",
            b"POST /metrics HTTP/1.1\r\n",
            b"HEAD",
            b" / ",
            b"HTTP/1.1",
            b"\r\n",
            b"\n",
            b"\r",
        ),
        *(
            b"Host: x\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: 99999999999999999999\r\n",
            b"Expect: 100-continue\r\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Authorization: Basic ",
            b"Accept: ;q=,,;q=x\r\n",
            b"Accept-Encoding: gzip;q=nan\r\n",
        ),
        *(
            b"Connection: keep-alive, Upgrade\r\n",
            b"Upgrade: h2c\r\n",
            b": \r\n",
            b" folded\r\n",
            b"\x00",
            b"\xff\xfe",
            b"\x16\x03\x01",
        ),
    ]
)


_shared: dict[Serve, Served] = {}
"""One server for all examples of a test, by its fixture."""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=some.lists(_LINES | some.binary(max_size=40), max_size=12))
def test_noise(serve: Serve, parts: list[bytes], capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever is sent, the connection ends in time, what comes back is HTTP, and stderr stays empty."""
    served = _shared.get(serve) or _shared.setdefault(serve, serve())
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=5) as connection:
        with suppress(ConnectionError):
            connection.sendall(b"".join(parts))
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionError):
            while chunk := connection.recv(65_536):
                received += chunk
    assert received == b"" or received.startswith(b"HTTP/1.1 ")
    assert capfd.readouterr().err == ""


def test_threads_end_with_their_connections(serve: Serve) -> None:
    """Hundreds of odd clients leave no thread behind."""
    served = serve()
    before = threading.active_count()
    for _ in range(200):
        served.ask(os.urandom(20) + b"\r\n\r\n")
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before
