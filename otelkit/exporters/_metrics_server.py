# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The HTTP server behind ``/metrics``.

The standard library's, with what it lacks for a port that strangers may reach:
limits on line, header, time and connections; handshakes outside the accepting
thread; authentication; and no trace of a client's misbehaviour on stderr.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hmac
import http.client
import io
import os
import re
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple, cast

from otelkit._core._guard import guard
from otelkit.exporters._content_negotiation import accepts_gzip, prefers_openmetrics
from otelkit.exporters._exposition import OPENMETRICS_CONTENT_TYPE, TEXT_CONTENT_TYPE

PATH = "/metrics"

IO_TIMEOUT_S = 10.0
"""How long one read or write may wait."""
CONNECTION_TIMEOUT_S = 30.0
"""How long a connection may live; a client that sends a byte now and then must not hold a thread."""
MAX_LINE_BYTES = 8_192
MAX_HEADER_BYTES = 32_768
MAX_CONNECTIONS = 32
POLL_S = 0.2
"""How often the accepting thread looks for overdue connections and for its end."""


_ABSOLUTE = re.compile(r"^https?://[^/?]*", re.I)
"""What a request's target begins with if it came by a proxy (RFC 9112, 3.2.2)."""


class Credentials(NamedTuple):
    """What a scraper must show; either is enough if both are set, nothing is asked if neither is."""

    basic: str | None = None
    bearer: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(basic={self.basic is not None}, bearer={self.bearer is not None})"

    def admit(self, header: str | None) -> bool:
        """Tell whether an Authorization header is good, in a time that does not depend on how wrong it is."""
        if self.basic is None and self.bearer is None:
            return True
        scheme, _, given = (header or "").strip().partition(" ")
        sent, expected = b"", None
        if scheme.lower() == "basic":
            try:
                sent, expected = base64.b64decode(given.strip(), validate=True), self.basic
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() == "bearer":
            sent, expected = given.strip().encode("latin-1", "replace"), self.bearer
        return expected is not None and hmac.compare_digest(sent, expected.encode())

    def challenge(self) -> str:
        """Return the value of WWW-Authenticate."""
        schemes = [("Basic", self.basic), ("Bearer", self.bearer)]
        return ", ".join(f'{scheme} realm="otelkit"' for scheme, secret in schemes if secret is not None)


