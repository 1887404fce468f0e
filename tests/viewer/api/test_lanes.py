# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Lanes of a job's workers: a process that took another one's place goes on in its lane."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from support.viewer import SECOND_NS, Viewer, metrics, number, span, traces
from support.viewer_shop import Shop

JOB = {"batch.engine": "processpool", "job.name": "score"}
BATCH, OTHER = bytes(range(16)), bytes(range(1, 17))
# Name of the process, its jobs' begins, and the batch that they are of: each takes 8 s.
POOL = (("a", (0, 10, 20, 30), BATCH), ("b", (0, 10), BATCH), ("c", (24, 34), BATCH))


def drawn(folder: Path, processes: Any, places: int | None) -> list[dict[str, Any]]:
    """Return the lanes of a pool that ran a minute ago."""
    began = time.time_ns() - 60 * SECOND_NS
    with Viewer(folder) as viewer:
        done = number("job.status", 8, {**JOB, "status": "completed"}, start_ns=began, time_ns=began + 50 * SECOND_NS)
        sent = [done]
        if places is not None:
            sent.append(number("batch.workers", places, {"batch.engine": "processpool"}, start_ns=began))
            sent[-1].sum.is_monotonic = False
        assert viewer.post("/v1/metrics", metrics(*sent)).status == 200
        for name, begins, trace_id in processes:
            runs = [
                span("score", trace_id=trace_id, start_ns=began + at * SECOND_NS, duration_ns=8 * SECOND_NS,
                     attributes=JOB) for at in begins
            ]  # fmt: skip
            resource = {"service.name": "night", "service.instance.id": name}
            assert viewer.post("/v1/traces", traces(*runs, resource=resource)).status == 200
        return Shop(viewer, time.time()).json("batch/processpool:score")["lanes"]


def test_a_replaced_worker_keeps_its_lane(tmp_path: Path) -> None:
    """Two places, three processes in one batch: the third took the place of the one that ended, 6 s later."""
    first, second = drawn(tmp_path, POOL, 2)
    assert (first["name"], len(first["blocks"]), first["gaps"]) == ("worker 1", 4, [])
    assert (second["name"], len(second["blocks"])) == ("worker 2", 4)
    (gap,) = second["gaps"]
    assert gap["end"] - gap["start"] == pytest.approx(6, abs=0.01)
    assert gap["label"] == "replaced, 6.00\u2009s lost"


@pytest.mark.parametrize("case", ["unknown number", "room for all", "another batch", "still at work"])
def test_what_may_be_another_worker_has_a_lane_of_its_own(tmp_path: Path, case: str) -> None:
    """Nothing is claimed to have been replaced where nothing shows it."""
    a, b, c = POOL
    processes, places = {
        "unknown number": (POOL, None),
        "room for all": (POOL, 3),
        "another batch": ((a, b, ("c", (24, 34), OTHER)), 2),
        "still at work": ((a, ("b", (0, 10, 40), BATCH), c), 2),
    }[case]
    lanes = drawn(tmp_path, processes, places)
    assert [lane["gaps"] for lane in lanes] == [[], [], []]
