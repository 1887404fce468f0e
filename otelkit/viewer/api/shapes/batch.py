# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Batches and jobs: will it finish, what waits, who is slow."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.finding import Finding, Headline, Status
from otelkit.viewer.api.shapes.heatmap import Histogram
from otelkit.viewer.api.shapes.line import Line, Quantile


class JobRow(msgspec.Struct, kw_only=True):
    """
    One task of a batch engine, or one ``@job``, over the range.

    Attributes:
        key: To be given back in the path.
        kind: batch: calls through an engine; job: runs of a decorated function.
        done, failed, cancelled, retries: In the range.
        running, pending: At its end; null if not reported.
        total: done + failed + cancelled + running + pending.
        waited, ran: p50 of queue time and of run time, in seconds.
        last_success: Unix seconds.
    """

    key: str
    name: str
    engine: str
    kind: Literal["batch", "job"]
    status: Status
    done: int
    failed: int
    cancelled: int
    retries: int
    running: int | None
    pending: int | None
    total: int
    waited: Quantile | None
    ran: Quantile | None
    workers: int | None
    last_success: float | None
    abnormal: list[str] = []


class Jobs(msgspec.Struct, kw_only=True):
    """All jobs, those with findings first, then by what is left to do, then by what was done."""

    range: Range
    headline: Headline
    jobs: list[JobRow]


class JobBlock(msgspec.Struct, kw_only=True):
    """
    One job, or one chunk of jobs, in a worker's lane: Unix seconds.

    Attributes:
        count: Jobs that it stands for where blocks were too narrow to be drawn alone.
    """

    start: float
    end: float
    failed: bool
    retry: bool
    straggler: bool
    count: int
    trace_id: str | None
    span_id: str | None


class Gap(msgspec.Struct, kw_only=True):
    """Time that a lane lost to a recycled or dead worker: Unix seconds."""

    start: float
    end: float
    label: str


class WorkerLane(msgspec.Struct, kw_only=True):
    """One worker; ``busy`` from 0 to 1, null where jobs were sampled, which makes it unknowable."""

    name: str
    status: Status
    busy: float | None
    blocks: list[JobBlock]
    gaps: list[Gap]


class Straggler(msgspec.Struct, kw_only=True):
    """One run longer than three medians; ``time`` in Unix seconds."""

    time: float
    duration: float
    worker: str
    trace_id: str
    span_id: str


class RunTime(msgspec.Struct, kw_only=True):
    """
    How long runs took.

    Attributes:
        threshold: Three medians, seconds.
        stragglers: Those whose spans are kept.
        straggler_count: All of them as the histogram has it, to a bucket's width; null without one.
    """

    histogram: Histogram
    p50: Quantile | None
    threshold: float | None
    stragglers: list[Straggler]
    straggler_count: int | None


class Pending(msgspec.Struct, kw_only=True):
    """
    What is left, and where that leads.

    Attributes:
        line: Jobs left, on the axis.
        left: At the end.
        fitted: Two points, [Unix seconds, jobs], of the line through the last third; null if nothing gets less.
        ends: Where that line reaches zero.
        usual_ends: The same with the usual pace; null if not known.
    """

    line: Line
    left: float
    fitted: list[tuple[float, float]] | None
    ends: float | None
    usual_ends: float | None


class Job(msgspec.Struct, kw_only=True):
    """
    One job's page.

    Attributes:
        lanes: From spans.
        lanes_note: "1 job in 10 shown", or why there are none.
        wait_run: p50 of wait, p50 and slowest of run, in seconds on the axis.
    """

    range: Range
    row: JobRow
    headline: Headline
    findings: list[Finding]
    lanes: list[WorkerLane]
    lanes_note: str
    run_time: RunTime | None
    pending: Pending | None
    wait_run: list[Line]
    error_types: dict[str, int]
