# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard of jobs and batches."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.choices import CHOSEN, choice, programs
from otelkit.dashboards.drawing import Drawing
from otelkit.dashboards.panel import Dashboard, Row
from otelkit.dashboards.promql import chosen, label, part_of, rate, series, total
from otelkit.dashboards.units import unit_of
from otelkit.exporters._prometheus_names import metric_name

__all__ = ("JOBS",)

_MATCHERS = (*CHOSEN, chosen(semconv.JOB, "job"))
_FAILED = 0.05

_NO_BATCH = "only programs whose batch engine is instrumented, or that report jobs by hand, have these"

# What both have, a run of a background job has without an engine.
_runs = Drawing(
    (*_MATCHERS, f'{label(semconv.BATCH_ENGINE)}=""'),
    by=(semconv.JOB,),
    empty="No @otelkit.job",
    may_be_empty="only programs with @otelkit.job have these",
)
_tasks = Drawing(
    (*_MATCHERS, f'{label(semconv.BATCH_ENGINE)}!=""'),
    by=(semconv.BATCH_ENGINE, semconv.JOB),
    empty="No batch engine reports",
    may_be_empty=_NO_BATCH,
)
_batches = Drawing(CHOSEN, by=(semconv.BATCH_ENGINE,), empty="No batch engine reports", may_be_empty=_NO_BATCH)


def _failed_runs() -> str:
    failures, runs = (
        total(rate(metric, *_MATCHERS), semconv.JOB) for metric in (semconv.JOB_FAILURES, semconv.JOB_RUNS)
    )
    return part_of(failures, runs)


def _failed_tasks() -> str:
    def of(*statuses: str) -> str:
        which = f'{label(semconv.STATUS)}=~"{"|".join(statuses)}"'
        return total(rate(semconv.JOB_STATUS, *_MATCHERS, which), semconv.BATCH_ENGINE, semconv.JOB)

    return part_of(of("failed"), of("completed", "failed", "cancelled"))


_BACKGROUND = Row(
    "Background jobs",
    (
        _runs.rate(semconv.JOB_RUNS, "Runs", "Runs started per second.", width=8),
        _runs.panel("Failed", "Share of the runs that failed.", "percentunit", _failed_runs(), width=8, limit=_FAILED),
        _runs.panel(
            "Since the last success", "What only rises has stopped succeeding, or running.",
            unit_of(semconv.JOB_LAST_SUCCESS),
            f"time() - {total(series(semconv.JOB_LAST_SUCCESS, *_MATCHERS), semconv.JOB, how='max')}", width=8,
        ),
        _runs.quantile(semconv.JOB_DURATION, "Duration, p95", "95 of 100 runs are over within this time.", width=8),
        _runs.level(
            semconv.JOB_ACTIVE, "Running", "Runs that are started and not yet ended.", kind="stacked", width=8,
        ),
        _runs.rate(
            semconv.JOB_FAILURES, "Failed runs by type", "Runs of background jobs that failed, per second, by class.",
            semconv.ERROR_TYPE, width=8, empty="No errors",
        ),
    ),
)  # fmt: skip

_BATCHES = Row(
    "Batches",
    (
        _batches.rate(semconv.BATCH_CREATED, "Batches", "Batches handed to an engine, per second.", width=8),
        _batches.mean(semconv.BATCH_SIZE, "Jobs a batch", "Mean number of jobs in a batch.", width=8),
        _batches.level(semconv.BATCH_WORKERS, "Workers", "Workers that an engine has.", kind="stacked", width=8),
        _tasks.rate(
            semconv.JOB_STATUS, "Jobs by status",
            "How many jobs a second came to be submitted, running, completed, ...",
            semconv.STATUS,
        ),
        _tasks.panel(
            "Failed jobs", "Share of the jobs ended that failed.", "percentunit", _failed_tasks(), limit=_FAILED,
        ),
        _tasks.level(
            semconv.JOB_PENDING, "Waiting", "Jobs submitted and not yet started. What only rises: too few workers.",
            kind="stacked",
        ),
        _tasks.level(semconv.JOB_ACTIVE, "Running", "Jobs that are started and not yet ended.", kind="stacked"),
        _tasks.quantile(semconv.JOB_QUEUE_TIME, "Queue time, p95", "From a job's submission to its start."),
        _tasks.quantile(semconv.JOB_DURATION, "Job duration, p95", "95 of 100 jobs are over within this time."),
        _tasks.rate(
            semconv.JOB_ERRORS, "Errors by type", "Jobs per second that failed, by class.", semconv.ERROR_TYPE,
            empty="No errors",
        ),
        _tasks.rate(
            semconv.JOB_RETRIES, "Retries", "Jobs per second that were given back to be run again.", empty="No retries",
        ),
    ),
)  # fmt: skip

_ANY = f'{{__name__=~"{metric_name(semconv.JOB_RUNS)}|{metric_name(semconv.JOB_STATUS)}"}}'

JOBS = Dashboard(
    "otelkit-jobs",
    "Batch and Jobs",
    "Background jobs, batches and their workers: what runs, waits, fails and takes long.",
    (*programs(_ANY), choice("job", "Job", semconv.JOB, _ANY)),
    (_BACKGROUND, _BATCHES),
)
