# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' arithmetic and page; what they measure on this machine is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

VALUES = {
    ("sync", "otelkit"): [300e-9, 250e-9, 900e-9],
    ("sync", "prometheus"): [2_050e-9, 2_100e-9],
    ("sync", "sdk"): [5_050e-9],
    ("memory_settled", "otelkit"): [1000.0],
    ("import", "sdk+otelkit"): [0.120],
    ("import", "sdk"): [0.100],
}
BARE = {"sync": [60e-9, 50e-9]}


def test_costs_are_above_the_fastest_bare_call() -> None:
    """The bare call's minimum is taken off each value before minimum, median and maximum are."""
    from benchmarks.spread import Measured

    spread = Measured(VALUES, BARE)["sync", "otelkit"]
    assert spread == pytest.approx((200e-9, 250e-9, 850e-9))


def test_ratios_compare_minima() -> None:
    """A ratio is the rival's minimum over otelkit's, and None where one of them was not measured."""
    from benchmarks.spread import Measured

    measured = Measured(VALUES, BARE)
    assert measured.ratio("sync", "prometheus") == pytest.approx(10)
    assert measured.median_ratio("sync", "prometheus") == pytest.approx(2_025 / 250)
    assert measured.ratio("async", "prometheus") is None


def test_a_cost_below_the_noise_keeps_ratios_finite() -> None:
    """A call that came out faster than the bare one counts as a tenth of a nanosecond."""
    from benchmarks.spread import FLOOR, spread

    assert spread([40e-9], bare=50e-9) == (FLOOR, FLOOR, FLOOR)


def test_verdicts_tell_kept_from_broken_from_unmeasured() -> None:
    """Promises are judged by what was measured, and left open where nothing was."""
    from benchmarks.spread import Measured
    from benchmarks.targets import verdicts

    found = {one.what: one for one in verdicts(Measured(VALUES, BARE), unwanted=["grpc"])}
    assert found["function, four metrics: cheaper than prometheus_client"].kept is True
    assert found["function, four metrics: cheaper than the OTel SDK"].kept is False
    assert found["coroutine: cheaper than the OTel SDK"].kept is None
    assert found["bytes a histogram series"].kept is True
    assert found["import otelkit, above the SDK's metrics and traces"].found.startswith("20 ms")
    assert found["import otelkit loads no exporter, web server, NVML or framework"].kept is False


def test_the_page_says_machine_versions_and_what_is_missing() -> None:
    """One page holds both tables, the circumstances, and the rivals that could not be measured."""
    from benchmarks.contest import Results
    from benchmarks.report import page

    results = Results(values=VALUES, bare=BARE, versions={"otelkit": "checkout"}, errors=["logfire: no network"])
    text = page(results, {"cpu_count": "2"}, None, datetime(2026, 1, 2, tzinfo=UTC), quick=True)
    assert "2026-01-02" in text
    assert "quick run" in text
    assert "cpu_count: 2" in text
    assert "logfire: no network" in text
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")]
    row = next(row for row in rows if row[2].strip() == "prometheus_client")
    assert [cell.strip() for cell in row[3:8]] == ["2,000 ns", "2,025 ns", "2,050 ns", "41", "10"]


def test_every_promise_names_a_case_and_a_rival_that_exist() -> None:
    """A promise about a case nobody measures would stay open for ever."""
    from benchmarks.cases import BY_KEY, RIVALS
    from benchmarks.targets import TARGETS, AtLeast

    promises = [target for target in TARGETS if isinstance(target, AtLeast)]
    assert promises
    assert {one.case for one in promises} <= set(BY_KEY)
    assert {one.rival for one in promises} <= {rival.key for rival in RIVALS}


def test_a_worker_measures_what_it_is_asked_to() -> None:
    """A rival's process answers each request with one line, errors included."""
    requests = [
        {"do": "describe"},
        {"do": "calibrate", "case": "sync", "seconds": 0.001},
        {"do": "measure", "case": "sync", "loops": 100},
        {"do": "measure", "case": "no such case", "loops": 100},
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", "prometheus"],
        input="".join(json.dumps(request) + "\n" for request in requests),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    described, calibrated, measured, refused = map(json.loads, done.stdout.splitlines())
    assert "sync" in described["cases"]
    assert calibrated["loops"] % 100 == 0
    assert 0 < measured["bare"] < measured["seconds"]
    assert "no such case" in refused["error"]


def test_readme_block_shows_ratios_and_losses() -> None:
    """The README's block has the ratio of a case won, and names the case lost."""
    from benchmarks import readme
    from benchmarks.spread import Measured

    measured = Measured(
        {
            ("sync", "otelkit"): [1e-6],
            ("sync", "prometheus"): [8e-6],
            ("gauge_bound", "otelkit"): [4e-6],
            ("gauge_bound", "prometheus"): [2e-6],
        }
    )
    text = readme.updated(f"head\n{readme.BEGIN}\nold\n{readme.END}\ntail", measured, datetime(2026, 1, 2, tzinfo=UTC))
    assert text.startswith("head\n")
    assert text.endswith("\ntail")
    assert "old" not in text
    assert "| function, four metrics | 8.0x |" in text
    assert "Where otelkit loses: gauge set, bound (prometheus_client: 0.50x)." in text
