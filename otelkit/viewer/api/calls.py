# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of actions: requests, errors, what is active and how long they took, whoever measured them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import add

from otelkit import semconv
from otelkit.viewer.analysis import buckets
from otelkit.viewer.api import families
from otelkit.viewer.api.families import Family, Source
from otelkit.viewer.api.filters import SERVICE_KEYS, Term
from otelkit.viewer.api.groups import Group, Steps
from otelkit.viewer.api.reader import Reader
from otelkit.viewer.api.shapes.axis import Ignored
from otelkit.viewer.api.timing import SECOND, Span

Row = list["float | None"]


@dataclass(slots=True)
class Calls:
    """
    Calls of one action, or of several added up, on the steps of a span.

    Attributes:
        started: How many in each step; where only durations were sent, how many ended.
        errors: The same of those that failed, by error type.
        active: In flight.
        bounds: Of the buckets, in seconds; None without durations.
        durations: Counts by bucket in each step, and the sum of seconds last.
        failed: The same of failed calls.
        first: From when on they are known, nanoseconds.
        last: Time of the latest point.
        every: Nanoseconds between points.
        key: Values of the family's labels; empty for several actions.
    """

    service: str
    action: str
    label: str
    source: Source
    family: Family
    size: int
    started: Steps = field(default_factory=list)
    errors: dict[str, Steps] = field(default_factory=dict)
    active: Steps = field(default_factory=list)
    bounds: buckets.Bounds | None = None
    durations: Steps = field(default_factory=list)
    failed: Steps = field(default_factory=list)
    first: int = 0
    last: int = 0
    every: int = 0
    inexact: bool = False
    key: tuple[str, ...] = ()

    @property
    def requests(self) -> Row:
        """How many began in each step, None where nothing is known."""
        if self.started:
            return [each[0] if each is not None else None for each in self.started]
        return self.ended

    @property
    def ended(self) -> Row:
        """How many ended in each step: what quantiles and shares are of."""
        return [sum(each[:-1]) if each is not None else None for each in self.durations] or [None] * self.size

    @property
    def failures(self) -> Row:
        """How many failed in each step."""
        total: Row = [0.0 if each is not None else None for each in self.requests]
        for steps in self.errors.values():
            for index, each in enumerate(steps):
                if each is not None:
                    total[index] = (total[index] or 0.0) + each[0]
        return total

    @property
    def shares(self) -> Row:
        """Share of calls that failed, 0 to 1, in each step; None where none ended."""
        ended = self.ended if self.durations else self.requests
        return [
            min(1.0, (failed or 0.0) / count) if count else None
            for failed, count in zip(self.failures, ended, strict=True)
        ]

    @property
    def active_row(self) -> Row:
        """In flight, at each step."""
        return [each[0] if each is not None else None for each in self.active]

    def quantile(self, share: float, only_failed: bool = False) -> tuple[buckets.Reading | None, int]:
        """Return a quantile over all steps, and of how many calls it is."""
        whole = total(self.failed if only_failed else self.durations)
        if whole is None or self.bounds is None:
            return None, 0
        counts = whole[:-1]
        return buckets.quantile(self.bounds, counts, share), round(sum(counts))

    def quantiles(self, share: float, only_failed: bool = False) -> Row:
        """Return a quantile in each step, where there is at least half a call."""
        rows: Row = []
        for each in self.failed if only_failed else self.durations:
            reading = None
            if each is not None and self.bounds is not None and sum(each[:-1]) >= 0.5:
                reading = buckets.quantile(self.bounds, each[:-1], share)
            rows.append(reading.value if reading is not None else None)
        return rows or [None] * self.size

    def mean(self) -> float | None:
        """Return the mean over all steps, in seconds."""
        whole = total(self.durations)
        if whole is None or (count := sum(whole[:-1])) < 0.5:
            return None
        return whole[-1] / count


def total(steps: Steps) -> array[float] | None:
    """Return the sum of all steps, or None if nothing is known of any."""
    result: array[float] | None = None
    for each in steps:
        if each is not None:
            result = each if result is None else plus(result, each)
    return result


