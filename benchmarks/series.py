# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
10,000 histogram series of 14 bounds and two labels: what they weigh, and what reading them takes.

They are ten metrics of 1,000 label sets each, because rivals (otelkit as well)
cap the label sets of one metric, at 2,000 by default.
"""

from __future__ import annotations

import gc
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

Observe = Callable[[float], object]

FAMILIES = 10
ROUTES = [f"/api/items/{number}" for number in range(1000)]
METHOD = "GET"
FAST, MEDIUM, SLOW = 0.003, 0.03, 0.3

PENDING_SERIES = 1000
PENDING_OBSERVATIONS = 300
"""Observations after which the search for the worst ends: more than twice the size of a buffer."""


class Histograms(ABC):
    """
    A rival's series. Making one declares them, observes thrice in each and reads them once.

    Args:
        sampled: Whether the last of the three is made in a sampled span, so
            that each series has an exemplar, where the rival has them at all.
    """

    def __init__(self, sampled: bool = True) -> None:
        families = [self.family(f"request_duration_{number}") for number in range(FAMILIES)]
        self.observers = [self.bind(family, route, METHOD) for family in families for route in ROUTES]
        for observe in self.observers:
            observe(MEDIUM)
            observe(SLOW)
        for observe in self.observers:
            if sampled:
                self.observe_sampled(observe, FAST)
            else:
                observe(FAST)
        self.settle()

    @abstractmethod
    def family(self, name: str) -> Any:
        """Declare a histogram in seconds with labels ``route`` and ``method``."""

    @abstractmethod
    def bind(self, family: Any, route: str, method: str) -> Observe:
        """The cheapest way this rival has to observe in one series again and again."""

    def observe_sampled(self, observe: Observe, seconds: float) -> None:
        """Observe once as inside a sampled span."""
        observe(seconds)

    def settle(self) -> None:
        """Read all series once, so that nothing is pending; for rivals that buffer or aggregate when read."""
        return

    text: Any = None
    """Answers a scrape in Prometheus' text format; None where the rival cannot."""
    openmetrics: Any = None
    """Answers a scrape in OpenMetrics with exemplars; None where the rival cannot."""
    scoped_text: Any = None
    """As ``text``, with the scope's labels on every sample: half as many bytes again."""
    scoped_openmetrics: Any = None
    """As ``openmetrics``, with the scope's labels."""


def cases(histograms: type[Histograms]) -> dict[str, Callable[[], Callable[[], float]]]:
    """The scrape and memory cases of a rival; those it has no ``text`` or ``openmetrics`` for are left out."""
    made: dict[str, Callable[[], Callable[[], float]]] = {
        "memory_settled": lambda: lambda: settled_bytes(histograms, sampled=False),
        "memory_exemplar": lambda: lambda: settled_bytes(histograms, sampled=True),
        "memory_pending": lambda: lambda: pending_bytes(histograms),
    }
    for form in ("text", "openmetrics", "scoped_text", "scoped_openmetrics"):
        if getattr(histograms, form):
            made[f"scrape_{form}"] = partial(read_form, histograms, form)
    return made


def read_form(histograms: type[Histograms], form: str) -> Callable[[], float]:
    """Make the series, and return what times one answer in ``form``."""
    made = histograms()
    return reading(made, getattr(made, form))


def reading(made: Histograms, read: Callable[[], object]) -> Callable[[], float]:
    """Seconds for one ``read()``; each series has had one new observation since the read before."""

    def once() -> float:
        for observe in made.observers:
            observe(FAST)
        gc.collect()
        start = perf_counter()
        read()
        return perf_counter() - start

    return once


def settled_bytes(histograms: type[Histograms], sampled: bool) -> float:
    """
    Bytes that one series holds once read, by tracemalloc.

    Label values belong to the application and are not counted, nor are handles
    that it may keep for speed: only what the library itself holds on to.
    """
    gc.collect()
    tracemalloc.start()
    made = histograms(sampled)
    count = len(made.observers)
    made.observers.clear()
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return traced / count


def pending_bytes(histograms: type[Histograms]) -> float:
    """
    The most bytes that unread observations add to a series; each value is a new float.

    Before, each series has been observed as often and read once, so that what
    its counts take by being larger is not laid to what is pending.
    """
    tracemalloc.start()
    made = histograms(sampled=False)
    observers = made.observers[:PENDING_SERIES]
    for count in range(PENDING_OBSERVATIONS):
        observe_all(observers, count)
    made.settle()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    worst = 0
    for count in range(PENDING_OBSERVATIONS):
        observe_all(observers, count)
        worst = max(worst, tracemalloc.get_traced_memory()[0] - before)
    tracemalloc.stop()
    return worst / len(observers)


def observe_all(observers: list[Observe], count: int) -> None:
    """Observe a value of its own in each series."""
    for number, observe in enumerate(observers):
        observe(FAST + (count * PENDING_SERIES + number) * 1e-9)
