# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The service of the demo: a shop that sells the packages installed in this Python."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import otelkit

from .payments import Payments

KEPT_S = 20.0
CACHED = 8
QUICK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Buckets in seconds: the default ones begin at 5 ms, which most of these actions never take."""


class UnknownProductError(LookupError):
    """No installed package has that name."""


class UnknownOrderError(LookupError):
    """No order has that number, or it was deleted after its time."""


class InvalidOrderError(ValueError):
    """The order cannot be understood."""


@otelkit.service
class Shop:
    """Every public method is an action: requests, errors, active requests, response time and a span."""

    cache_hit_ratio = otelkit.gauge("cache_hit_ratio", unit="1", description="Product look-ups served from memory.")
    orders_kept = otelkit.gauge("shop.orders", unit="{order}", description="Orders in the database.")

    def __init__(self, database: Path, payments: Payments) -> None:
        self._payments = payments
        self._names = sorted({package.metadata["Name"] for package in metadata.distributions()}, key=str.lower)
        self._cache: dict[str, dict[str, Any]] = {}
        self._hits = self._look_ups = 0
        self._lock = threading.Lock()
        self._orders = sqlite3.connect(database, check_same_thread=False)
        self._orders.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, placed REAL, content TEXT, invoice TEXT)")

    @otelkit.action(buckets=QUICK)
    def search(self, text: str) -> list[str]:
        """Return the products that have ``text`` in their name."""
        return [name for name in self._names if text.lower() in name.lower()]

    @otelkit.action(labels=["cache"], buckets=QUICK)
    def get_product(self, name: str) -> dict[str, Any]:
        """Return a product's version, summary and size; read from its metadata unless cached."""
        with self._lock:
            product = self._cache.pop(name, None)
            self._look_ups += 1
            self._hits += product is not None
            self.cache_hit_ratio.set(self._hits / self._look_ups)
        otelkit.add_label("cache", "hit" if product else "miss")
        product = product or self._read(name)
        with self._lock:
            self._cache[name] = product
            while len(self._cache) > CACHED:
                self._cache.pop(next(iter(self._cache)))
        return product

    @otelkit.action(buckets=QUICK)
    def place_order(self, order: dict[str, Any]) -> int:
        """Have an order paid, store it, and return its number."""
        products = order.get("products")
        if not isinstance(products, list) or not products:
            raise InvalidOrderError("Expected a list of products")
        unknown = set(products).difference(self._names)
        if unknown:
            raise UnknownProductError(", ".join(sorted(unknown)))
        self._payments.charge(len(products))
        with self._lock, self._orders:
            row = self._orders.execute(
                "INSERT INTO orders (placed, content) VALUES (?, ?)", (time.time(), json.dumps(order))
            )
        assert row.lastrowid is not None
        return row.lastrowid

    @otelkit.action(buckets=QUICK)
    def get_order(self, order_id: int) -> dict[str, Any]:
        """Return an order with its invoice, if that is written already."""
        return self._find(order_id)

    @otelkit.event_handler("order.placed", buckets=QUICK)
    def write_invoice(self, event: dict[str, Any]) -> None:
        """Handle the event of a placed order; ``event["timestamp"]`` says when it was emitted."""
        order = self._find(event["order_id"])
        invoice = {name: self._read(name)["size_bytes"] for name in order["products"]}
        with self._lock, self._orders:
            self._orders.execute("UPDATE orders SET invoice = ? WHERE id = ?", (json.dumps(invoice), event["order_id"]))

    @otelkit.job(name="delete_old_orders", buckets=QUICK)
    def delete_old_orders(self) -> None:
        """Delete orders that are older than 20 s: who asks for one later gets an error."""
        with self._lock, self._orders:
            self._orders.execute("DELETE FROM orders WHERE placed < ?", (time.time() - KEPT_S,))
            (kept,) = self._orders.execute("SELECT count(*) FROM orders").fetchone()
        self.orders_kept.set(kept)

    @otelkit.action(metrics=False, traces=False)
    def close(self) -> None:
        """Close the database."""
        self._orders.close()

    def _find(self, order_id: int) -> dict[str, Any]:
        with self._lock:
            found = self._orders.execute("SELECT content, invoice FROM orders WHERE id = ?", (order_id,)).fetchone()
        if found is None:
            raise UnknownOrderError(order_id)
        return {**json.loads(found[0]), "invoice": json.loads(found[1] or "null")}

    def _read(self, name: str) -> dict[str, Any]:
        try:
            package = metadata.distribution(name)
        except (metadata.PackageNotFoundError, ValueError) as error:
            raise UnknownProductError(name) from error
        size = sum(file.size or 0 for file in package.files or ())
        return {"name": name, "version": package.version, "summary": package.metadata["Summary"], "size_bytes": size}
