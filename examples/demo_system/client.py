# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The customers of the shop: real requests over loopback."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from opentelemetry import propagate
from opentelemetry.trace import SpanKind

import otelkit


class Customer:
    """One customer with a connection of its own; not for several threads."""

    def __init__(self, port: int, seed: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._random = random.Random(seed)
        self._names: list[str] = []
        self._last_order = 1

    def visit(self) -> None:
        """Make one request, of the kinds and in the proportions of a shop's day."""
        kinds: list[Callable[[], Any]] = [self._search, self._look, self._order, self._follow, self._blunder]
        self._random.choices(kinds, weights=[20, 38, 25, 12, 5])[0]()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    @otelkit.observed(
        name="shop_client", labels=["method"], kind=SpanKind.CLIENT, record_error_if=lambda answer: answer[0] >= 500
    )
    def send(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        """Send one request, with the trace context in its headers; return status and answer."""
        headers: dict[str, str] = {}
        propagate.inject(headers)
        body = None if content is None else json.dumps(content)
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def _search(self) -> None:
        status, names = self.send("GET", f"/products?q={self._random.choice('aeiost')}")
        if status == 200 and names:
            self._names = names

    def _look(self) -> None:
        self.send("GET", f"/products/{quote(self._choose())}")

    def _order(self) -> None:
        status, order_id = self.send("POST", "/orders", {"products": [self._choose(), self._choose()]})
        if status == 200:
            self._last_order = order_id

    def _follow(self) -> None:
        self.send("GET", f"/orders/{self._last_order}")

    def _blunder(self) -> None:
        """Ask for what is not there, as customers do."""
        self._random.choice(
            [
                lambda: self.send("GET", "/orders/987654321"),
                lambda: self.send("GET", "/products/no-such-package"),
                lambda: self.send("POST", "/orders", {"products": []}),
            ]
        )()

    def _choose(self) -> str:
        # Some products sell better than others: that is what makes the cache worth having.
        if not self._names:
            return "pip"
        return self._names[min(int(self._random.expovariate(0.2)), len(self._names) - 1)]
