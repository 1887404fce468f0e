# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`job`: a background job."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time
from typing import Any, ParamSpec, TypeVar, overload

from otelkit import semconv
from otelkit._core._family import Definition
from otelkit._core._number_cells import GaugeCell
from otelkit.decorators._failures import ErrorTypes
from otelkit.decorators._labels import Labels
from otelkit.decorators.metered import Subject, checked_text, decorate, name_of
from otelkit.decorators.service import with_prefix
from otelkit.instruments.registry import default_registry

__all__ = ("job",)

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class _LastSuccess:
    """Notes when a run succeeded."""

    __slots__ = ("cell",)

    def __init__(self, cell: GaugeCell) -> None:
        self.cell = cell

    def __call__(self) -> None:
        self.cell.set(time())


@overload
def job(function: F, /) -> F: ...
@overload
def job(
    *,
    name: str | None = ...,
    prefix: str = ...,
    labels: Labels = ...,
    buckets: Iterable[float] | None = ...,
    record_error_if: Callable[[Any], Any] | None = ...,
    ignore: ErrorTypes | type[BaseException] = ...,
    traces: bool = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def job(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    prefix: str = "",
    labels: Labels = None,
    buckets: Iterable[float] | None = None,
    record_error_if: Callable[[Any], Any] | None = None,
    ignore: ErrorTypes | type[BaseException] = (),
    traces: bool = True,
) -> Any:
    """
    Record a background job.

    Records ``job.runs``, ``.active``, ``.failures``, ``.duration`` (s) and
    ``.last_success`` (Unix time, s) with the label ``job.name``, and a span.

    Args:
        name: Value of the label ``job.name``; by default the function's name.
        prefix, labels, buckets, record_error_if, ignore: As for `metered`.
        traces: False: no span.

    Raises:
        DeclarationError: On decoration, never on a call.
    """
    checked_text("@otelkit.job", name=name, prefix=prefix)
    metrics = with_prefix(prefix, semconv.JOB_RUNS, semconv.JOB_ACTIVE, semconv.JOB_FAILURES, semconv.JOB_DURATION)

    def subject_of(plain: Callable[..., Any]) -> Subject:
        job_name = name or getattr(plain, "__name__", "job")
        constants = ((semconv.JOB, job_name),)
        last = semconv.JOB_LAST_SUCCESS
        last = semconv.Metric(semconv.prefixed(prefix, last.name), last.kind, last.unit, last.description)
        default_registry.declare(last, None, f"@otelkit.job on {name_of(plain)}")
        cell: Any = default_registry.family(Definition("gauge", (last,), (), constants)).hold(())
        return Subject(
            metrics,
            constants,
            span=job_name if traces else None,
            labels=labels,
            buckets=buckets,
            record_error_if=record_error_if,
            ignore=ignore,
            after=_LastSuccess(cell),
        )

    def decorator(target: Any) -> Any:
        return decorate(target, subject_of, "otelkit.job")

    return decorator if function is None else decorator(function)
