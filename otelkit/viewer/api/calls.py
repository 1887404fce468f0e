# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Calls of actions: requests, errors, what is active and how long they took, whoever measured them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from otelkit import semconv
from otelkit.viewer.analysis import buckets
from otelkit.viewer.analysis.curve import Rise
from otelkit.viewer.api import families
from otelkit.viewer.api.families import Family, Source
from otelkit.viewer.api.filters import SERVICE_KEYS, Term
from otelkit.viewer.api.groups import Group, Steps, rebucketed, steps_of
from otelkit.viewer.api.reader import Reader
from otelkit.viewer.api.shapes.axis import Ignored
from otelkit.viewer.api.timing import SECOND, Span

Row = list["float | None"]


@dataclass(slots=True)
class Calls:
    """
    Calls of one action, or of several added up, on the steps of a span.

    Attributes:
        began: How many in each step; None where only durations were sent.
        errors: The same of those that failed, by error type.
        in_flight: How many; None where that was not sent.
        bounds: Of the buckets, in seconds; None without durations.
        took: Counts by bucket in each step, and the sum of seconds last.
        took_failed: The same of failed calls.
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
    began: Rise | None = None
    errors: dict[str, Rise] = field(default_factory=dict)
    in_flight: Rise | None = None
    bounds: buckets.Bounds | None = None
    took: Rise | None = None
    took_failed: Rise | None = None
    first: int = 0
    last: int = 0
    every: int = 0
    inexact: bool = False
    key: tuple[str, ...] = ()

    @property
    def requests(self) -> Row:
        """How many began in each step, None where nothing is known; where only durations were sent, how many ended."""
        return row_of(self.began) if self.began is not None else self.ended

    @property
    def ended(self) -> Row:
        """How many ended in each step: what quantiles and shares are of."""
        if self.took is None:
            return [None] * self.size
        return row_of(Rise(self.took.values[:, :-1].sum(axis=1)[:, None], self.took.known))

    @property
    def failures(self) -> Row:
        """How many failed in each step."""
        found: Row = [0.0 if each is not None else None for each in self.requests]
        for rise in self.errors.values():
            for index, each in enumerate(row_of(rise)):
                if each is not None:
                    found[index] = (found[index] or 0.0) + each
        return found

    @property
    def shares(self) -> Row:
        """Share of calls that failed, 0 to 1, in each step; None where none ended."""
        ended = self.ended if self.took is not None else self.requests
        return [
            min(1.0, (failed or 0.0) / count) if count else None
            for failed, count in zip(self.failures, ended, strict=True)
        ]

    @property
    def active(self) -> Row:
        """In flight, at each step."""
        return row_of(self.in_flight) if self.in_flight is not None else [None] * self.size

    @property
    def durations(self) -> Steps:
        """Counts by bucket in each step, and the sum last."""
        return steps_of(self.took) if self.took is not None else [None] * self.size

    @property
    def failed(self) -> Steps:
        """The same of failed calls."""
        return steps_of(self.took_failed) if self.took_failed is not None else [None] * self.size

    def counts(self, only_failed: bool = False) -> list[float]:
        """Return counts by bucket over all steps; empty without any."""
        rise = self.took_failed if only_failed else self.took
        return rise.values[:, :-1].sum(axis=0).tolist() if rise is not None and rise.known.any() else []

    def quantile(self, share: float, only_failed: bool = False) -> tuple[buckets.Reading | None, int]:
        """Return a quantile over all steps, and of how many calls it is."""
        counts = self.counts(only_failed)
        if not counts or self.bounds is None:
            return None, 0
        return buckets.quantile(self.bounds, counts, share), round(sum(counts))

    def quantiles(self, share: float, only_failed: bool = False) -> Row:
        """Return a quantile in each step, where there is at least half a call."""
        rows: Row = []
        for each in self.failed if only_failed else self.durations:
            reading = None
            if each is not None and self.bounds is not None and sum(each[:-1]) >= 0.5:
                reading = buckets.quantile(self.bounds, each[:-1], share)
            rows.append(reading.value if reading is not None else None)
        return rows


def total(steps: Steps) -> array[float] | None:
    """Return the sum of all steps, or None if nothing is known of any."""
    known = [each for each in steps if each is not None]
    return array("d", map(sum, zip(*known, strict=True))) if known else None


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
            if family.source in ("event", "publisher"):
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
            of(key, group).began = group.rise
    if family.active:
        for key, group in reader.read("gauges", (family.active,), family.labels, span, terms).items():
            of(key, group).in_flight = group.rise
    if family.errors:
        labels = (*family.labels, semconv.ERROR_TYPE)
        for key, group in reader.read("sums", (family.errors,), labels, span, terms).items():
            of(key[:width], group).errors[key[width] or "error"] = group.rise
    if family.duration:
        labels = (*family.labels, *family.failing)
        for key, group in reader.read("distributions", (family.duration,), labels, span, terms).items():
            _add_durations(of(key[:width], group), group, key[width:], counted=bool(family.errors or family.requests))
    return list(found.values())


def _add_durations(calls: Calls, group: Group, failing: tuple[str, ...], counted: bool) -> None:
    error = _error(failing)
    bounds, rise = group.bounds or (), group.rise
    if calls.bounds is None:
        calls.bounds = bounds
    elif calls.bounds != bounds:
        rise = rebucketed(rise, bounds, calls.bounds)
        calls.inexact = True
    calls.took = sum_of(calls.took, rise)
    if error:
        calls.took_failed = sum_of(calls.took_failed, rise)
        if not counted:
            count = Rise(rise.values[:, :-1].sum(axis=1)[:, None], rise.known)
            calls.errors[error] = sum_of(calls.errors.get(error), count)


def _error(failing: tuple[str, ...]) -> str:
    """Name the error of a call from its labels, or return nothing for one that went well."""
    error, *status = failing
    if not error and status and status[0].isdigit() and int(status[0]) >= families.FAILED_STATUS:
        return status[0]
    return error


def sum_of(known: Rise | None, more: Rise) -> Rise:
    """Return the sum; neither is changed."""
    if known is None:
        return more
    return Rise(known.values + more.values, known.known | more.known)


def together(parts: Sequence[Calls], action: str = "", label: str = "") -> Calls:
    """Add several actions of a service up; the buckets are those of the busiest."""
    first = parts[0]
    result = Calls(first.service, action, label, first.source, first.family, first.size)
    with_bounds = [each for each in parts if each.bounds is not None]
    if with_bounds:
        result.bounds = max(with_bounds, key=lambda each: sum(each.counts())).bounds
    for each in parts:
        _merge_numbers(result, each)
        if each.bounds is None or result.bounds is None:
            continue
        same = each.bounds == result.bounds
        result.inexact |= each.inexact or not same
        for name in ("took", "took_failed"):
            rise: Rise | None = getattr(each, name)
            if rise is not None:
                fitting = rise if same else rebucketed(rise, each.bounds, result.bounds)
                setattr(result, name, sum_of(getattr(result, name), fitting))
    return result


def _merge_numbers(into: Calls, part: Calls) -> None:
    began = part.began
    if began is None and part.took is not None:
        began = Rise(part.took.values[:, :-1].sum(axis=1)[:, None], part.took.known)
    if began is not None:
        into.began = sum_of(into.began, began)
    for kind, rise in part.errors.items():
        into.errors[kind] = sum_of(into.errors.get(kind), rise)
    if part.in_flight is not None:
        into.in_flight = sum_of(into.in_flight, part.in_flight)
    into.first = min(into.first or part.first, part.first)
    into.last = max(into.last, part.last)
    into.every = max(into.every, part.every)


def row_of(rise: Rise) -> Row:
    """Return the first number of each step, None where nothing is known."""
    return [
        value if known else None for value, known in zip(rise.values[:, 0].tolist(), rise.known.tolist(), strict=True)
    ]


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
