# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""From measured values to the figures that are printed: minimum, median, maximum, and ratios of minima."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

FLOOR = 1e-10
"""A tenth of a nanosecond: what a difference below the clock's noise counts as, so that ratios stay finite."""


class Spread(NamedTuple):
    """What a case cost one rival, in seconds above the bare call or in bytes."""

    minimum: float
    median: float
    maximum: float


def spread(values: Sequence[float], bare: float = 0.0) -> Spread:
    """The spread of ``values`` above ``bare``."""
    above = [max(value - bare, FLOOR) for value in values]
    return Spread(min(above), median(above), max(above))


class Measured(Mapping[tuple[str, str], Spread]):
    """
    Spreads by (case key, rival key).

    Args:
        values: What was measured, by (case key, rival key).
        bare: What the bare call took, by case key; absent where nothing is subtracted.
    """

    def __init__(
        self, values: Mapping[tuple[str, str], Sequence[float]], bare: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self.bare = {case: min(found) for case, found in (bare or {}).items() if found}
        self._spreads = {key: spread(found, self.bare.get(key[0], 0.0)) for key, found in values.items() if found}

    def __getitem__(self, key: tuple[str, str]) -> Spread:
        return self._spreads[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._spreads)

    def __len__(self) -> int:
        return len(self._spreads)

    def ratio(self, case: str, rival: str) -> float | None:
        """How many times what otelkit costs does ``rival`` cost; of the minima. None when one was not measured."""
        ours, theirs = self.get((case, "otelkit")), self.get((case, rival))
        return theirs.minimum / ours.minimum if ours and theirs else None

    def median_ratio(self, case: str, rival: str) -> float | None:
        """The same of the medians."""
        ours, theirs = self.get((case, "otelkit")), self.get((case, rival))
        return theirs.median / ours.median if ours and theirs else None
