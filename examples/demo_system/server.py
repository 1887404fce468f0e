# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP in front of the shop, by the standard library."""

from __future__ import annotations

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from opentelemetry import context, propagate

from .shop import Shop


class Handler(BaseHTTPRequestHandler):
    """Routes requests to the shop and its errors to status codes."""

    protocol_version = "HTTP/1.1"
    # Without it each small answer waits for the client's delayed ACK: 40 ms on Linux.
    disable_nagle_algorithm = True
    server: ShopServer  # pyright: ignore[reportIncompatibleVariableOverride] - the base class leaves it open

    def do_GET(self) -> None:
        """Answer ``/products?q=text``, ``/products/<name>`` and ``/orders/<id>``."""
        url = urlsplit(self.path)
        match url.path.strip("/").split("/"):
            case ["products"]:
                self._answer(self.server.shop.search, parse_qs(url.query).get("q", [""])[0])
            case ["products", name]:
                self._answer(self.server.shop.get_product, unquote(name))
            case ["orders", number] if number.isdecimal():
                self._answer(self.server.shop.get_order, int(number))
            case _:
                self._send(404, {"error": "no such page"})

    def do_POST(self) -> None:
        """Answer ``/orders``, and tell the invoice writer."""
        order = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        order_id = self._answer(self.server.shop.place_order, order)
        if order_id is not None:
            # The caller's trace goes with the event: the invoice is part of it, though written later and elsewhere.
            trace = propagate.extract(self.headers)
            self.server.events.put((trace, {"order_id": order_id, "timestamp": time.time()}))

    def _answer(self, action: Any, argument: Any) -> Any:
        """Run one action inside the caller's trace and send what it returns; None if it failed."""
        token = context.attach(propagate.extract(self.headers))
        try:
            result = action(argument)
        except LookupError as error:
            return self._send(404, {"error": type(error).__name__})
        except ValueError as error:
            return self._send(400, {"error": str(error)})
        finally:
            context.detach(token)
        self._send(200, result)
        return result

    def _send(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: the terminal belongs to the demo."""


class ShopServer(ThreadingHTTPServer):
    """A shop on a free loopback port, with a thread that handles its events."""

    # Threads that are waited for, so that none is left when the demo ends.
    daemon_threads = False

    def __init__(self, shop: Shop) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.shop = shop
        self.events: queue.Queue[tuple[context.Context, dict[str, Any]] | None] = queue.Queue()
        self._workers = [
            threading.Thread(target=self.serve_forever, args=(0.1,), name="demo-shop"),
            threading.Thread(target=self._handle_events, name="demo-events"),
        ]
        for thread in self._workers:
            thread.start()

    def close(self) -> None:
        """Answer what is open, handle the events that wait, and end all threads."""
        self.shutdown()
        self.server_close()
        self.events.put(None)
        for thread in self._workers:
            thread.join()
        self.shop.close()

    def _handle_events(self) -> None:
        while (waiting := self.events.get()) is not None:
            trace, event = waiting
            token = context.attach(trace)
            try:
                self.shop.write_invoice(event)
            except LookupError:
                pass  # the order was deleted meanwhile; the decorator has counted it
            finally:
                context.detach(token)
