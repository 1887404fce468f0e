# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The recorder of batch engines: what is counted, and as what."""

from __future__ import annotations

import gc
import itertools
import os
import pickle
import threading
from collections.abc import Iterator

import cloudpickle
import pytest
from support.metrics import point, points, total

from otelkit import semconv
from otelkit._core._guard import guard
from otelkit.instruments.registry import default_registry
from otelkit.jobs import Engine
from otelkit.jobs.engine import name_of

_numbers = itertools.count(1)


@pytest.fixture
def engine() -> Engine:
    """Return an engine that no other test has used."""
    return Engine(f"engine{next(_numbers)}")


@pytest.fixture(autouse=True)
def _strict() -> Iterator[None]:
    guard.strict = True
    yield
    guard.strict = False


def statuses(engine: Engine, job: str = "work") -> dict[str, float]:
    """Return how many jobs came to each status."""
    found = points(semconv.JOB_STATUS.name, {semconv.BATCH_ENGINE: engine.name, semconv.JOB: job})
    return {each.attributes[semconv.STATUS]: each.value for each in found}


def labels(engine: Engine) -> dict[str, str]:
    """Return the labels of the engine's job ``work``."""
    return {semconv.BATCH_ENGINE: engine.name, semconv.JOB: "work"}


def test_an_engine_and_its_jobs_are_one_per_name(engine: Engine) -> None:
    """Also after pickling, as payloads do."""
    assert Engine(engine.name) is engine
    job = engine.job("work")
    assert engine.job("work") is job
    assert pickle.loads(pickle.dumps(job)) is job
    assert cloudpickle.loads(cloudpickle.dumps(engine)) is engine


def test_batches_are_counted_with_their_sizes(engine: Engine) -> None:
    """A batch of unknown size has no size, rather than 0."""
    engine.batch(3)
    engine.batch()
    of_engine = {semconv.BATCH_ENGINE: engine.name}
    assert point(semconv.BATCH_CREATED.name, of_engine).value == 2
    size = point(semconv.BATCH_SIZE.name, of_engine)
    assert (size.count, size.sum) == (1, 3)


def test_a_job_goes_from_pending_over_active_to_completed(engine: Engine) -> None:
    """And what never happened has no series."""
    job = engine.job("work")
    job.submit(2)
    assert statuses(engine) == {"submitted": 2}
    assert point(semconv.JOB_PENDING.name, labels(engine)).value == 2
    assert not points(semconv.JOB_ACTIVE.name, labels(engine))
    job.leave()
    run = job.start(queued_s=0.25)
    assert point(semconv.JOB_PENDING.name, labels(engine)).value == 1
    assert point(semconv.JOB_ACTIVE.name, labels(engine)).value == 1
    run.succeed()
    assert statuses(engine) == {"submitted": 2, "running": 1, "completed": 1}
    assert point(semconv.JOB_ACTIVE.name, labels(engine)).value == 0
    assert point(semconv.JOB_QUEUE_TIME.name, labels(engine)).sum == 0.25
    assert point(semconv.JOB_DURATION.name, labels(engine)).count == 1
    assert not points(semconv.JOB_ERRORS.name, labels(engine))
    assert not points(semconv.JOB_RETRIES.name, labels(engine))


def test_failures_have_their_error_type(engine: Engine) -> None:
    """On errors and on durations; those that were lost with a worker have no duration."""
    job = engine.job("work")
    with pytest.raises(KeyError), job.start():
        raise KeyError
    job.start().fail_as("TimeLimitExceeded")
    job.lose("KeyError")
    job.lose("BrokenProcessPool")
    errors = {each.attributes["error.type"]: each.value for each in points("job.errors", labels(engine))}
    assert errors == {"KeyError": 2, "TimeLimitExceeded": 1, "BrokenProcessPool": 1}
    assert statuses(engine) == {"running": 2, "failed": 4}
    assert total("job.duration", labels(engine)) == 2
    assert point("job.active", labels(engine)).value == 0


def test_retried_and_cancelled_are_no_errors(engine: Engine) -> None:
    """Neither of them, taken back before it ran or in mid-run."""
    job = engine.job("work")
    job.submit(2)
    job.start().retry(ValueError())
    job.retry()
    job.cancel()
    job.start().cancel()
    assert statuses(engine) == {"submitted": 2, "running": 2, "retried": 2, "cancelled": 2}
    assert point("job.retries", labels(engine)).value == 2
    assert point("job.pending", labels(engine)).value == 1
    assert point("job.active", labels(engine)).value == 0
    assert not points("job.errors", labels(engine))


def test_a_job_that_fails_after_a_retry_for_the_same_reason_is_an_error(engine: Engine) -> None:
    """Once, and the run that was to be repeated is none."""
    job = engine.job("work")
    job.start().retry(ConnectionError())
    job.start().fail(ConnectionError())
    assert statuses(engine) == {"running": 2, "retried": 1, "failed": 1}
    assert {each.attributes.get("status"): each.count for each in points("job.duration", labels(engine))} == {
        "retried": 1,
        None: 1,
    }
    assert point("job.errors", labels(engine)).value == 1


