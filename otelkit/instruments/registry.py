# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The metric registry: what is declared, under which name, and what may not be declared twice.

One registry is the catalogue of a process: exporters read it, docs, dashboards
and rules are made from it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from otelkit import semconv
from otelkit._core._family import Definition, Family
from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._labels import checked_labels
from otelkit._core._snapshot import Attributes, Metric, NumberPoint
from otelkit._core._store import Store
from otelkit.exceptions import DeclarationError, did_you_mean
from otelkit.instruments._options import early_options, options_of
from otelkit.masking import Masker, masker_of

if TYPE_CHECKING:
    from otelkit.config import Settings

__all__ = ("Registry", "default_registry")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")

AcrossWorkers = Literal["sum", "total", "max", "min", "latest", "each"]
"""What becomes of a number that several workers report; see docs/workers.md."""

I = TypeVar("I")  # noqa: E741 - an instrument


def _restore_family(definition: Definition) -> Family[Any]:
    """Unpickle a family: the one of this definition in this process, created if need be."""
    for metric in definition.metrics:
        default_registry._metrics.setdefault(metric.name, (metric, None))
    return default_registry.family(definition)


class Registry(Store):
    """
    All metrics of a process; thread-safe.

    Iterating gives every declared `Metric`, in the order of declaration.
    """

    def __init__(self) -> None:
        super().__init__(_restore_family)
        self._metrics: dict[str, tuple[Metric, tuple[str, ...] | None]] = {}
        self._instruments: dict[str, Any] = {}
        self._declaring = threading.RLock()
        self.across_workers: dict[str, AcrossWorkers] = {}
        self.options_for = early_options
        self.add_source(_health)

    def __iter__(self) -> Iterator[Metric]:
        return iter([metric for metric, _ in list(self._metrics.values())])

    def __deepcopy__(self, memo: dict[int, Any]) -> Registry:
        return self

    def get(self, name: str) -> Any:
        """Return the instrument declared as ``name``, or None."""
        return self._instruments.get(name)

    def describe(self, name: str) -> tuple[Metric, tuple[str, ...] | None]:
        """
        Return a metric and its label names.

        Label names are None for metrics to which several declarations, each
        with labels of its own, contribute (``service.requests``).

        Raises:
            KeyError: Nothing is declared under ``name``; the nearest known name is suggested.
        """
        try:
            return self._metrics[name]
        except KeyError:
            raise KeyError(f"No metric {name!r} is declared. {did_you_mean(name, self._metrics)}".rstrip()) from None

    def declare(self, metric: Metric, labels: tuple[str, ...] | None, where: str) -> None:
        """
        Claim ``metric.name``.

        Raises:
            DeclarationError: The name is malformed, or is taken by another
                kind, unit or set of labels.
        """
        if not isinstance(metric.name, str) or not _NAME.fullmatch(metric.name):
            raise DeclarationError(
                "a metric name that starts with a letter and goes on with at most 254 letters, digits or _ . - /",
                metric.name,
                where,
            )
        with self._declaring:
            known = self._metrics.setdefault(metric.name, (metric, labels))
        _same(metric.name, "kind", known[0].kind.value, metric.kind.value, where)
        _same(metric.name, "unit", known[0].unit, metric.unit, where)
        if labels is not None and known[1] is not None:
            _same(metric.name, "labels", list(known[1]), list(labels), where)

    def instrument(self, name: str, create: Callable[[], I]) -> I:
        """Return the instrument ``name``, made by ``create`` if there is none."""
        with self._declaring:
            made = self._instruments.get(name)
            return self._instruments.setdefault(name, create()) if made is None else made

    def apply(self, settings: Settings) -> None:
        """Give every family, those to come included, what ``settings`` says of it; its secrets stay out of the log."""
        guard.mask = (masker_of(settings) or Masker()).text
        self.configure(options_of(settings))

    def after_fork(self) -> None:
        self._declaring = threading.RLock()
        super().after_fork()


def _same(name: str, what: str, known: object, new: object, where: str) -> None:
    if known != new:
        raise DeclarationError(
            f"{what} {known!r} for metric {name!r}, as it was declared before",
            new,
            where,
            "Give the second one another name, or declare both alike.",
        )


def label_names(labels: Any, where: str) -> tuple[str, ...]:
    """Check label names given by a user; None is none."""
    return () if labels is None else checked_labels(labels, where)


_HEALTH = {
    "dropped": semconv.DROPPED,
    "overflowed": semconv.OVERFLOWED,
    "failures": semconv.FAILURES,
    "exports": semconv.EXPORTS,
}
_health_series: dict[tuple[str, Any], tuple[Attributes, int]] = {}


def _health(now_ns: int) -> list[tuple[Metric, list[Any]]]:
    """Return otelkit's self-metrics."""
    points: dict[str, list[Any]] = {}
    for what, labels, items in guard.tallies():
        # The same Attributes object each time: readers key what they remember by it.
        attributes, start_ns = _health_series.setdefault((what, labels), (Attributes(labels), now_ns))
        points.setdefault(what, []).append(NumberPoint(attributes, start_ns, now_ns, items))
    return [(_HEALTH[what], found) for what, found in points.items()]


default_registry = Registry()
guard.mask = Masker().text


forks.in_child(_health_series.clear)
