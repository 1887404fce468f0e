# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Celery itself: what only it has. The vocabulary that all engines share is in test_vocabulary.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.celery_system import PROGRAMS, System, redis
from engines.counts import errors, spans, statuses, totals
from support.otlp_receiver import OtlpReceiver
from support.program import environment

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
PREFORK = ("--pool=prefork", "--concurrency=2")


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of the test's own."""
    with OtlpReceiver() as made:
        yield made


def run(receiver: OtlpReceiver, folder: Path, options: tuple[str, ...], *scenario: str) -> None:
    """Have a scenario submitted to a worker with these options, and end both."""
    with redis(folder) as broker:
        system = System("celery_shop", receiver, broker, folder, *options)
        try:
            system.submit("started")
            system.submit(*scenario)
        finally:
            system.stop()


def test_every_way_a_task_can_end_is_counted_once(receiver: OtlpReceiver, tmp_path: Path) -> None:
    """By itself, or with its process; errors are named as they were raised, also those that cannot be pickled."""
    run(receiver, tmp_path, PREFORK, "ways")
    once = {"submitted": 1, "running": 1}
    assert statuses(receiver) == {
        "shop.price": {**once, "completed": 1},
        "shop.ignored": {**once, "completed": 1},
        "shop.refuse": {**once, "failed": 1},
        "shop.sold_out": {**once, "failed": 1},
        "shop.slow": {**once, "failed": 1},
        "shop.overtime": {**once, "failed": 1},
        "shop.crash": {**once, "failed": 1},
        "shop.rejected": {**once, "failed": 1},
        "shop.ship": {"submitted": 1, "running": 3, "retried": 2, "completed": 1},
        "shop.give_up": {"submitted": 1, "running": 2, "retried": 1, "failed": 1},
    }
    assert errors(receiver) == {
        ("shop.refuse", "ValueError"): 1,
        ("shop.sold_out", "celery_shop.OutOfStock"): 1,
        ("shop.slow", "billiard.exceptions.SoftTimeLimitExceeded"): 1,
        ("shop.overtime", "billiard.exceptions.TimeLimitExceeded"): 1,
        ("shop.crash", "billiard.exceptions.WorkerLostError"): 1,
        ("shop.rejected", "celery.exceptions.Reject"): 1,
        ("shop.give_up", "ConnectionError"): 1,
    }
    found = spans(receiver)
    assert found["shop.overtime", "submitter", True] == 1
    assert found["shop.crash", "submitter", True] == 1


def test_a_task_that_lost_its_process_and_is_delivered_again_was_retried(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    """With ``acks_late`` and ``reject_on_worker_lost``; both runs have their span."""
    run(receiver, tmp_path, ("--pool=prefork", "--concurrency=1"), "again", str(tmp_path / "once"))
    assert statuses(receiver) == {"shop.crash_once": {"submitted": 1, "running": 2, "retried": 1, "completed": 1}}
    assert spans(receiver)["shop.crash_once", "submitter", True] == 1
    assert spans(receiver)["shop.crash_once", "submitter", False] == 1


def test_a_task_revoked_while_it_runs_is_cancelled(receiver: OtlpReceiver, tmp_path: Path) -> None:
    """And one that expired before it ran."""
    run(receiver, tmp_path, PREFORK, "revoke")
    assert statuses(receiver) == {"shop.pack": {"submitted": 2, "running": 1, "cancelled": 2}}
    assert spans(receiver)["shop.pack", "submitter", True] == 1


def test_groups_chords_and_chunks_are_batches_and_chains_are_told_in_their_order(
    receiver: OtlpReceiver, tmp_path: Path
) -> None:
    """What a task submits is its child: the body of a chord, the next of a chain."""
    run(receiver, tmp_path, PREFORK, "canvas")
    assert totals(receiver, "batch.created") == {"celery": 2}
    assert statuses(receiver) == {
        "shop.price": {"submitted": 8, "running": 8, "completed": 8},
        "shop.total": {"submitted": 1, "running": 1, "completed": 1},
        "celery.starmap": {"submitted": 2, "running": 2, "completed": 2},
    }
    found = spans(receiver)
    assert found["shop.price", "submitter", False] == 6
    assert found["shop.price", "shop.price", False] == 2
    assert found["shop.total", "shop.price", False] == 1


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_count_the_same(receiver: OtlpReceiver, tmp_path: Path, pool: str) -> None:
    """And their threads are no engine of their own."""
    run(receiver, tmp_path, (f"--pool={pool}", "--concurrency=2"), "many", "100")
    assert statuses(receiver) == {
        "shop.price": {"submitted": 89, "running": 89, "completed": 89},
        "shop.refuse": {"submitted": 10, "running": 10, "failed": 10},
        "shop.ship": {"submitted": 1, "running": 3, "retried": 2, "completed": 1},
    }
    engines = {series.attributes.get("batch.engine") for series in receiver.series("job.status")}
    assert engines == {"celery"}


def test_eager_tasks_are_counted_where_they_run(receiver: OtlpReceiver) -> None:
    """Submitted, run, retried and failed in the very process, without a broker; an eager group is one batch."""
    done = subprocess.run(
        [sys.executable, "-m", "otelkit", "run", "celery_shop.py", "eager"],
        env=environment(receiver, BROKER="memory://", BACKEND="cache+memory://"),
        cwd=PROGRAMS,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert statuses(receiver) == {
        "shop.price": {"submitted": 4, "running": 4, "completed": 4},
        "shop.ship": {"submitted": 1, "running": 2, "retried": 1, "completed": 1},
        "shop.refuse": {"submitted": 1, "running": 1, "failed": 1},
    }
    assert totals(receiver, "batch.created") == {"celery": 1}
    assert spans(receiver)["shop.price", "submitter", False] == 4


_RESTORED = """
import sys
from otelkit_instrumentation.batch.celery import CeleryInstrumentor

instrumentor = CeleryInstrumentor()
instrumentor.instrument()
assert "celery" not in sys.modules
import celery.canvas, celery.concurrency.base, celery.signals, celery.worker.request

def patched():
    return [
        celery.canvas.group.apply_async, celery.canvas.group.apply, celery.concurrency.base.BasePool.apply_async,
        celery.worker.request.Request._announce_revoked,
    ]

def receivers():
    return sum(len(each.receivers) for each in vars(celery.signals).values() if isinstance(each, celery.signals.Signal))

assert receivers() == 9
assert all(each.__module__.startswith("otelkit") or "__otelkit_unpatched__" in vars(each) for each in patched())
instrumentor.uninstrument()
assert receivers() == 0
assert not any("__otelkit_unpatched__" in vars(each) for each in patched())
"""


def test_celery_is_loaded_by_the_program_only_and_is_given_back_as_it_was() -> None:
    """Signals without receivers, methods without wrappers."""
    done = subprocess.run([sys.executable, "-c", _RESTORED], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_prints_what_its_page_says(tmp_path: Path) -> None:
    """Ten orders, one retried, one failed."""
    with OtlpReceiver() as receiver:
        variables = environment(receiver, TMPDIR=str(tmp_path))
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "engines" / "celery_orders.py"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "status=retried 1\n" in done.stdout
    assert done.stdout.partition("\n")[2] in (ROOT / "docs" / "batch-engines.md").read_text("utf-8")
