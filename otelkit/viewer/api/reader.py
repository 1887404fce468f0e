# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What pages read through: series chosen by name and filter, added up by labels, and kept for the next question.

Pages that follow the time ask the same every two seconds, a step further on. What was worked out for steps that are
over is kept, so only the last minute or two is read again. All of it may be thrown away at any time.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from otelkit.viewer.analysis.curve import Rise
from otelkit.viewer.api import groups
from otelkit.viewer.api.filters import Term, holds, look_up
from otelkit.viewer.api.groups import Births, Groups
from otelkit.viewer.api.shapes.axis import Ignored
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Metric, Reading, Series

Kind = Literal["sums", "distributions", "gauges"]

LEAST_GAP_S = 150.0
"""Points further apart, and more than 4 of the sender's intervals, leave the time between unknown: two reports of the
SDK's default of 60 s may be lost."""
LATE_S = 60.0
"""Steps that ended before are not read again."""
KEPT_QUESTIONS = 96
FRESH_TIMES, LONGEST_FRESH_S = 8.0, 10.0
"""An answer is not worked out anew for so many times as long as that took: ingest and other pages have the rest."""
KEPT_S = 300.0
"""Then it is read afresh: points that came later than `LATE_S` are found then."""


@dataclass(slots=True)
class _Kept:
    """
    Answer to a question: groups over steps ``first`` to ``end``, of which those before ``final`` do not change.

    Attributes:
        newest_series: Highest id of the series it was made of.
        latest_ns: Time of their latest point.
        fresh_until: Until then it is given as it is: what took long to work out is worked out less often.
    """

    first: int
    end: int
    final: int
    groups: Groups
    newest_series: int
    latest_ns: int
    made: float
    fresh_until: float = 0.0


