# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Ray itself: what only it has. The vocabulary that all engines share is in test_vocabulary.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.counts import errors, spans, statuses, totals
from support.otlp_receiver import OtlpReceiver
from support.program import environment

pytestmark = [pytest.mark.engines, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of the test's own."""
    with OtlpReceiver() as made:
        yield made


def run(receiver: OtlpReceiver, *words: str | Path) -> str:
    """Run a program to its good end, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        env=environment(receiver, OTELKIT_EXPORT_INTERVAL_S="3600", OTELKIT_SHUTDOWN_TIMEOUT_S="20"),
        cwd=PROGRAMS,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", ["before", "late"])
def test_tasks_and_methods_of_all_kinds_are_counted_once(receiver: OtlpReceiver, program: str) -> None:
    """Generators, coroutines, what submits in turn, an actor that ends itself; with the program's signatures."""
    run(receiver, "ray_ends.py", program)
    once = {"submitted": 1, "running": 1, "completed": 1}
    assert statuses(receiver) == {
        "__main__.double": {"submitted": 4, "running": 4, "completed": 4},
        "__main__.nothing": once,
        "__main__.submits": once,
        "__main__.count": once,
        "__main__.Clerk.greet": {"submitted": 2, "running": 2, "completed": 2},
        "__main__.Clerk.refuse": {"submitted": 1, "running": 1, "failed": 1},
        "__main__.Clerk.leave": once,
        "__main__.Waiter.serve": {"submitted": 2, "running": 2, "completed": 2},
        "__main__.Waiter.each": once,
    }
    assert errors(receiver) == {("__main__.Clerk.refuse", "KeyError"): 1}
    found = spans(receiver)
    assert found["__main__.double", "submitter", False] == 3
    assert found["__main__.double", "__main__.submits", False] == 1
    assert found["__main__.Waiter.serve", "submitter", False] == 2
    assert found["__main__.Clerk.refuse", "submitter", True] == 1
    assert found.total() == 15
    assert not receiver.series("job.pending")
    assert not totals(receiver, "otelkit.failures", "otelkit.where")


def test_a_task_that_takes_its_process_along_has_failed_when_ray_gives_up(receiver: OtlpReceiver) -> None:
    """Its second run tells of the retry before it crashes, too."""
    assert "\ncrashed\n" in "\n" + run(receiver, "ray_ends.py", "crashes")
    assert statuses(receiver) == {"__main__.crash": {"submitted": 1, "running": 1, "retried": 1, "failed": 1}}
    assert errors(receiver) == {("__main__.crash", "ray.exceptions.WorkerCrashedError"): 1}


_RESTORED = """
import sys
from otelkit_instrumentation.batch.ray import RayInstrumentor

instrumentor = RayInstrumentor()
instrumentor.instrument()
assert "ray" not in sys.modules
import ray

@ray.remote
def work(): pass

def patched():
    return [
        ray.remote_function.RemoteFunction._remote, ray.actor.ActorClass._remote, ray.actor.ActorMethod._remote,
        ray._private.worker.Worker.deserialize_objects, ray.cancel, ray.shutdown, ray.util.ActorPool.map,
    ]

assert all("__otelkit_unpatched__" in vars(each) for each in patched())
instrumentor.uninstrument()
assert not any("__otelkit_unpatched__" in vars(each) for each in patched())
assert ray.shutdown is ray._private.worker.shutdown
"""


def test_ray_is_loaded_by_the_program_only_and_is_given_back_as_it_was() -> None:
    """Functions and methods without wrappers."""
    done = subprocess.run([sys.executable, "-c", _RESTORED], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_prints_what_its_page_says(receiver: OtlpReceiver) -> None:
    """Five fetched, one of them twice."""
    said = run(receiver, ROOT / "examples" / "engines" / "ray_tasks.py")
    counts = "".join(line for line in said.splitlines(keepends=True) if line.startswith("batch.engine="))
    assert counts.count("\n") == 7
    assert counts in (ROOT / "docs" / "batch-engines.md").read_text("utf-8")