def test_a_job_from_a_broker_is_pending_where_it_came_to(engine: Engine) -> None:
    """It is submitted elsewhere."""
    job = engine.job("work")
    job.send()
    assert not points("job.pending", labels(engine))
    job.receive()
    assert point("job.pending", labels(engine)).value == 1
    job.leave()
    job.start().succeed()
    assert point("job.pending", labels(engine)).value == 0
    assert statuses(engine) == {"submitted": 1, "running": 1, "completed": 1}


def test_a_run_may_be_heard_of_late(engine: Engine) -> None:
    """Its duration is what it is said to have taken."""
    run = engine.job("work").start()
    run.backdate(100)
    run.succeed()
    assert 100 <= point("job.duration", labels(engine)).sum < 200


def test_an_engine_without_batches_has_no_series_of_them(engine: Engine) -> None:
    """It is there in every program that is instrumented, whatever that uses."""
    assert not [each for each in points("batch.created") if each.attributes["batch.engine"] == engine.name]


def test_a_run_ends_once(engine: Engine) -> None:
    """Whatever is called after its end."""
    run = engine.job("work").start()
    run.fail(KeyError())
    run.succeed()
    run.retry()
    run.fail(KeyError())
    assert statuses(engine) == {"running": 1, "failed": 1}


def test_calls_of_a_chunk_are_counted_one_by_one(engine: Engine) -> None:
    """And give back what the function gives, or raise what it raises."""
    job = engine.job("work")
    assert [job.call(divmod, number, 2) for number in range(3)] == [(0, 0), (0, 1), (1, 0)]
    with pytest.raises(ZeroDivisionError) as raised:
        job.call(divmod, 1, 0)
    assert raised.value.__cause__ is None
    assert statuses(engine) == {"running": 4, "completed": 3, "failed": 1}


def test_no_count_is_lost_between_threads(engine: Engine) -> None:
    """Eight threads and a reader."""
    job = engine.job("work")

    def work() -> None:
        for number in range(2_000):
            job.submit()
            job.leave()
            job.lose("Lost") if number % 10 == 0 else job.call(int)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen = statuses(engine)
        assert seen.get("running", 0) >= seen.get("completed", 0)
    for thread in threads:
        thread.join()
    assert statuses(engine) == {"submitted": 16_000, "running": 14_400, "completed": 14_400, "failed": 1_600}
    assert point("job.pending", labels(engine)).value == 0


def test_a_forked_child_begins_from_zero(engine: Engine) -> None:
    """With the handles that it inherits."""
    job = engine.job("work")
    job.submit(5)
    engine.batch(5)
    owner = threading.Event()
    engine.watch_workers(owner, lambda _: 4)
    assert point("batch.workers", {semconv.BATCH_ENGINE: engine.name}).value == 4
    child = os.fork()
    if not child:
        fresh = not statuses(engine) and not points("batch.workers", {semconv.BATCH_ENGINE: engine.name})
        job.call(int)
        os._exit(0 if fresh and statuses(engine) == {"running": 1, "completed": 1} else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert statuses(engine) == {"submitted": 5}


def test_workers_are_those_of_owners_that_live(engine: Engine) -> None:
    """Added up; the series goes on at 0 when there are none."""
    of_engine = {semconv.BATCH_ENGINE: engine.name}
    first, second = threading.Event(), threading.Event()
    engine.watch_workers(first, lambda _: 2)
    engine.watch_workers(second, lambda _: 3)
    assert point("batch.workers", of_engine).value == 5
    engine.unwatch_workers(first)
    assert point("batch.workers", of_engine).value == 3
    del second
    gc.collect()
    assert point("batch.workers", of_engine).value == 0


def test_more_names_than_the_limit_go_to_the_overflow_series() -> None:
    """A program that names jobs by their ids costs bounded memory."""
    engine = Engine("overflowing")
    family = engine.job("first").cell.family
    options = family.options
    try:
        family.options = type(options)(options.shape, limit=len(family.cells) + 1)
        for number in range(50):
            engine.job(f"name {number}").submit()
        assert len(engine._jobs) == 2
        (overflow,) = points("job.status", {semconv.OVERFLOW: "true"})
        assert overflow.value == 49
    finally:
        family.options = options
        family._overflow = family._exploding = None


def _named() -> None: ...


class _Callable:
    def __call__(self) -> None: ...


def test_names_of_jobs() -> None:
    """By what is called, never by what it is called with."""
    from contextvars import copy_context
    from functools import partial

    assert name_of(_named) == f"{__name__}._named"
    assert name_of(partial(partial(_named, 1), 2)) == f"{__name__}._named"
    assert name_of(partial(copy_context().run, _named)) == f"{__name__}._named"
    assert name_of(_Callable()) == f"{__name__}._Callable"
    assert name_of(len) == "len"
    assert name_of([].append) == "list.append"


def test_snapshots_give_the_same_attributes_each_time(engine: Engine) -> None:
    """Readers of deltas know a series by them."""
    job = engine.job("work")
    job.submit()
    job.start().fail(KeyError())
    job.lose("KeyError")

    def seen() -> set[int]:
        return {
            id(each.attributes)
            for metric, found in default_registry.snapshot()
            if metric.name.startswith("job.")
            for each in found
            if each.attributes.get(semconv.BATCH_ENGINE) == engine.name
        }

    assert len(before := seen()) >= 5
    assert seen() == before
