# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One vocabulary for all batch engines: the same assertions on each of them, the real one, at a real OTLP receiver."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines.adapters.batch import CAPABILITIES, BatchAdapter, Truth
from support.otlp_receiver import OtlpReceiver

pytestmark = pytest.mark.engines

ADAPTERS = [
    "futures.ThreadAdapter",
    "futures.ForkAdapter",
    "futures.SpawnAdapter",
    "pools.ForkedPoolAdapter",
    "pools.SpawnedPoolAdapter",
    "pools.ForkserverPoolAdapter",
    "pools.ThreadPoolAdapter",
    "joblib.LokyAdapter",
    "joblib.JoblibThreadsAdapter",
    "joblib.JoblibPoolAdapter",
    "celery.CeleryAdapter",
    "dask.DaskThreadsAdapter",
    "dask.DaskProcessesAdapter",
    "dask.DistributedAdapter",
    "ray.RayAdapter",
]
"""Module and class, in engines/adapters."""

PAGE = Path(__file__).parents[2] / "docs" / "batch.md"


def _adapter_of(name: str) -> BatchAdapter:
    module, _, cls = name.partition(".")
    return getattr(importlib.import_module(f"engines.adapters.{module}"), cls)()


@pytest.fixture(params=ADAPTERS, ids=lambda name: name.partition(".")[2])
def adapter(request: pytest.FixtureRequest) -> BatchAdapter:
    """An engine."""
    return _adapter_of(request.param)


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of the test's own."""
    with OtlpReceiver() as made:
        yield made


_ran: dict[tuple[str, str], tuple[Truth, list[Any]]] = {}
"""What programs have done, and sent: starting a cluster takes long, and what it tells serves more than one test."""


def run(adapter: BatchAdapter, scenario: str, receiver: OtlpReceiver, folder: Path) -> Truth:
    """Run a scenario of an engine, or have the receiver get once more what it has sent."""
    known = _ran.get((adapter.name, scenario))
    if known is None:
        truth = adapter.run(scenario, receiver, folder)
        _ran[adapter.name, scenario] = (truth, list(receiver.requests))
        return truth
    truth, requests = known
    receiver.requests.extend(requests)
    return truth


class Seen:
    """What has arrived of one engine, over all processes: the last point of each series counts."""

    def __init__(self, receiver: OtlpReceiver, engine: str) -> None:
        self._series: dict[tuple[Any, ...], Any] = {}
        for series in receiver.series():
            if series.attributes.get("batch.engine") == engine:
                key = (series.resource["service.instance.id"], series.name, tuple(sorted(series.attributes.items())))
                self._series[key] = series

    def sums(self, name: str, *labels: str) -> dict[str, float]:
        """Return values, or counts, of a metric by one label; by all of them together without one."""
        found: dict[str, float] = {}
        for series in self.points(name):
            key = "".join(str(series.attributes.get(label, "")) for label in labels)
            value = series.point.count if series.kind == "histogram" else series.point.as_int or series.point.as_double
            found[key] = found.get(key, 0) + value
        return found

    def total(self, name: str) -> float:
        """Return the sum of all values, or counts, of a metric."""
        return sum(self.sums(name).values())

    def points(self, name: str) -> list[Any]:
        """Return the last point of each series of a metric."""
        return [series for (_, found, _), series in self._series.items() if found == name]

    def label_sets(self) -> set[frozenset[str]]:
        """Return which labels go together."""
        return {frozenset(series.attributes) for series in self._series.values()}


def agree(seen: Seen, truth: Truth) -> None:
    """Assert that the receiver's numbers are the program's, to the last job."""
    statuses = seen.sums("job.status", "status")
    if "running" in truth.statuses:
        # Nobody was killed: each run has a duration and a queue time, and none is active.
        running = truth.statuses["running"]
        assert seen.total("job.duration") == running
        assert seen.total("job.queue_time") == running
        assert seen.total("job.active") == 0
    else:
        statuses.pop("running", None)
    assert statuses == truth.statuses
    assert seen.sums("job.errors", "error.type") == truth.errors
    assert seen.total("job.errors") == truth.statuses.get("failed", 0)
    assert seen.total("job.retries") == truth.statuses.get("retried", 0)
    assert seen.total("batch.created") == len(truth.batches)
    assert sum(series.point.sum for series in seen.points("batch.size")) == sum(truth.batches)
    assert seen.total("job.pending") == 0