class Reader:
    """
    The store, as pages ask it. Thread-safe.

    Args:
        store: What is read.
        clock: Unix seconds.
        keeps: Answers that are kept.
    """

    def __init__(self, store: Reading, clock: Callable[[], float] = time.time, keeps: int = KEPT_QUESTIONS) -> None:
        self.store = store
        self.clock = clock
        self._keeps = keeps
        self._lock = threading.Lock()
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._births: tuple[float, Births] = (0.0, Births({}))
        self._gap: tuple[float, int] = (0.0, 0)
        self._by_name: tuple[float, int, dict[str, list[Series]]] = (0.0, -1, {})

    def metrics(self) -> list[Metric]:
        """Return all metrics."""
        return self.store.metrics()

    def names(self) -> set[str]:
        """Return the names of all metrics."""
        return set(self._index)

    def series(self, name: str) -> list[Series]:
        """Return the series of a metric; not to be changed."""
        return self._index.get(name, [])

    def all_series(self) -> list[Series]:
        """Return the series of all metrics."""
        return [each for of in self._index.values() for each in of]

    @property
    def _index(self) -> dict[str, list[Series]]:
        """Series by metric: the store looks through all of them each time, a page asks for a hundred metrics."""
        fresh_until, sequence, index = self._by_name
        began = time.monotonic()
        if sequence != self.store.change.sequence and began >= fresh_until:
            index = {}
            sequence = self.store.change.sequence
            for each in self.store.series():
                index.setdefault(each.metric.name, []).append(each)
            now = time.monotonic()
            # At most a twentieth of the time goes into this, however many series there are.
            self._by_name = (now + 20 * (now - began), sequence, index)
        return index

    @property
    def gap_ns(self) -> int:
        """Distance of points from which on nothing is known between them."""
        made, gap = self._gap
        if time.monotonic() - made > 5:
            slowest = max((each.interval_s for each in self.store.senders()), default=0.0)
            gap = int(min(max(LEAST_GAP_S, 4 * slowest), 1_800.0) * SECOND)
            self._gap = (time.monotonic(), gap)
        return gap

    def births(self) -> Births:
        """Return when processes were first heard of; looked up every five seconds."""
        made, births = self._births
        if time.monotonic() - made > 5:
            births = Births.of(self.all_series())
            self._births = (time.monotonic(), births)
        return births

    def choose(self, name: str, terms: Iterable[Term] = ()) -> list[Series]:
        """
        Return the series of a metric for which a filter holds.

        A term about something that no series of the metric has is left out: `ignored` tells which.
        """
        chosen = self.series(name)
        for term in terms:
            if self._applies(term, chosen):
                chosen = [each for each in chosen if holds((term,), each.attributes, each.resource)]
        return chosen

    def fulfilled(self, name: str, terms: Sequence[Term]) -> bool:
        """Tell whether any series of a metric has what all terms ask for."""
        return any(holds(terms, each.attributes, each.resource) for each in self.series(name))

    def ignored(self, terms: Iterable[Term], names: Iterable[str]) -> list[Ignored]:
        """Return the terms that apply to none of these metrics, with the reason."""
        names = tuple(names)
        return [
            Ignored(term=term.text, reason=f"{term.key or term.value} is no label of these metrics: traces only")
            for term in terms
            if not any(self._applies(term, self.series(name)) for name in names)
        ]

    @staticmethod
    def _applies(term: Term, chosen: Sequence[Series]) -> bool:
        return bool(term.key) and any(look_up(term.key, each.attributes, each.resource) is not None for each in chosen)

    def read(
        self,
        kind: Kind,
        names: Sequence[str],
        by: Sequence[str],
        span: Span,
        terms: Sequence[Term] = (),
        only: Callable[[Series], bool] | None = None,
        mark: object = None,
    ) -> Groups:
        """
        Return groups over the steps of ``span``.

        Args:
            only: A further choice of series; ``mark`` has to tell one such function from another.

        The groups belong to the caller, the rows of their steps do not: they are not to be changed.
        """
        chosen = [each for name in names for each in self.choose(name, terms) if only is None or only(each)]
        if not chosen:
            return {}
        question = (kind, tuple(names), tuple(by), span.step_ns, tuple(terms), mark)
        with self._lock:
            kept = self._kept.get(question)
        answer = self._answer(kind, chosen, by, span, kept)
        with self._lock:
            self._kept[question] = answer
            self._kept.move_to_end(question)
            while len(self._kept) > self._keeps:
                self._kept.popitem(last=False)
        return _cut(answer, span)

    def _answer(self, kind: Kind, chosen: Sequence[Series], by: Sequence[str], span: Span, kept: _Kept | None) -> _Kept:
        began = time.monotonic()
        end, newest = span.first + span.count, max(each.id for each in chosen)
        latest = max(each.last_ns for each in chosen)
        final = min(end, max(span.first, int((span.now - max(LATE_S, self.gap_ns / SECOND / 3)) // span.step)))
        usable = (
            kept is not None
            and kept.first <= span.first <= kept.final
            and time.monotonic() - kept.made < KEPT_S
            and not any(each.id > kept.newest_series and each.first_ns < kept.final * span.step_ns for each in chosen)
        )
        if not usable or kept is None:
            found = self._compute(kind, chosen, by, span.first, end, span.step_ns)
            return _made(_Kept(span.first, end, final, found, newest, latest, began), began)
        begin = min(kept.final, end)
        # Nothing new, or it took long and was only just done: steps that it lacks at its end are not known yet.
        unchanged = latest == kept.latest_ns and newest == kept.newest_series
        if begin >= end or unchanged or (began < kept.fresh_until and end - kept.end <= 2):
            return kept
        found = self._compute(kind, chosen, by, begin, end, span.step_ns)
        joined = _join(kept, found, span.first, begin, end)
        if joined is None:
            found = self._compute(kind, chosen, by, span.first, end, span.step_ns)
            return _made(_Kept(span.first, end, final, found, newest, latest, began), began)
        return _made(_Kept(span.first, end, max(final, begin), joined, newest, latest, kept.made), began)

    def _compute(
        self, kind: Kind, chosen: Sequence[Series], by: Sequence[str], first: int, end: int, width: int
    ) -> Groups:
        edges = np.arange(first, end + 1, dtype=np.int64) * width
        if kind == "gauges":
            return groups.gauges(self.store, chosen, by, edges, self.gap_ns)
        read = groups.sums if kind == "sums" else groups.distributions
        return read(self.store, chosen, by, edges, self.gap_ns, self.births())


def _made(kept: _Kept, began: float) -> _Kept:
    now = time.monotonic()
    kept.fresh_until = now + min(LONGEST_FRESH_S, FRESH_TIMES * (now - began))
    return kept


def _join(kept: _Kept, found: Groups, first: int, begin: int, end: int) -> Groups | None:
    """Put new steps behind kept ones, which begin at ``first`` then; None if their buckets differ."""
    joined: Groups = {}
    for key in kept.groups.keys() | found.keys():
        old, new = kept.groups.get(key), found.get(key)
        some = new or old
        if some is None or (old is not None and new is not None and old.bounds != new.bounds):
            return None
        stride = some.rise.values.shape[1]
        parts = (
            _part(old.rise, first - kept.first, begin - kept.first) if old else Rise.nothing(begin - first, stride),
            new.rise if new else Rise.nothing(end - begin, stride),
        )
        joined[key] = replace(
            some,
            rise=Rise(np.concatenate([each.values for each in parts]), np.concatenate([each.known for each in parts])),
            first=min(each.first for each in (old, new) if each),
            last=max(each.last for each in (old, new) if each),
            every=some.every or (old.every if old else 0),
            series=max(each.series for each in (old, new) if each),
            inexact=any(each.inexact for each in (old, new) if each),
        )
    return joined


def _part(rise: Rise, begin: int, end: int) -> Rise:
    """Return some of the steps; those beyond the last are not known."""
    missing = end - max(begin, len(rise.known))
    part = Rise(rise.values[begin:end], rise.known[begin:end])
    if missing <= 0:
        return part
    more = Rise.nothing(missing, rise.values.shape[1])
    return Rise(np.concatenate((part.values, more.values)), np.concatenate((part.known, more.known)))


def _cut(kept: _Kept, span: Span) -> Groups:
    begin = span.first - kept.first
    return {key: replace(each, rise=_part(each.rise, begin, begin + span.count)) for key, each in kept.groups.items()}
