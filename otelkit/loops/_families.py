# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The families of the inference vocabulary, and the cells of one model's series in them.

Items are not counted beside batch sizes: they are the sizes' sum, and
throughput is the rate of that sum, both found when somebody reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any

from otelkit import semconv
from otelkit._core._call_cell import CallCell
from otelkit._core._family import Definition, Family
from otelkit._core._guard import guard
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._number_cells import CounterCell
from otelkit._core._snapshot import Metric
from otelkit.instruments.rate import Rate
from otelkit.instruments.registry import default_registry

_LABELS = (
    semconv.INFERENCE_ENGINE,
    semconv.INFERENCE_MODEL,
    semconv.INFERENCE_OPERATION,
    semconv.INFERENCE_WARMUP,
)
_WINDOW_S = 60.0


@cache
def family(
    kind: str, *metrics: Metric, more: tuple[str, ...] = (), bounds: Iterable[float] | None = None
) -> Family[Any]:
    """Return the family of ``metrics``, labelled with engine, model, operation and warm-up, and with ``more``."""
    labels = (*_LABELS, *more)
    for metric in metrics:
        default_registry.declare(metric, labels, "otelkit's inference vocabulary")
    return default_registry.family(Definition(kind, metrics, labels, (), None if bounds is None else tuple(bounds)))


def calls() -> Family[CallCell]:
    """Requests, active ones, errors and duration."""
    made = family(
        "call",
        semconv.INFERENCE_REQUESTS,
        semconv.INFERENCE_ACTIVE_REQUESTS,
        semconv.INFERENCE_ERRORS,
        semconv.INFERENCE_DURATION,
        bounds=semconv.INFERENCE_TIME_BUCKETS,
    )
    made.counts_active = True  # type: ignore[attr-defined]
    return made


def _times(metric: Metric, *more: str) -> Family[HistogramCell]:
    return family("histogram", metric, more=more, bounds=semconv.INFERENCE_TIME_BUCKETS)


@cache
def sizes() -> Family[HistogramCell]:
    """Batch sizes, and with them items and throughput."""
    made = family("size", semconv.INFERENCE_ITEMS, semconv.INFERENCE_BATCH_SIZE, bounds=semconv.BATCH_SIZE_BUCKETS)
    default_registry.declare(semconv.INFERENCE_THROUGHPUT, _LABELS, "otelkit's inference vocabulary")
    rate: Any = Rate(semconv.INFERENCE_THROUGHPUT, _Items(made), _WINDOW_S)  # type: ignore[arg-type]
    default_registry.instrument(semconv.INFERENCE_THROUGHPUT.name, lambda: rate)
    default_registry.add_source(rate.read)
    return made


class _Items:
    """What a `Rate` asks of a counter; warm-up is no throughput."""

    def __init__(self, sizes: Family[HistogramCell]) -> None:
        self.metric = semconv.INFERENCE_ITEMS
        self._names = sizes.labels
        self._sizes = sizes

    @property
    def _family(self) -> _Items:
        return self

    def points(self, now_ns: int, reader: int | None) -> list[tuple[Metric, list[Any]]]:
        return [
            (metric, [point for point in points if point.attributes.get(semconv.INFERENCE_WARMUP) != "true"])
            for metric, points in self._sizes.points(now_ns, reader)
            if metric is semconv.INFERENCE_ITEMS
        ]


class Series:
    """
    The cells of one engine, model and operation, warm-up or not; each is bound when first used.

    ``calls`` and ``sizes`` are what every step needs. Thread-safe.

    Attributes:
        usable: Whether these could be bound; None before `bind`. A program may have taken a name of ours.
    """

    def __init__(self, engine: str, model: str, operation: str, *, warmup: bool) -> None:
        self.values = (engine, model, operation, "true" if warmup else "false")
        self.warmup = warmup
        self.usable: bool | None = None
        self._phases: dict[str, HistogramCell] = {}

    def bind(self) -> None:
        """Bind what every step needs; never raises."""
        self.usable = False
        with guard.shield("declaring the inference vocabulary"):
            self.usable = bool((self.calls, self.sizes))

    @cached_property
    def calls(self) -> CallCell:
        """Requests, errors and durations."""
        return calls().bound(self.values)

    @cached_property
    def sizes(self) -> HistogramCell:
        """Batch sizes."""
        return sizes().bound(self.values)

    @cached_property
    def device(self) -> HistogramCell:
        """Device times."""
        return _times(semconv.INFERENCE_DEVICE_TIME).bound(self.values)

    @cached_property
    def wait(self) -> HistogramCell:
        """Waits for input."""
        return _times(semconv.INFERENCE_WAIT_TIME).bound(self.values)

    @cached_property
    def fill(self) -> HistogramCell:
        """Shares of batches that were filled."""
        return family("histogram", semconv.INFERENCE_BATCH_FILL, bounds=semconv.SHARE_BUCKETS).bound(self.values)

    @cached_property
    def padding(self) -> HistogramCell:
        """Shares of input that was padding."""
        return family("histogram", semconv.INFERENCE_PADDING, bounds=semconv.SHARE_BUCKETS).bound(self.values)

    @cached_property
    def hits(self) -> CounterCell:
        """Cache hits."""
        return family("counter", semconv.INFERENCE_CACHE_HITS).bound(self.values)

    @cached_property
    def misses(self) -> CounterCell:
        """Cache misses."""
        return family("counter", semconv.INFERENCE_CACHE_MISSES).bound(self.values)

    def phase(self, name: str) -> HistogramCell:
        """Return the cell of one phase."""
        cell = self._phases.get(name)
        if cell is None:
            phases = _times(semconv.INFERENCE_PHASE_DURATION, semconv.INFERENCE_PHASE)
            cell = phases.bound((*self.values, name))
            if len(self._phases) < _PHASES:
                self._phases[name] = cell
        return cell


_PHASES = 100
"""Names that a series remembers the cell of; more are a mistake, which the family's limit bounds."""
