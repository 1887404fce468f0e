# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Findings that are not about services: each where it holds, and none where it does not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from support.viewer import SECOND_NS, Viewer, histogram, metrics, number

from otelkit.viewer.api import Api
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.parameters import Window

BOUNDS = (1.0, 5.0, 10.0, 20.0, 60.0, 120.0)
STEP_S = 5


class Told:
    """A viewer that is sent what a process did in the last minutes, and asked what it finds."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.end_ns = time.time_ns()

    def send(self, ago_s: float, *given: Any, name: str = "shop", instance: str = "shop-1") -> None:
        """Send a report of so many seconds ago."""
        resource = {"service.name": name, "service.instance.id": instance}
        for metric in given:
            data = getattr(metric, metric.WhichOneof("data"))
            for point in data.data_points:
                point.time_unix_nano = self.end_ns - int(ago_s * SECOND_NS)
        assert self.viewer.post("/v1/metrics", metrics(*given, resource=resource)).status == 200

    def findings(self) -> dict[str, str]:
        """Return kind and sentence of every finding."""
        api = Api(self.viewer.store)
        try:
            span = api.context.span(Window(from_="-10m"), 60)
            found = verdict.find(api.context, span)
        finally:
            api.close()
        return {each.kind: "".join(part.text for part in each.sentence).replace("\u2009", " ") for each in found}


@pytest.fixture
def told(viewer: Viewer) -> Told:
    """Nothing was told yet."""
    return Told(viewer)


def test_nothing_is_found_in_nothing(told: Told) -> None:
    """Nor in a process that only began."""
    assert told.findings() == {}
    told.send(1, number("service.requests", 5, {"service": "s", "action": "a"}))
    assert told.findings() == {}


def test_lost_telemetry_is_found(told: Told) -> None:
    """What was dropped, how much, and why."""
    for step in range(10):
        lost = {"otelkit.metric": "spans", "otelkit.reason": "the Collector refuses them (401)"}
        told.send(60 - step * STEP_S, number("otelkit.dropped", 120 * step, lost), number("otelkit.failures", 0))
    found = told.findings()
    assert "1 080 of them spans: the Collector refuses them (401)" in found["lost"].replace("\u202f", " ")


def test_what_was_refused_here_is_found(told: Told) -> None:
    """It is counted by the viewer itself."""
    told.viewer.post("/v1/metrics", b"no protobuf at all")
    assert "refused here" in told.findings()["lost"]


def test_memory_that_fills_up_is_found(told: Told) -> None:
    """Only if it is more than half full, and rises all the way."""
    for step in range(60):
        used = (40 + step) * 2**30
        told.send(
            300 - step * STEP_S,
            number("system.memory.usage", used, {"system.memory.state": "used"}, kind="gauge"),
            number("system.memory.limit", 128 * 2**30, kind="gauge"),
        )
    assert "Memory is full in about" in told.findings()["full"]


def test_memory_that_stays_is_not_found(told: Told) -> None:
    """However much it is."""
    for step in range(60):
        told.send(
            300 - step * STEP_S,
            number("system.memory.usage", 120 * 2**30, {"system.memory.state": "used"}, kind="gauge"),
            number("system.memory.limit", 128 * 2**30, kind="gauge"),
        )
    assert told.findings() == {}


def test_stragglers_are_found(told: Told) -> None:
    """Runs beyond three medians and ten seconds; those in a bucket that begins before are not counted."""
    labels = {"batch.engine": "joblib", "job.name": "score"}
    for step in range(12):
        told.send(60 - step * STEP_S, histogram("job.duration", BOUNDS, [0, 50 * step, 0, 0, step, 0, 0], labels))
    found = told.findings()["stragglers"]
    assert found.startswith("11 of 561 runs take longer than 10.0 s, the median is")


def test_a_job_that_only_fails_is_found(told: Told) -> None:
    """Every run of the range, and as what; one that also succeeds is not."""
    failing, mixed = {"job.name": "cleanup"}, {"job.name": "mail"}
    error = {"error.type": "TimeoutError"}
    for step in range(12):
        told.send(
            60 - step * STEP_S,
            number("job.runs", step, failing),
            number("job.failures", step, failing | error),
            histogram("job.duration", BOUNDS, [step, 0, 0, 0, 0, 0, 0], failing | error),
            number("job.runs", 2 * step, mixed),
            number("job.failures", step, mixed | error),
            histogram("job.duration", BOUNDS, [step, 0, 0, 0, 0, 0, 0], mixed),
        )
    assert told.findings() == {"failing": "All 11 runs that ended in this range failed, all as TimeoutError."}


def test_a_queue_that_only_grows_is_found(told: Told) -> None:
    """While nothing more is active."""
    labels = {"batch.engine": "celery", "job.name": "mail"}
    for step in range(60):
        told.send(
            300 - step * STEP_S,
            number("job.pending", 10 + 5 * step, labels, kind="gauge"),
            number("job.active", 4, labels, kind="gauge"),
        )
    assert "are pending" in told.findings()["stuck"]


def test_a_process_that_starts_over_and_over_is_found(told: Told) -> None:
    """One after the other; several at once are a pool."""
    for life in range(4):
        for step in range(3):
            told.send(300 - life * 60 - step * STEP_S, number("orders", step), instance=f"worker-{life}")
    assert "Started 4 times" in told.findings()["crash_loop"]


def test_a_pool_is_no_crash_loop(told: Told) -> None:
    """Eight workers that start together."""
    for worker in range(8):
        for step in range(3):
            told.send(60 - step * STEP_S, number("orders", step), instance=f"worker-{worker}")
    assert told.findings() == {}
