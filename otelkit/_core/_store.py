# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The store: every family of a process, read as one snapshot."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import time_ns
from typing import Any

from otelkit._core._buckets import NUMBERS, SECONDS, ExplicitBuckets
from otelkit._core._family import (
    ActiveFamily,
    CallFamily,
    CounterFamily,
    Definition,
    Family,
    GaugeFamily,
    HistogramFamily,
    Options,
    SizeFamily,
    SummaryFamily,
    Tap,
    UpDownFamily,
)
from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit._core._snapshot import Kind, Metric, MetricSnapshot

FAMILIES: dict[str, type[Family[Any]]] = {
    "active": ActiveFamily,
    "call": CallFamily,
    "counter": CounterFamily,
    "gauge": GaugeFamily,
    "histogram": HistogramFamily,
    "size": SizeFamily,
    "summary": SummaryFamily,
    "up_down_counter": UpDownFamily,
}

Source = Callable[[int], list[tuple[Metric, list[Any]]]]
"""Gives points when a snapshot is taken, at the Unix time in nanoseconds that it is called with."""


def default_options(definition: Definition) -> Options:
    """Return the options of a family that no configuration speaks of."""
    bounds = definition.bounds
    if bounds is None:
        bounds = SECONDS if definition.metrics[-1].unit == "s" else NUMBERS
    return Options(ExplicitBuckets(bounds))


class Store:
    """
    Families, and whatever else has points to give.

    Thread-safe. A forked child starts from zero.
    """

    def __init__(self, restore: Callable[[Definition], Any]) -> None:
        self._restore = restore
        self._lock = threading.RLock()
        self._families: dict[tuple[object, ...], Family[Any]] = {}
        self._sources: list[Source] = []
        self._tap: Tap | None = None
        self._readers = 0
        self.options_for: Callable[[Definition], Options] = default_options
        forks.in_child(self.after_fork)

    def family(self, definition: Definition) -> Family[Any]:
        """
        Return the family of ``definition``, created if need be.

        Definitions that would give the same series share the family of the first, with its buckets and descriptions.
        """
        names = tuple([metric.name for metric in definition.metrics])
        series = (definition.kind, names, definition.labels, definition.constants)
        family = self._families.get(series)
        if family is None:
            with self._lock:
                family = FAMILIES[definition.kind](definition, self.options_for(definition), self._restore)
                family.tap = self._tap
                family = self._families.setdefault(series, family)
        return family

    def families(self) -> list[Family[Any]]:
        """Return all families, oldest first."""
        return list(self._families.values())

    def configure(self, options_for: Callable[[Definition], Options]) -> None:
        """Give every family, those to come included, the options that ``options_for`` says."""
        with self._lock:
            self.options_for = options_for
            for family in self._families.values():
                family.configure(options_for(family.definition))

    def add_source(self, source: Source) -> None:
        """Ask ``source`` for points at each snapshot; its failures are guarded."""
        with self._lock:
            self._sources.append(source)

    def remove_source(self, source: Source) -> None:
        """Ask ``source`` no longer."""
        with self._lock:
            self._sources.remove(source)

    def add_reader(self) -> int:
        """Return a key for `snapshot`."""
        with self._lock:
            self._readers += 1
            return self._readers

    def remove_reader(self, reader: int) -> None:
        """Forget a key's extremes."""
        for family in self.families():
            for cell in family:
                extremes = getattr(cell, "extremes", None)
                if extremes:
                    cell.extremes = {key: value for key, value in extremes.items() if key != reader}

    def tap(self, tap: Tap | None) -> None:
        """
        Hand raw values to ``tap`` while they are folded; None ends it.

        Histogram cells give their observations (of calls: durations, under the
        duration metric), counters the sum of each batch.
        """
        with self._lock:
            self._tap = tap
            for family in self._families.values():
                family.tap = tap

    def snapshot(self, reader: int | None = None) -> list[MetricSnapshot]:
        """
        Return all metrics and their points, cumulative.

        Args:
            reader: A key of `add_reader`: ``min`` and ``max`` of histograms
                are then those since this reader's last snapshot (infinite, if
                nothing came).

        Cost: a few microseconds a series; blocks no writer.
        """
        forks.notice()
        now_ns = time_ns()
        merged: dict[str, MetricSnapshot] = {}
        for family in self.families():
            with guard.shield(f"collection of {family.name}"):
                _merge(merged, family.points(now_ns, reader))
        for source in list(self._sources):
            with guard.shield("collection"):
                _merge(merged, source(now_ns))
        return list(merged.values())

    def after_fork(self) -> None:
        """Start from zero with fresh locks; the parent's numbers stay the parent's."""
        self._lock = threading.RLock()
        for family in self.families():
            family.after_fork()
        for source in self._sources:
            restart = getattr(getattr(source, "__self__", source), "after_fork", None)
            if restart is not None:
                restart()


def _merge(merged: dict[str, MetricSnapshot], read: list[tuple[Metric, list[Any]]]) -> None:
    for metric, points in read:
        if not points:
            continue
        known = merged.get(metric.name)
        if known is None:
            if metric.kind is Kind.HISTOGRAM and hasattr(points[0], "scale"):
                metric = Metric(metric.name, Kind.EXPONENTIAL_HISTOGRAM, metric.unit, metric.description)
            merged[metric.name] = MetricSnapshot(metric, points)
        else:
            known.points.extend(points)