class _LimitedLines(io.BufferedIOBase):
    """The request's lines, up to a limit for all of them together."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._left = MAX_LINE_BYTES + MAX_HEADER_BYTES

    def readline(self, size: int | None = -1, /) -> bytes:
        line = self._raw.readline(min(MAX_LINE_BYTES, self._left) + 1)
        self._left -= len(line)
        if self._left < 0 or len(line) > MAX_LINE_BYTES:
            raise http.client.LineTooLong("header")
        return line

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Handler(BaseHTTPRequestHandler):
    """One request on one connection, which is then closed: a scrape comes every few seconds at most."""

    timeout = IO_TIMEOUT_S  # pyright: ignore[reportAssignmentType]
    protocol_version = "HTTP/1.1"
    server_version = "otelkit"
    sys_version = ""
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def setup(self) -> None:
        super().setup()
        self.rfile = cast("io.BufferedReader", _LimitedLines(self.rfile))

    def handle(self) -> None:
        self.close_connection = True
        self.requestline = self.command = ""
        # The base takes a request without version for HTTP/0.9, and sends its answer, errors too, without a head.
        self.default_request_version = self.request_version = self.protocol_version
        try:
            self.raw_requestline = self.rfile.readline()
            if len(self.raw_requestline.split()) in (1, 2):
                self.send_error(HTTPStatus.BAD_REQUEST, "HTTP/1 is spoken here")
            elif self.raw_requestline and self.parse_request():
                self.close_connection = True
                self._answer()
        except http.client.LineTooLong:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)

    def _answer(self) -> None:
        server = cast("_Server", self.server)
        path = _ABSOLUTE.sub("", self.path).partition("?")[0]
        if not server.credentials.admit(self.headers.get("Authorization")):
            self._refuse(HTTPStatus.UNAUTHORIZED, "WWW-Authenticate", server.credentials.challenge())
        elif path != PATH:
            self._refuse(HTTPStatus.NOT_FOUND)
        elif self.command not in ("GET", "HEAD"):
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "Allow", "GET, HEAD")
        else:
            self._send_page(server.page)

    def _send_page(self, page: Callable[[bool], bytes]) -> None:
        openmetrics = prefers_openmetrics(self.headers.get("Accept"))
        body = page(openmetrics)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", OPENMETRICS_CONTENT_TYPE if openmetrics else TEXT_CONTENT_TYPE)
        if accepts_gzip(self.headers.get("Accept-Encoding")):
            # Level 1 makes 1.5 MB of a page of 24 in two fifths of the time in which level 6 makes 1.2.
            body = gzip.compress(body, compresslevel=1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept, Accept-Encoding")
        self._send_body(body)

    def _refuse(self, status: HTTPStatus, header: str = "", value: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.error_content_type)
        if header:
            self.send_header(header, value)
        self._send_body(f"{status.value} {status.phrase}. Metrics are at {PATH}.\n".encode())

    def _send_body(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: a line per scrape on the program's stderr is noise."""


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self,
        address: tuple[str, int],
        family: socket.AddressFamily,
        page: Callable[[bool], bytes],
        credentials: Credentials,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.address_family = family
        self.page = page
        self.credentials = credentials
        self._open: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)
        if tls is not None:
            # The handshake comes with the first read, in the connection's thread and under its time limit.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return len(self._open) < MAX_CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = time.monotonic() + CONNECTION_TIMEOUT_S
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        now = time.monotonic()
        for connection, deadline in list(self._open.items()):
            if now > deadline:
                self._open.pop(connection, None)
                _cut(connection)

    def cut_all(self) -> None:
        """End every open connection."""
        for connection in list(self._open):
            _cut(connection)

    def abandon_all(self) -> None:
        """Close this process's copies of the connections, which another process goes on with."""
        for connection in list(self._open):
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: the client went away, timed out or spoke no TLS. The page itself never raises."""


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class MetricsServer:
    """
    Serves pages from a daemon thread of its own, one thread per connection.

    The port is bound on construction, requests are answered after `start`.

    Args:
        host: Name or address; IPv4 is preferred where a name has both.
        port: 0 for any free one.
        page: Makes a page, OpenMetrics if called with True; must not raise.

    Attributes:
        port: The port that was bound.
        url: Where the page is.

    Errors: OSError if the address cannot be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        page: Callable[[bool], bytes],
        *,
        credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        family, bind_to = _resolve(host, port)
        self._server = _Server((bind_to, port), family, page, credentials or Credentials(), tls)
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self.port: int = self._server.server_address[1]
        self.url = server_url(bind_to, self.port, tls=tls is not None)

    def start(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_S,), name="otelkit-metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """
        Stop answering and free the port; again is harmless.

        In a forked child, which inherits the listening socket but not the
        thread, only its copies of the sockets are closed: waiting for the thread
        would never end, and an open copy would queue connections that nobody
        answers once the parent is gone.
        """
        thread, self._thread = self._thread, None
        if self._pid != os.getpid():
            self._server.abandon_all()
        elif thread is not None:
            self._server.shutdown()
            thread.join(IO_TIMEOUT_S)
            self._server.cut_all()
        with guard.shield("prometheus: close"):
            self._server.server_close()


def server_url(host: str, port: int, *, tls: bool) -> str:
    """Return where the page of a server on ``host`` is."""
    _, address = _resolve(host, port)
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not bound
    shown = f"[{shown}]" if ":" in shown else shown
    return f"{'https' if tls else 'http'}://{shown}:{port}{PATH}"


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(infos, key=lambda info: info[0] != socket.AF_INET)
    return family, str(address[0])