def read(reader: Reader, span: Span, terms: Sequence[Term] = ()) -> list[Calls]:
    """Return the calls of every action that anybody measured, in no order."""
    by_row, by_label = _divide(terms)
    owners = _owners(reader)
    found: dict[tuple[str, str, Family], Calls] = {}
    for family in families.find(reader.names()):
        for each in _of_family(reader, family, span, by_label, owners):
            known = found.get((each.service, each.action, family))
            found[each.service, each.action, family] = (
                each if known is None else together([known, each], each.action, each.label)
            )
    return [each for each in found.values() if _wanted(each, by_row)]


def keys_of(calls: Calls) -> set[tuple[str, ...]]:
    """Return the values of the family's labels that make these calls."""
    return {calls.key}


def label_terms(terms: Sequence[Term]) -> list[Term]:
    """Return the terms that are about labels, and not about rows."""
    return _divide(terms)[1]


def ignored(reader: Reader, terms: Sequence[Term]) -> list[Ignored]:
    """Return the terms about labels that no metric of calls has."""
    names = [name for family in families.find(reader.names()) for name in family.names]
    return reader.ignored(label_terms(terms), names)


def _divide(terms: Sequence[Term]) -> tuple[list[Term], list[Term]]:
    """Part the terms about rows (service, action, bare words) from those about labels."""
    rows = [each for each in terms if not each.key or each.key in (*SERVICE_KEYS, semconv.ACTION)]
    return rows, [each for each in terms if each not in rows]


def _wanted(calls: Calls, terms: Iterable[Term]) -> bool:
    for term in terms:
        if not term.key:
            if not (term.accepts(calls.service) or term.accepts(calls.label)):
                return False
        elif not term.accepts(calls.action if term.key == semconv.ACTION else calls.service):
            return False
    return True


def _owners(reader: Reader) -> dict[str, str]:
    """Name the @service of programs that have just one: their events belong to it."""
    services: dict[str, set[str]] = {}
    for family in families.find(reader.names()):
        if family.source == "service":
            for series in reader.choose(family.requests):
                services.setdefault(series.service, set()).add(str(series.attributes.get(semconv.SERVICE, "")))
    return {program: next(iter(names)) for program, names in services.items() if len(names) == 1}


def _of_family(
    reader: Reader, family: Family, span: Span, terms: Sequence[Term], owners: dict[str, str]
) -> list[Calls]:
    found: dict[tuple[str, ...], Calls] = {}

    def of(key: tuple[str, ...], group: Group) -> Calls:
        calls = found.get(key)
        if calls is None:
            service, action, label = families.named_after(family, key)
            if family.source in ("event", "publisher", "named"):
                service = owners.get(service, service)
            calls = found[key] = Calls(service, action, label, family.source, family, span.count, key=key)
        calls.first = min(calls.first or group.first, group.first)
        calls.last = max(calls.last, group.last)
        calls.every = max(calls.every, group.every)
        calls.inexact |= group.inexact
        return calls

    width = len(family.labels)
    if family.requests:
        for key, group in reader.read("sums", (family.requests,), family.labels, span, terms).items():
            of(key, group).started = group.steps
    if family.active:
        for key, group in reader.read("gauges", (family.active,), family.labels, span, terms).items():
            of(key, group).active = group.steps
    if family.errors:
        labels = (*family.labels, semconv.ERROR_TYPE)
        for key, group in reader.read("sums", (family.errors,), labels, span, terms).items():
            of(key[:width], group).errors[key[width] or "error"] = group.steps
    if family.duration:
        labels = (*family.labels, *family.failing)
        for key, group in reader.read("distributions", (family.duration,), labels, span, terms).items():
            _add_durations(of(key[:width], group), group, key[width:], counted=bool(family.errors or family.requests))
    return list(found.values())


