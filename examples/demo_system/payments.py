# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the shop depends on: a payment provider behind HTTP, which after a while becomes slow."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry import propagate
from opentelemetry.trace import SpanKind

import otelkit

QUICK_S = 0.002
SLOW_S = 0.4
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Provider(ThreadingHTTPServer):
    """
    Somebody else's server: it is not observed, and nobody knows why it is slow.

    Args:
        slow_after_s: When it becomes slow, in seconds from now; None for never.
    """

    daemon_threads = False

    def __init__(self, slow_after_s: float | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._slow_at = None if slow_after_s is None else time.monotonic() + slow_after_s
        self._random = random.Random(7)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="demo-payments")
        self._thread.start()

    def think(self) -> None:
        """Take as long as an answer takes."""
        slow = self._slow_at is not None and time.monotonic() >= self._slow_at
        time.sleep((SLOW_S if slow else QUICK_S) * self._random.lognormvariate(0.0, 0.25))

    def close(self) -> None:
        """Answer what is open, and end all threads."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True
    server: Provider  # pyright: ignore[reportIncompatibleVariableOverride] - the base class leaves it open

    def do_POST(self) -> None:
        """Take a payment."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.think()
        body = b'{"paid": true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: the terminal belongs to the demo."""


class Payments:
    """The shop's side of it; safe to use from several threads."""

    def __init__(self, port: int) -> None:
        self._port = port

    @otelkit.observed(name="payment", labels=["provider"], kind=SpanKind.CLIENT, buckets=SECONDS)
    def charge(self, amount: int, provider: str = "paywell") -> bool:
        """Ask the provider for the money."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", "/charges", json.dumps({"amount": amount}), headers)
            return bool(json.loads(connection.getresponse().read())["paid"])
        finally:
            connection.close()
