# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The cell of one engine's job: a call cell, and ticks for what befalls a job outside of its call.

The process that runs a job ticks and appends as for any call; the process that
submitted it, the same one or another, ticks ``submitted``, ``left`` and
``cancelled``. Statuses, active, pending, errors and durations are derived when
somebody reads. In a process that only submits, no job ever runs, and the
reverse: what never happened has no series.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as ticks
from typing import Any

from otelkit import semconv
from otelkit._core._call_cell import ERROR_TYPES, OTHER_ERROR, CallCell, FailureCell
from otelkit._core._cell import ticked
from otelkit._core._family import CallFamily, Definition, Family
from otelkit._core._snapshot import Attributes, Metric, NumberPoint
from otelkit._core._store import FAMILIES
from otelkit.instruments.registry import default_registry

METRICS = (
    semconv.JOB_STATUS,
    semconv.JOB_ACTIVE,
    semconv.JOB_PENDING,
    semconv.JOB_RETRIES,
    semconv.JOB_ERRORS,
    semconv.JOB_DURATION,
)

RETRIED = "retried"


def _retried(error_type: str) -> str:
    """Return the key of calls that are to be run again because of ``error_type``; no class has such a name."""
    return f"retried {error_type}"


class JobCell(CallCell):
    """
    All jobs of one name that one engine got.

    Attributes:
        submitted, left, cancelled, retried: How often; ``left`` counts jobs that left the queue, whatever for.
        sent: Of those submitted, how many went to where this process cannot follow them: never pending here.
        received: Jobs that came through a broker from a process that counts them as submitted: pending here.
        lost: Jobs, by error type, that failed without a call that could have told of it.
    """

    __slots__ = ("cancelled", "derived", "left", "lost", "received", "retried", "sent", "submitted")

    def reset(self) -> None:
        super().reset()
        self.submitted = ticks(1)
        self.sent = ticks(1)
        self.received = ticks(1)
        self.left = ticks(1)
        self.cancelled = ticks(1)
        self.retried = ticks(1)
        self.lost: dict[str, ticks[int]] = {}
        self.derived: tuple[Attributes | None, dict[str, Attributes]] = (None, {})

    def lose(self, error_type: str) -> None:
        """Count a job that failed without a call."""
        known = self.failure(error_type).attributes[semconv.ERROR_TYPE]
        lost = self.lost.get(known)
        if lost is None:
            lost = self.lost.setdefault(known, ticks(1))  # atomic: of two, both get the one that was first
        next(lost)

    def retry(self, error_type: str) -> FailureCell:
        """Return the cell for calls that end with ``error_type``, no error, because they are to be run again."""
        failures = self.failures or {}
        if len(failures) >= ERROR_TYPES and _retried(error_type) not in failures:
            error_type = OTHER_ERROR
        known = failures.get(_retried(error_type))
        return self._create_retry(error_type) if known is None else known

    def _create_retry(self, error_type: str) -> FailureCell:
        with self.family.lock:
            if self.failures is None:
                self.failures = {}
            attributes = Attributes({**self.attributes, semconv.ERROR_TYPE: error_type, semconv.STATUS: RETRIED})
            cell = FailureCell(self.family, self.key, attributes, True)
            return self.failures.setdefault(_retried(error_type), cell)

    def job_points(self, now_ns: int, reader: int | None) -> tuple[list[Any], ...]:
        """Return the points of `METRICS`."""
        cancelled, lost = ticked(self.cancelled), {kind: ticked(tick) for kind, tick in list(self.lost.items())}
        left, retried = ticked(self.left), ticked(self.retried)
        started, active, errors, durations = self.points(now_ns, reader)
        failures = list((self.failures or {}).values())
        cancelled += sum(each.count for each in failures if each.cancelled and semconv.STATUS not in each.attributes)
        errors = [
            point._replace(value=point.value + lost.get(point.attributes[semconv.ERROR_TYPE], 0)) for point in errors
        ]
        submitted = ticked(self.submitted)  # last: what was submitted meanwhile is pending, never the reverse
        numbers = (submitted, started.value, self.count, sum(each.value for each in errors), retried, cancelled)
        statuses = [
            self._of(status, now_ns, number) for status, number in zip(semconv.STATUSES, numbers, strict=True) if number
        ]
        queued = submitted + ticked(self.received) - ticked(self.sent)
        pending = [self._plain(now_ns, max(0, queued - left))] if queued > 0 else []
        retries = [self._plain(now_ns, retried)] if retried else []
        errors = [point for point in errors if point.value]
        return statuses, [active] if started.value else [], pending, retries, errors, list(durations)

    def _plain(self, now_ns: int, value: float) -> NumberPoint:
        return NumberPoint(self.attributes, self.start_ns, now_ns, value)

    def _of(self, status: str, now_ns: int, value: float) -> NumberPoint:
        attributes = self.attributes
        base, derived = self.derived
        if base is not attributes:
            derived = {}
            self.derived = (attributes, derived)
        known = derived.get(status)
        if known is None:
            known = derived.setdefault(status, Attributes({**attributes, semconv.STATUS: status}))
        return NumberPoint(known, self.start_ns, now_ns, value)


class JobFamily(CallFamily):
    """Cells of jobs."""

    cell_type = JobCell

    def __reduce__(self) -> tuple[Any, ...]:
        # By a function of this module: another process may not have loaded it, and would not know the kind.
        return family_of, (self.definition,)

    def points(self, now_ns: int, reader: int | None) -> list[tuple[Metric, list[Any]]]:
        found: tuple[list[Any], ...] = tuple([] for _ in METRICS)
        for cell in self:
            for known, more in zip(found, cell.job_points(now_ns, reader), strict=True):  # type: ignore[attr-defined]
                known.extend(more)
        return [
            (metric, points)
            for metric, points in zip(METRICS, found, strict=True)
            if metric.name not in self.options.hidden
        ]


FAMILIES["job"] = JobFamily


def family_of(definition: Definition) -> Family[Any]:
    """Return the family of ``definition`` in this process, created if need be."""
    restore: Callable[[Definition], Family[Any]] = default_registry._restore
    return restore(definition)


def create_family() -> JobFamily:
    """Return the one family of all engines' jobs."""
    for metric in METRICS:
        default_registry.declare(metric, None, "otelkit.jobs")
    definition = Definition("job", METRICS, (semconv.BATCH_ENGINE, semconv.JOB))
    return default_registry.family(definition)  # type: ignore[return-value]
