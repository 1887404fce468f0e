# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Dask itself: what only it has. The vocabulary that all engines share is in test_vocabulary.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dask
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


def run(receiver: OtlpReceiver, folder: Path, *words: str | Path) -> str:
    """Run a program to its good end, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *words],
        env=environment(
            receiver, TMPDIR=str(folder), OTELKIT_EXPORT_INTERVAL_S="3600", OTELKIT_SHUTDOWN_TIMEOUT_S="20"
        ),
        cwd=PROGRAMS,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("cluster", ["local", "in_threads", "late", "elsewhere"])
def test_wherever_scheduler_and_workers_are_each_task_is_counted_once(
    receiver: OtlpReceiver, tmp_path: Path, cluster: str
) -> None:
    """In this process or in others, which configure themselves; as of instrumenting, and until uninstrumenting."""
    run(receiver, tmp_path, "dask_ends.py", cluster)
    once = {"submitted": 1, "running": 1}
    assert statuses(receiver) == {
        "double": {"submitted": 12, "running": 11, "completed": 11, "cancelled": 1},
        "refuse": {**once, "failed": 1},
        "waits": {**once, "completed": 1},
        "submits": {**once, "completed": 1},
    }
    assert errors(receiver) == {("refuse", "ValueError"): 1}
    assert totals(receiver, "batch.created") == {"dask": 1}
    assert spans(receiver) == {
        ("submitter", None, False): 1,
        ("double", "submitter", False): 10,
        ("double", "submits", False): 1,
        ("refuse", "submitter", True): 1,
        ("waits", "submitter", False): 1,
        ("submits", "submitter", False): 1,
    }


_RESTORED = """
import sys
from otelkit_instrumentation.batch.dask import DaskInstrumentor

instrumentor = DaskInstrumentor()
instrumentor.instrument()
assert not {"dask", "distributed"} & set(sys.modules)
import dask.local, dask.threaded, dask.multiprocessing, distributed

def patched():
    found = [module.get_async for module in (dask.local, dask.threaded, dask.multiprocessing)]
    found += [dask.local.start_state_from_dask, distributed.scheduler.Scheduler.__init__]
    found += [getattr(distributed.client.Client, name) for name in ("_start", "_graph_to_futures", "submit")]
    names = ("_run_task", "_run_task_async", "run_in_executor_with_context")
    return found + [getattr(distributed.worker, name) for name in names]

assert all("__otelkit_unpatched__" in vars(each) for each in patched())
instrumentor.uninstrument()
assert not any("__otelkit_unpatched__" in vars(each) for each in patched())
assert dask.threaded.get_async is dask.local.get_async
"""


def test_dask_is_loaded_by_the_program_only_and_is_given_back_as_it_was() -> None:
    """Whatever was imported from one of its modules into another."""
    done = subprocess.run([sys.executable, "-c", _RESTORED], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_dasks_own_tests_pass_under_otelkit(receiver: OtlpReceiver, tmp_path: Path) -> None:
    """Programs that nobody here wrote: its callbacks, and its scheduler of threads, with errors and interrupts."""
    tests = Path(dask.__file__).parent / "tests"
    words = ("-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider")
    said = run(
        receiver, tmp_path, "-m", "otelkit", "run", *words, tests / "test_threaded.py", tests / "test_callbacks.py"
    )
    assert "passed" in said
    assert not totals(receiver, "otelkit.failures", "otelkit.where")
    assert sum(totals(receiver, "job.active").values()) == 0
    assert errors(receiver)


def test_the_example_prints_what_its_page_says(receiver: OtlpReceiver, tmp_path: Path) -> None:
    """Ten shares, one of which cannot be."""
    said = run(receiver, tmp_path, ROOT / "examples" / "engines" / "dask_graph.py")
    assert "job.errors share ZeroDivisionError 1\n" in said
    assert said in (ROOT / "docs" / "batch-engines.md").read_text("utf-8")
