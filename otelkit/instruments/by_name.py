# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Metrics by name, without a handle: ``increment("orders", source="web")``.

A name that nobody declared is declared by its first use, with the labels given
there. At run time nothing here raises: what does not fit is dropped, counted
in ``otelkit.dropped`` and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

from otelkit._core._guard import guard
from otelkit._core._labels import text_of
from otelkit.instruments.counter import Counter, counter
from otelkit.instruments.gauge import Gauge, UpDownCounter, gauge
from otelkit.instruments.histogram import BoundTimer, Histogram, Summary, Timer, histogram
from otelkit.instruments.histogram import timer as declare_timer
from otelkit.instruments.registry import default_registry

__all__ = ("increment", "observe", "set", "timer")


def _named(name: str, kinds: tuple[type[Any], ...], declare: Callable[..., Any], labels: dict[str, object]) -> Any:
    try:
        instrument = default_registry.get(name) or declare(name, labels=list(labels))
    except Exception as error:
        guard.dropped(text_of(name), "could not be declared", detail=str(error))
        return None
    if not isinstance(instrument, kinds):
        guard.dropped(name, f"is a {type(instrument).__name__.lower()}")
        return None
    return instrument


def increment(name: str, value: float = 1, /, **labels: object) -> None:
    """Add ``value`` to the counter (or up-down counter, or gauge) ``name``."""
    instrument = _named(name, (Counter, UpDownCounter, Gauge), counter, labels)
    if instrument is not None:
        instrument.increment(value, **labels)


def observe(name: str, value: float, /, **labels: object) -> None:
    """Record ``value`` in the histogram, timer or summary ``name``."""
    instrument = _named(name, (Histogram, Summary), histogram, labels)
    if instrument is not None:
        instrument.observe(value, **labels)


def set(name: str, value: float, /, **labels: object) -> None:  # noqa: A001 - the field's verb; a module function
    """Set the gauge ``name`` to ``value``."""
    instrument = _named(name, (Gauge,), gauge, labels)
    if instrument is not None:
        instrument.set(value, **labels)


@overload
def timer(  # pyright: ignore[reportOverlappingOverload] - labels= declares; it cannot be a label's name
    name: str,
    /,
    *,
    labels: Iterable[str],
    description: str = ...,
    buckets: Iterable[float] | None = ...,
) -> Timer: ...
@overload
def timer(name: str, /, **labels: object) -> BoundTimer: ...
def timer(
    name: str,
    /,
    *,
    labels: Any = None,
    description: Any = "",
    buckets: Any = None,
    **values: object,
) -> Any:
    """
    Time something, by name; or declare a timer.

    ``timer("fetch", priority="high")`` is a context manager, a decorator, and
    a ``start()``/``stop()`` pair, in seconds. With ``labels=[...]`` (or
    ``description=``, ``buckets=``) it declares: `Timer` has ``labels()``,
    ``time()``, ``observe()``.

    Raises:
        DeclarationError: Only when declaring.
    """
    if labels is not None or description or buckets is not None:
        return declare_timer(name, labels=labels, description=description, buckets=buckets)
    instrument = _named(name, (Timer,), declare_timer, values)
    return BoundTimer(None) if instrument is None else instrument.time(**values)
