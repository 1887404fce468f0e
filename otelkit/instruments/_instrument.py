# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What all instruments share: a name, labels, and the way to a cell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from otelkit._core._cell import Cell
from otelkit._core._family import Definition, Family
from otelkit._core._guard import guard
from otelkit._core._snapshot import Kind, Metric
from otelkit.exceptions import DeclarationError, did_you_mean
from otelkit.instruments.registry import Registry, default_registry, label_names

C = TypeVar("C", bound=Cell)


class Instrument(Generic[C]):
    """
    A declared metric.

    Bind once, use hot: ``labels(...)`` returns a cell whose methods take no
    lock and look nothing up. An instrument without labels may be used as it is.
    """

    def __init__(self, definition: Definition, registry: Registry = default_registry) -> None:
        self._definition = definition
        self._family: Family[C] = registry.family(definition)
        self._names = definition.labels
        self._sole: C | None = None if definition.labels else self._family.hold(())

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self._definition)

    def __repr__(self) -> str:
        labels = f", labels={list(self._names)}" if self._names else ""
        return f"<otelkit {self.metric.kind.value} {self.metric.name!r}{labels}>"

    @property
    def metric(self) -> Metric:
        """Name, kind, unit and description."""
        return self._definition.metrics[0]

    def labels(self, /, **values: object) -> C:
        """
        Return the cell for these label values; keep it for hot code.

        Args:
            values: A value for each declared label; anything is made text.

        Raises:
            DeclarationError: A label is missing or was not declared.

        Thread-safe. Cost: about a microsecond.
        """
        if self._sole is not None and not values:
            return self._sole
        names = self._names
        if len(values) != len(names) or not values.keys() <= set(names):
            raise self._mismatch(values)
        return self._family.bound(tuple([values[name] for name in names]))

    def _mismatch(self, values: dict[str, object]) -> DeclarationError:
        unknown = sorted(set(values) - set(self._names))
        hint = did_you_mean(unknown[0], self._names) if unknown else ""
        return DeclarationError(
            f"labels {list(self._names)}",
            sorted(values),
            f"metric {self.metric.name!r}",
            hint or "Give each label once.",
        )

    def _cell(self, values: dict[str, object]) -> C | None:
        """Find a cell at run time: a mismatch is dropped and counted, not raised."""
        if not values and self._sole is not None:
            return self._sole
        names = self._names
        try:
            if len(values) == len(names):
                return self._family.find(tuple([values[name] for name in names]))
        except KeyError:
            pass
        guard.dropped(self.metric.name, "labels other than declared", detail=str(self._mismatch(values)))
        return None


def _restore(kind: type[Instrument[Any]], definition: Definition) -> Instrument[Any]:
    name = definition.metrics[0].name
    default_registry.declare(definition.metrics[0], definition.labels, f"metric {name!r}")
    return default_registry.instrument(name, lambda: kind(definition))


def declared(
    kind: type[Any],
    family: str,
    metric: Metric,
    labels: Iterable[str] | None,
    registry: Registry,
    **details: Any,
) -> Any:
    """Check, claim the name, and make or find the instrument."""
    where = f"{metric.kind.value} {metric.name!r}"
    for what, text in (("unit", metric.unit), ("description", metric.description)):
        if not isinstance(text, str):
            raise DeclarationError(f"{what} as text", text, where)
    names = label_names(labels, where)
    registry.declare(metric, names, where)
    definition = Definition(family, (metric,), names, **details)
    made = registry.instrument(metric.name, lambda: kind(definition, registry))
    if not isinstance(made, kind):
        raise DeclarationError(
            f"metric {metric.name!r} to stay a {type(made).__name__}, as it was declared before",
            kind.__name__,
            where,
            "Give the second one another name.",
        )
    return made


def checked_bounds(buckets: Iterable[float] | None, where: str) -> tuple[float, ...] | None:
    """Return bucket bounds as a tuple; None stays None, for the default."""
    if buckets is None:
        return None
    remedy = "Give upper bounds such as [0.01, 0.1, 1]; +Inf is added for you."
    try:
        bounds = tuple(float(bound) for bound in buckets)
    except (TypeError, ValueError):
        raise DeclarationError("buckets that are numbers", buckets, where, remedy) from None
    if not bounds or not all(map(math.isfinite, bounds)):
        raise DeclarationError("at least one bucket bound, all of them finite", list(bounds), where, remedy)
    if any(above <= below for below, above in itertools.pairwise(bounds)):
        raise DeclarationError("bucket bounds in ascending order, none twice", list(bounds), where, remedy)
    return bounds


__all__ = ("Instrument", "Kind", "Metric", "checked_bounds", "declared")
