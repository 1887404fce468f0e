# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every example, run as its reader would run it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BATCH = EXAMPLES.parent / "docs" / "batch.md"
INFERENCE = EXAMPLES.parent / "docs" / "inference.md"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))


def run(name: str, folder: Path, **variables: str) -> str:
    """Run an example in an empty folder and return what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OTELKIT_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        cwd=folder,
        env={**environment, "TMPDIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_all_examples_are_listed_and_tested():
    """The README's table names every script, and this file has a test for each."""
    listed = re.findall(r"^\| \[(\w+\.py)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == SCRIPTS
    tests = Path(__file__).read_text()
    assert [name for name in SCRIPTS if f'"{name}"' not in tests] == []


def test_quickstart_is_on_metrics_while_it_runs(tmp_path):
    """The four metrics of a decorated function can be scraped, with the errors that its output tells."""
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / "quickstart.py"],
        cwd=tmp_path,
        env={**os.environ, "OTEL_EXPORTER_PROMETHEUS_PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    page = ""
    with process:
        while process.poll() is None and "function_errors_total" not in page:
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/metrics", timeout=5) as answer:
                    page = answer.read().decode()
            except OSError:
                time.sleep(0.05)
        output = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert re.fullmatch(r"\d+ calls, \d+ errors\n", output)
    labels = r'\{[^}]*code_function_name="__main__.price"[^}]*\}'
    for name in ("calls_total", "active_calls", "errors_total", "duration_seconds_count"):
        assert re.search(rf"^function_{name}{labels} \d", page, re.MULTILINE), name
    assert 'error_type="ZeroDivisionError"' in page


def test_the_default_port_of_the_quickstart_is_what_its_docstring_says():
    """http://localhost:9464/metrics, unless a variable says otherwise."""
    from otelkit.config import load

    settings = load(environ={})
    assert (
        f"http://{settings.prometheus_host}:{settings.prometheus_port}/metrics"
        in (EXAMPLES / "quickstart.py").read_text()
    )


def test_service_counts_actions_errors_and_labels(tmp_path):
    """Requests per action and tier, the error with its type, and nothing of the method that is left out."""
    lines = run("service.py", tmp_path).splitlines()
    assert lines[:4] == ["tea", "coffee", "milk", "no order 99"]
    assert "api_gateway.service.requests action=get;service=Orders 4" in lines
    assert "api_gateway.service.requests action=place;service=Orders;user_tier=free 1" in lines
    assert "api_gateway.service.errors action=get;error.type=__main__.UnknownOrderError;service=Orders 1" in lines
    assert not [line for line in lines if "health" in line]


def test_async_events_count_both_ends(tmp_path):
    """Ten events are published, ten received, two fail, and each has a latency."""
    lines = run("async_events.py", tmp_path).splitlines()
    assert lines[0] == "8 handled, 2 failed"
    assert "event.published event=payment.completed 10" in lines
    assert "event.received event=payment.completed 10" in lines
    assert "event.failures error.type=ConnectionError;event=payment.completed 2" in lines
    assert "event.latency event=payment.completed 10" in lines


def test_custom_metrics_are_all_in_the_file(tmp_path):
    """Each kind of instrument arrives with the values that the example gave it."""
    written = json.loads(run("custom_metrics.py", tmp_path))
    points = {metric["name"]: metric["points"] for metric in written["metrics"]}
    registrations = {point["labels"]["source"]: point["value"] for point in points["user_registration"]}
    assert registrations == {"web": 100, "shop": 1}
    assert points["mail.queue"][0]["value"] == 2
    assert points["room.temperature"][0]["value"] == 21.5
    assert (points["upload.size"][0]["count"], points["upload.size"][0]["max"]) == (100, 25_000)
    assert points["order_processing_time"][0]["labels"] == {"priority": "high"}
    median = next(point["value"] for point in points["render.latency"] if point["labels"]["quantile"] == "0.5")
    assert median == pytest.approx(0.05, abs=0.001)
    assert {point["labels"]["source"] for point in points["user_registration.rate"]} == {"web", "shop"}


def test_an_existing_provider_gets_the_cells_beside_its_own_metrics(tmp_path):
    """One reader, the application's, sees the application's counter and otelkit's."""
    lines = run("join_existing_provider.py", tmp_path).splitlines()
    assert "the application: visits 1" in lines
    assert "otelkit: order.calls 3" in lines
    assert "otelkit: order.duration 3" in lines


def test_spans_nest_and_carry_the_error(tmp_path):
    """Both checkouts are traces with their parts as children; the refused one says so."""
    output = run("spans.py", tmp_path)
    assert "refused: card refused" in output
    decoder, spans, rest = json.JSONDecoder(), [], output.replace("refused: card refused\n", "")
    while rest.strip():
        span, end = decoder.raw_decode(rest.lstrip())
        spans.append(span)
        rest = rest.lstrip()[end:]
    by_id = {span["context"]["span_id"]: span for span in spans}
    parents = [(span["name"], by_id[span["parent_id"]]["name"] if span["parent_id"] else None) for span in spans]
    assert sorted(parents, key=str) == sorted(
        2 * [("charge", "checkout"), ("checkout", None), ("reserve", "checkout")], key=str
    )
    failed = [span["name"] for span in spans if span["status"]["status_code"] == "ERROR"]
    assert sorted(failed) == ["charge", "checkout"]


def test_inferences_by_hand_are_counted_with_their_phases_and_cache(tmp_path):
    """The output that docs/inference.md shows: warm-up apart, one error, items of good steps only."""
    output = run("inference_by_hand.py", tmp_path)
    assert output in INFERENCE.read_text()
    lines = output.splitlines()
    assert "inference.requests inference.model=ranker inference.warmup=false 3" in lines
    assert "inference.errors error.type=ZeroDivisionError inference.model=ranker inference.warmup=false 1" in lines
    assert "inference.cache.hits inference.model=ranker inference.warmup=false 2" in lines


def test_a_tracked_loop_counts_its_batches_items_and_errors(tmp_path):
    """The output that docs/inference.md shows, and no bar where nobody looks on."""
    output = run("track_loop.py", tmp_path)
    assert output == "epoch 0: 50 batches, 784 items, 1 failed\nepoch 1: 50 batches, 784 items, 1 failed\n"
    assert output in INFERENCE.read_text()


@pytest.mark.parametrize("name", ["executors.py", "worker_pool.py", "job_tracker.py"])
def test_batches_print_what_their_page_says(tmp_path, name):
    """To the last job, of all processes together."""
    assert f"```\n{run(name, tmp_path)}```\n" in BATCH.read_text("utf-8")
