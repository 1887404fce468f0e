# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Families: all the cells of one declaration, found by their label values.

``cells`` is the fast look-up and holds text keys only. What is not found there
goes through `Family.find`, which makes text of the values, drops, hashes and
masks what the configuration says, creates the cell, or answers with the
overflow cell when there are too many. Only the outcome is remembered: neither
secrets nor the values that were dropped, hashed or too many are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from otelkit._core._buckets import Shape
from otelkit._core._call_cell import ActiveCell, CallCell
from otelkit._core._cell import Cell, ticked
from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._histogram_cell import HistogramCell
from otelkit._core._labels import Key, hashed, most_varied, text_of
from otelkit._core._number_cells import CounterCell, GaugeCell, UpDownCell
from otelkit._core._snapshot import Attributes, Metric, NumberPoint, Point
from otelkit._core._summary_cell import SummaryCell

C = TypeVar("C", bound=Cell)

OVERFLOW_KEY = ("otel.metric.overflow",)
"""Key of the overflow cell. No label values are a tuple of one: a single value is a bare key."""

Tap = Callable[[Metric, Attributes, list[float]], None]
"""Gets raw values while they are folded; must be quick and must not raise."""


@dataclass(frozen=True, slots=True)
class Definition:
    """
    All that makes a family; equal definitions share one.

    Args:
        kind: Which family class (see `Store`).
        metrics: What its cells are read as: one, or a call's four.
        labels: Names of the labels, in the order of a key.
        constants: Labels with a fixed value, on every series.
        bounds: Bucket bounds; None for the store's default.
        quantiles: Of a summary.
        window_s: Of a summary.
    """

    kind: str
    metrics: tuple[Metric, ...]
    labels: tuple[str, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()
    bounds: tuple[float, ...] | None = None
    quantiles: tuple[float, ...] = ()
    window_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """
    What configuration says of a family; see `Settings.metrics`.

    Args:
        shape: Buckets of its histograms.
        limit: Label sets before the overflow series.
        hidden: Names of metrics that are switched off.
        dropped: Labels left out; series that then are the same become one.
        renamed: New names of labels.
        hashed: Labels whose values become one of ``hash_buckets``.
        mask: Gets label and value, and returns what may be shown.
    """

    shape: Any
    limit: int = 2_000
    hidden: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    renamed: tuple[tuple[str, str], ...] = ()
    hashed: frozenset[str] = frozenset()
    hash_buckets: int = 64
    mask: Callable[[str, str], str] | None = None

    @property
    def merging(self) -> tuple[object, ...]:
        """What makes one series of several label sets; cells tell them apart no more."""
        return self.dropped, self.hashed, self.hash_buckets if self.hashed else 0


class Family(Generic[C]):
    """
    The cells of one declaration.

    Finding a cell that exists takes no lock; creating one takes the family's.
    """

    cell_type: type[C]
    has_buckets = False

    def __init__(self, definition: Definition, options: Options, restore: Callable[[Definition], Any]) -> None:
        self.definition = definition
        self.metric = definition.metrics[-1]
        self.name = self.metric.name
        self.labels = definition.labels
        self.window_s = definition.window_s
        self.quantiles = definition.quantiles
        self.tap: Tap | None = None
        self._restore = restore
        self.lock = threading.RLock()
        self._overflow: C | None = None
        self._exploding: str | None = None
        self._inherited: object = None
        self.cells: dict[Key, C] = {}
        self._held: dict[Key, C] = {}
        self.options = options
        self.shape: Shape = options.shape

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._restore, (self.definition,)

    def configure(self, options: Options) -> None:
        """Take ``options`` over; buckets and labels of cells that hold data already stay as they are."""
        with self.lock:
            before = self.options
            reshaped = self.has_buckets and options.shape is not self.shape
            relabelled = (options.merging, options.renamed) != (before.merging, before.renamed)
            self.options = options
            if options.mask != before.mask:
                self._mask_anew()
            if not (reshaped or relabelled):
                return
            # Cells of label sets that become one cannot be told apart by their keys any more.
            if any(ticked(cell.tick) for cell in self) or (
                options.merging != before.merging and self.labels and self.cells
            ):
                self.options = replace(before, limit=options.limit, hidden=options.hidden, mask=options.mask)
                guard.warn(
                    f"late options {self.name}",
                    f"Configuration of {self.name!r} came after its first observation: its buckets and labels stay as "
                    "they are. Call otelkit.configure() before recording, or set them in otelkit.toml.",
                )
                return
            self.shape = options.shape
            for cell in self.cells.values():
                cell.attributes = self._attributes(cell.key)
                cell.reset()

    # -- finding cells ------------------------------------------------------------

    def find(self, values: tuple[object, ...]) -> C:
        """Return the cell for ``values``, one per label; the overflow cell if there are too many. Never raises."""
        texts = tuple(map(text_of, values))
        cell = self.cells.get(texts[0] if len(texts) == 1 else texts)
        if cell is not None:
            return cell
        texts = self.admitted(texts)
        key: Key = texts[0] if len(texts) == 1 else texts
        cell = self.cells.get(key)
        return cell if cell is not None else self._create(key)

    def admitted(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Return what is kept of the labels' values, in their order."""
        return tuple(map(self._admitted, self.labels, texts))

    def _admitted(self, label: str, text: str) -> str:
        """Return what is kept of a label's value."""
        options = self.options
        if label in options.dropped:
            return ""
        if label in options.hashed:
            return hashed(text, options.hash_buckets)
        return options.mask(label, text) if options.mask else text

    def hold(self, key: Key) -> C:
        """Return the cell for ``key`` for somebody who keeps it: it lives on in a forked child, from zero."""
        with self.lock:
            cell = self._overflow_cell() if key == OVERFLOW_KEY else self.cells.get(key)
            if cell is None:
                cell = self._create(key)
            self._held.setdefault(cell.key, cell)
            return cell

    def bound(self, values: tuple[object, ...]) -> C:
        """Find and `hold`."""
        cell = self.find(values)
        with self.lock:
            self._held.setdefault(cell.key, cell)
        return cell

    def _create(self, key: Key) -> C:
        forks.notice()
        with self.lock:
            if self.labels and len(self.cells) >= self.options.limit:
                if self._exploding is None:
                    self._name_explosion()
                guard.tally("overflowed", (("otelkit.metric", self.name), ("otelkit.label", self._exploding or "")), 1)
                return self._overflow_cell()
            # setdefault: a signal handler may have created it inside this very lock.
            return self.cells.setdefault(key, self._make(key, self._attributes(key)))

    def _make(self, key: Key, attributes: Attributes) -> C:
        return self.cell_type(self, key, attributes)

    def attributes_of(self, texts: tuple[str, ...]) -> Attributes:
        """Return new attributes for values that have been `admitted`."""
        return self._attributes(texts)

    def _attributes(self, key: Key) -> Attributes:
        options = self.options
        renamed = dict(options.renamed)
        values = zip(self.labels, (key,) if isinstance(key, str) else key, strict=False)
        kept = ((label, value) for label, value in values if label not in options.dropped)
        attributes = Attributes()
        for label, value in (*self.definition.constants, *kept):
            shown = options.mask(label, value) if options.mask and label not in options.hashed else value
            attributes[renamed.get(label, label)] = shown
        return attributes

    def _mask_anew(self) -> None:
        """Mask what a new masker finds in the labels of cells that are there already."""
        for cell in self.cells.values():
            attributes = self._attributes(cell.key)
            if attributes != cell.attributes:
                cell.attributes = attributes

    def _overflow_cell(self) -> C:
        with self.lock:
            if self._overflow is None:
                attributes = Attributes(self.definition.constants)
                attributes["otel.metric.overflow"] = "true"
                self._overflow = self._make(OVERFLOW_KEY, attributes)
            return self._overflow

    def _name_explosion(self) -> None:
        label, variety, example = most_varied(self.cells, self.labels)
        self._exploding = label
        guard.warn(
            f"overflow {self.name}",
            f"{self.name!r} has reached its limit of {self.options.limit} label sets; further ones are recorded as "
            f"otel.metric.overflow=true. The label that explodes is {label!r}: {variety} values, such as "
            f"{example[:100]!r}. Drop or hash it (drop_labels or hash_labels of metrics.{self.name!r}), or raise "
            "cardinality_limit.",
        )

    # -- reading ------------------------------------------------------------------

    def __iter__(self) -> Iterator[C]:
        """Iterate over all cells, the overflow cell last."""
        yield from list(self.cells.values())
        if self._overflow is not None:
            yield self._overflow

    def points(self, now_ns: int, reader: int | None) -> list[tuple[Metric, list[Any]]]:
        """Return the points of each metric that is not switched off."""
        points: list[Point] = []
        for cell in self:
            point = cell.point(now_ns)  # type: ignore[attr-defined]
            if point is not None:
                points.append(point)
        return [] if self.name in self.options.hidden else [(self.metric, points)]

    def explosion(self) -> tuple[str, int, str] | None:
        """Return label, number of its values and an example, if the limit was reached."""
        return None if self._overflow is None else most_varied(self.cells, self.labels)

    def after_fork(self) -> None:
        """
        Start from zero in a forked child, with a fresh lock.

        Only cells that somebody holds are kept, reset in place. The others are
        dropped, yet stay referenced: freeing them would touch, and so copy,
        every page that the child shares with its parent.
        """
        self._inherited = (self._inherited, self.cells, self._overflow)
        self.lock = threading.RLock()
        for cell in self._held.values():
            cell.reset()
        self._overflow = self._held.get(OVERFLOW_KEY)
        self._exploding = None
        self.cells = {key: cell for key, cell in self._held.items() if key != OVERFLOW_KEY}


class CounterFamily(Family[CounterCell]):
    """Cells of a counter."""

    cell_type = CounterCell


class UpDownFamily(Family[UpDownCell]):
    """Cells of an up-down counter."""

    cell_type = UpDownCell


class GaugeFamily(Family[GaugeCell]):
    """Cells of a gauge."""

    cell_type = GaugeCell


class SummaryFamily(Family[SummaryCell]):
    """Cells of a summary."""

    cell_type = SummaryCell


class HistogramFamily(Family[HistogramCell]):
    """Cells of a histogram or timer."""

    cell_type = HistogramCell
    has_buckets = True

    def points(self, now_ns: int, reader: int | None) -> list[tuple[Metric, list[Any]]]:
        points = [point for cell in self if (point := cell.point(now_ns, reader)) is not None]
        return [] if self.name in self.options.hidden else [(self.metric, points)]


class SizeFamily(HistogramFamily):
    """Cells of sizes; its metrics are their sum, as a counter, and their distribution."""

    def points(self, now_ns: int, reader: int | None) -> list[tuple[Metric, list[Any]]]:
        sizes = [point for cell in self if (point := cell.point(now_ns, reader)) is not None]
        sums = [NumberPoint(point.attributes, point.start_ns, now_ns, point.sum) for point in sizes]
        return [
            (metric, points)
            for metric, points in zip(self.definition.metrics, (sums, sizes), strict=True)
            if metric.name not in self.options.hidden
        ]


class CallFamily(Family[CallCell]):
    """
    Cells of calls; its metrics are calls, active, errors and duration.

    Attributes:
        counts_active: False where all labels are known only at the end of a
            call: an `ActiveFamily` then counts the calls under way.
    """

    cell_type = CallCell
    has_buckets = True
    counts_active = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Only what is true is carried over: the other process may know better.
        return (*super().__reduce__(), {"counts_active": True}) if self.counts_active else super().__reduce__()

    def points(self, now_ns: int, reader: int | None) -> list[tuple[Metric, list[Any]]]:
        calls, active, errors, durations = [], [], [], []
        for cell in self:
            started, under_way, failed, spent = cell.points(now_ns, reader)
            calls.append(started)
            if self.counts_active:
                active.append(under_way)
            errors.extend(failed)
            durations.extend(spent)
        return [
            (metric, points)
            for metric, points in zip(self.definition.metrics, (calls, active, errors, durations), strict=True)
            if metric.name not in self.options.hidden
        ]


class ActiveFamily(Family[ActiveCell]):
    """Calls under way, by the labels that are known when they start."""

    cell_type = ActiveCell