def test_jobs_are_submitted_queued_run_and_completed(
    adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path
) -> None:
    """With queue time and duration of each, and workers; batches with their sizes."""
    truth = run(adapter, "complete", receiver, tmp_path)
    seen = Seen(receiver, adapter.engine)
    agree(seen, truth)
    assert set(truth.statuses) == {"submitted", "running", "completed"}
    assert all(series.point.sum >= 0 for series in seen.points("job.queue_time"))
    assert seen.points("batch.workers")


def test_labels_are_few_and_the_same(adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """The engine, the job's name, the status or the error; never a job's id."""
    run(adapter, "fail", receiver, tmp_path)
    allowed = {
        frozenset({"batch.engine"}),
        frozenset({"batch.engine", "job.name"}),
        frozenset({"batch.engine", "job.name", "status"}),
        frozenset({"batch.engine", "job.name", "error.type"}),
    }
    seen = Seen(receiver, adapter.engine)
    assert seen.label_sets() <= allowed
    assert len(seen.sums("job.status", "job.name")) <= 3


def test_no_other_engine_counts_the_same_jobs(adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """Engines run on one another; a job belongs to the one that the program speaks to."""
    run(adapter, "complete", receiver, tmp_path)
    engines = {series.attributes.get("batch.engine") for series in receiver.series() if series.name.startswith("job.")}
    assert engines == {adapter.engine}


def test_failures_are_counted_by_error_type(adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """And their durations carry it."""
    truth = run(adapter, "fail", receiver, tmp_path)
    seen = Seen(receiver, adapter.engine)
    agree(seen, truth)
    assert truth.errors["ValueError"] >= 1
    assert seen.sums("job.duration", "error.type")["ValueError"] == truth.errors["ValueError"]


def test_context_is_carried(adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """A job's span is the submitter's child, though it runs elsewhere, and the program's spans in it are its own."""
    run(adapter, "context", receiver, tmp_path)
    spans = {span.span_id: span for span in receiver.spans()}
    (submitter,) = [span for span in spans.values() if span.name == "submitter"]
    inside = [span for span in spans.values() if span.name == "inside"]
    assert len(inside) == 3
    for span in inside:
        assert span.trace_id == submitter.trace_id
        job = spans[span.parent_span_id]
        attributes = {pair.key: pair.value.string_value for pair in job.attributes}
        assert attributes["batch.engine"] == adapter.engine
        assert attributes["job.name"] == job.name
        ancestors = []
        while job.parent_span_id:
            job = spans[job.parent_span_id]
            ancestors.append(job)
        assert ancestors[-1] is submitter


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_what_else_may_befall_a_job(
    adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path, capability: str
) -> None:
    """
    Retried; cancelled; ended by a time limit; its worker dies, or is recycled: counted as that, once.

    What an engine does not have, the page of the engines says, with the reason.
    """
    if capability in adapter.lacks:
        assert adapter.lacks[capability] in PAGE.read_text("utf-8")
        return
    truth = run(adapter, capability, receiver, tmp_path)
    agree(Seen(receiver, adapter.engine), truth)
    status = {"timed_out": "failed", "worker_lost": "failed", "recycled": "completed"}.get(capability, capability)
    assert truth.statuses[status] >= 1


@pytest.mark.timeout(300)
def test_ten_thousand_jobs_are_exactly_that(adapter: BatchAdapter, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """With failures, retries and recycled workers."""
    truth = run(adapter, "many", receiver, tmp_path)
    agree(Seen(receiver, adapter.engine), truth)
    assert truth.statuses["submitted"] >= adapter.many
    assert truth.statuses["failed"] >= 1