def _add_durations(calls: Calls, group: Group, failing: tuple[str, ...], counted: bool) -> None:
    error = _error(failing)
    bounds = group.bounds or ()
    steps = group.steps
    if calls.bounds is None:
        calls.bounds = bounds
        calls.durations = [None] * calls.size
        calls.failed = [None] * calls.size
    elif calls.bounds != bounds:
        steps = rebucketed(steps, bounds, calls.bounds)
        calls.inexact = True
    merge(calls.durations, steps)
    if error:
        merge(calls.failed, steps)
        if not counted:
            count: Steps = [array("d", (sum(each[:-1]),)) if each is not None else None for each in steps]
            merge(calls.errors.setdefault(error, [None] * calls.size), count)


def _error(failing: tuple[str, ...]) -> str:
    """Name the error of a call from its labels, or return nothing for one that went well."""
    error, *status = failing
    if not error and status and status[0].isdigit() and int(status[0]) >= families.FAILED_STATUS:
        return status[0]
    return error


def rebucketed(steps: Steps, bounds: buckets.Bounds, target: buckets.Bounds) -> Steps:
    """Bring counts, whose last number is the sum, to other bounds."""
    return [
        None if each is None else array("d", [*buckets.rebucket(bounds, each[:-1], target), each[-1]]) for each in steps
    ]


def plus(left: array[float], right: array[float]) -> array[float]:
    """Return the sum, number by number."""
    return array("d", map(add, left, right))


def merge(into: Steps, more: Steps) -> None:
    """Add other steps of the same axis; what only one of them knows stays known."""
    for step, row in enumerate(more):
        if row is not None:
            known = into[step]
            into[step] = row if known is None else plus(known, row)


def together(parts: Sequence[Calls], action: str = "", label: str = "") -> Calls:
    """Add several actions of a service up; the buckets are those of the busiest."""
    first = parts[0]
    size = first.size
    result = Calls(first.service, action, label, first.source, first.family, size)
    with_bounds = [each for each in parts if each.bounds is not None]
    if with_bounds:
        busiest = max(with_bounds, key=lambda each: sum((total(each.durations) or [0.0])[:-1]))
        result.bounds = busiest.bounds
        result.durations, result.failed = [None] * size, [None] * size
    result.started = [None] * size
    for each in parts:
        _merge_numbers(result, each)
        if each.bounds is not None and result.bounds is not None:
            same = each.bounds == result.bounds
            result.inexact |= each.inexact or not same
            for into, steps in ((result.durations, each.durations), (result.failed, each.failed)):
                merge(into, steps if same else rebucketed(steps, each.bounds, result.bounds))
    return result


def _merge_numbers(into: Calls, part: Calls) -> None:
    started: Steps = [array("d", (each,)) if each is not None else None for each in part.requests]
    merge(into.started, started)
    for kind, steps in part.errors.items():
        merge(into.errors.setdefault(kind, [None] * into.size), steps)
    if part.active:
        into.active = into.active or [None] * into.size
        merge(into.active, part.active)
    into.first = min(into.first or part.first, part.first)
    into.last = max(into.last, part.last)
    into.every = max(into.every, part.every)


def mean_rate(row: Row, span: Span, first: int, last: int) -> float | None:
    """Return the rate a second over the part of the range that is known."""
    known = [index for index, each in enumerate(row) if each is not None]
    if not known:
        return None
    width = span.step_ns
    left = max(span.from_ns + known[0] * width, first)
    right = min(span.from_ns + (known[-1] + 1) * width, last)
    total_ = sum(each for each in row if each is not None)
    return total_ / ((right - left) / SECOND) if right > left else None


def rates(row: Row, span: Span, last: int, first: int = 0) -> Row:
    """
    Return a row of counts as rates a second.

    The first and the last step count for the part that was reported, if that is at least half of it.
    """
    width = span.step_ns
    result: Row = list(row)
    for index, value in enumerate(row):
        if value is None:
            continue
        left = span.from_ns + index * width
        covered = min(left + width, last) - max(left, first)
        result[index] = value / (covered / SECOND) if covered >= width / 2 else None
    return result
