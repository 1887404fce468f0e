# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""joblib by itself: its example, and that nothing else about it changes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import joblib.parallel
import pytest
from joblib import Parallel, delayed
from support.otlp_receiver import OtlpReceiver
from support.program import environment

import otelkit
from otelkit.testing import Telemetry, capture, strict

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[2]
ENGINE = {"batch.engine": "joblib"}


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    with strict():
        otelkit.instrument("joblib", "concurrent_futures", "multiprocessing")
        yield
        otelkit.uninstrument("joblib", "concurrent_futures", "multiprocessing")


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What a test records."""
    with capture() as captured:
        yield captured


def double(number: int) -> int:
    return number * 2


def refuse(number: int) -> int:
    if number == 3:
        raise KeyError(number)
    return number


def test_the_example_prints_what_its_page_says() -> None:
    """A batch of its own, and scikit-learn's grid search, which nobody has told of otelkit."""
    with OtlpReceiver() as receiver:
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "engines" / "joblib_parallel.py"],
            env=environment(receiver),
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"```\n{done.stdout}```\n" in (ROOT / "docs" / "batch.md").read_text("utf-8")


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_a_failure_comes_out_as_ever_and_everything_is_accounted_for(telemetry: Telemetry, backend: str) -> None:
    """What was submitted is completed, failed or cancelled; the exception has the worker's traceback as its cause."""
    with pytest.raises(KeyError) as raised:
        Parallel(n_jobs=2, backend=backend)(delayed(refuse)(number) for number in range(20))
    assert raised.value.args == (3,)
    if backend != "threading":
        assert "refuse" in str(raised.value.__cause__)
    found = {
        status: telemetry.value("job.status", status=status, **ENGINE)
        for status in ("submitted", "completed", "failed", "cancelled")
    }
    assert found["failed"] == 1
    assert found["submitted"] == found["completed"] + found["failed"] + found["cancelled"]
    assert telemetry.value("job.pending", **ENGINE) == 0


@pytest.mark.parametrize("way", ["generator", "generator_unordered"])
def test_results_as_they_come(telemetry: Telemetry, way: str) -> None:
    """A batch whose results are a generator."""
    results = Parallel(n_jobs=2, return_as=way)(delayed(double)(number) for number in range(50))
    assert sorted(results) == [number * 2 for number in range(50)]
    assert telemetry.value("job.status", status="completed", **ENGINE) == 50
    assert telemetry.value("batch.created", **ENGINE) == 1


def test_nested_calls_belong_to_whom_the_program_speaks_to(telemetry: Telemetry) -> None:
    """A Parallel inside a job is a batch of its own."""

    def outer(number: int) -> int:
        return sum(Parallel(n_jobs=1)(delayed(double)(each) for each in range(number)))

    assert Parallel(n_jobs=2, backend="threading")(delayed(outer)(number) for number in (2, 3)) == [2, 6]
    assert telemetry.value("batch.created", **ENGINE) == 3
    assert telemetry.value("job.status", status="completed", **ENGINE) == 7


def test_workers_are_counted_while_they_work(telemetry: Telemetry) -> None:
    """And no longer."""
    seen: list[float] = []

    def look(_: int) -> None:
        time.sleep(0.05)
        seen.append(telemetry.value("batch.workers", **ENGINE))

    Parallel(n_jobs=2, backend="threading")(delayed(look)(number) for number in range(4))
    assert max(seen) == 2
    assert telemetry.value("batch.workers", **ENGINE) == 0


def test_uninstrumenting_puts_the_originals_back() -> None:
    """Exactly, however often it was instrumented."""
    otelkit.uninstrument("joblib")
    from joblib._parallel_backends import LokyBackend, PoolManagerMixin

    owners = (joblib.parallel.Parallel, joblib.parallel.BatchCompletionCallBack, LokyBackend, PoolManagerMixin)
    before = [dict(vars(owner)) for owner in owners]
    otelkit.instrument("joblib")
    otelkit.instrument("joblib")
    assert [dict(vars(owner)) for owner in owners] != before
    otelkit.uninstrument("joblib")
    assert [dict(vars(owner)) for owner in owners] == before
