# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Counters: totals that only rise."""

from __future__ import annotations

from collections.abc import Iterable

from otelkit._core._number_cells import CounterCell
from otelkit.instruments._instrument import Instrument, Kind, Metric, declared
from otelkit.instruments.registry import Registry, default_registry

__all__ = ("Counter", "counter")


class Counter(Instrument[CounterCell]):
    """A total that only rises; see `counter`."""

    def increment(self, value: float = 1, /, **labels: object) -> None:
        """
        Add ``value`` (finite, >= 0).

        Thread-safe, never raises: what cannot be added is dropped and counted
        in ``otelkit.dropped``.
        """
        cell = self._cell(labels)
        if cell is not None:
            cell.increment(value)


def counter(
    name: str,
    *,
    labels: Iterable[str] | None = None,
    unit: str = "",
    description: str = "",
    registry: Registry = default_registry,
) -> Counter:
    """
    Declare a counter, or return the one declared alike.

    Args:
        name: OpenTelemetry name, without ``_total``: Prometheus adds that.
        labels: Label names, in order.
        unit: UCUM: ``By``, ``s``, ``{user}``.
        description: One sentence.

    Raises:
        DeclarationError: Malformed, or declared otherwise before.
    """
    return declared(Counter, "counter", Metric(name, Kind.COUNTER, unit, description), labels, registry)
