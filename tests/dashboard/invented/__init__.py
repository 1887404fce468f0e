# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - tables of data, in the typography of the pages
"""
Invented answers of the API, built with its own shapes: what no test machine has (two GPUs, a batch of 640).

One afternoon: checkout's payment provider slows down, a worker swaps, a GPU throttles.
"""

from __future__ import annotations

from typing import Any

from dashboard.invented.machines import MACHINE, the_host
from dashboard.invented.services import SERVICES, the_service
from dashboard.invented.shared import FINDINGS, NOW, USUAL, shown
from dashboard.invented.spans import moment, the_trace, traces
from dashboard.invented.surroundings import metrics, status, the_frame, the_health, the_metric
from dashboard.invented.work import JOBS, MODELS, job, model

from otelkit.viewer.api.shapes import batch, finding, health, host, inference, service, trace
from otelkit.viewer.api.shapes.overview import Overview


def overview() -> Overview:
    """Return the first page."""
    head = finding.Headline(
        text="Three things need a look",
        note="the other 22 signals are within their usual range",
        state="findings",
        judged=25,
    )
    return Overview(
        range=shown(),
        headline=head,
        findings=FINDINGS,
        services=SERVICES,
        inference=MODELS,
        batch=JOBS[:3],
        machine=MACHINE,
    )


def answer(path: str) -> Any:
    """Return what the API would say to ``path`` (below /api/v1), or None."""
    head, _, rest = path.partition("/")
    one = {
        "services": the_service,
        "traces": the_trace,
        "moments": moment,
        "inference": model,
        "batch": job,
        "hosts": the_host,
        "metrics": the_metric,
    }
    everything = {
        "frame": the_frame, "overview": overview, "traces": traces, "metrics": metrics, "otelkit": the_health, "status": status,
        "services": lambda: service.Services(range=shown(), headline=USUAL, services=SERVICES),
        "inference": lambda: inference.Models(range=shown(), headline=USUAL, models=MODELS),
        "batch": lambda: batch.Jobs(range=shown(), headline=job().headline, jobs=JOBS),
        "hosts": lambda: host.Hosts(range=shown(), headline=USUAL, hosts=[host.HostRow(machine=MACHINE, processes=19, status="warn", last_seen=NOW, stale=False)]),
        "complete": lambda: health.Suggestions(suggestions=[]),
        "cells": lambda: trace.Cell(count=2, of=114, traces=traces().rows[:3], excess=[trace.Excess(key="payment.provider", value="gw-eu-2", inside=0.96, outside=0.31)], note=""),
    }  # fmt: skip
    make = (one if rest else everything).get(head)
    return make() if make else None
