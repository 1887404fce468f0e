# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every snippet of the README does what the page says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit.config import describe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ").split("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]

SHOW = """
import otelkit.exporters._exposition as _page
from otelkit.instruments.registry import default_registry as _registry
print(_page.render(_registry.snapshot(), openmetrics=False).decode())
"""


def run(code: str, folder: Path) -> str:
    environment = {**os.environ, "OTEL_EXPORTER_PROMETHEUS_PORT": "0", "OTEL_METRICS_EXPORTER": "none"}
    environment["OTEL_TRACES_EXPORTER"] = "none"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_snippets_are_found() -> None:
    """The page has the snippets that the tests below speak of."""
    assert len(SNIPPETS) == 5


def test_first_snippet_counts_what_the_page_says(tmp_path: Path) -> None:
    """The first snippet gives 100 calls, none active, all of them below 5 ms."""
    page = run(SNIPPETS[0].replace("metrics_exporters", "prometheus_port=0, metrics_exporters") + SHOW, tmp_path)
    assert re.search(r'^function_calls_total\{.*code_function_name="__main__.price".*\} 100$', page, re.MULTILINE)
    assert re.search(r"^function_active_calls\{.*\} 0$", page, re.MULTILINE)
    assert re.search(r'^function_duration_seconds_bucket\{.*le="10(\.0)?".*\} 100$', page, re.MULTILINE)


def test_service_snippet_records_every_kind(tmp_path: Path) -> None:
    """The service's action, event and job each appear under the names of the vocabulary."""
    page = run(SNIPPETS[1] + SHOW, tmp_path)
    assert re.search(
        r'^api_gateway_service_requests_total\{.*action="get".*user_tier="free".*\} 1$', page, re.MULTILINE
    )
    assert re.search(r"^cache_hit_ratio 0\.9$", page, re.MULTILINE)
    assert re.search(r'^event_received_total\{.*event="payment.completed".*\} 1$', page, re.MULTILINE)
    assert re.search(r"^event_latency_seconds_count\{.*\} 1$", page, re.MULTILINE)
    assert re.search(r'^job_runs_total\{.*job_name="cleanup_job".*\} 1$', page, re.MULTILINE)
    assert re.search(r"^job_last_success_seconds\{.*\} 1", page, re.MULTILINE)


def test_custom_metrics_snippet_names_what_prometheus_sees(tmp_path: Path) -> None:
    """Counter, timer, gauge, histogram, summary and rate come out under the names that the page gives."""
    page = run(SNIPPETS[2] + SHOW, tmp_path)
    assert re.search(r'^user_registration_total\{.*source="web".*\} 1$', page, re.MULTILINE)
    assert re.search(r'^user_registration_total\{.*source="mobile".*\} 1$', page, re.MULTILINE)
    assert re.search(r'^order_processing_time_seconds_count\{.*priority="high".*\} 1$', page, re.MULTILINE)
    assert re.search(r"^queue_length 3(\.0)?$", page, re.MULTILINE)
    assert re.search(r"^upload_size_bytes_sum 2048", page, re.MULTILINE)
    assert re.search(r'^wait_time_seconds\{.*quantile="0.99".*\} 0\.2$', page, re.MULTILINE)
    assert "signup_rate" in page


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_targets_exist(command: str) -> None:
    """Each make command of the page names a target of the Makefile."""
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("otelkit ")])
def test_otelkit_commands_are_understood(command: str) -> None:
    """Each otelkit command of the page parses: its subcommand exists, and its options are settings."""
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", "otelkit", words[1], "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    known = {"--" + setting.name.replace("_", "-") for setting in describe()}
    own = words[2 : words.index("--")] if "--" in words else words[2:]
    assert {word for word in own if word.startswith("--")} <= known


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    """Each relative link of the page is a file of the project."""
    assert (ROOT / target).exists()


def test_the_page_of_prometheus_client_shows_otelkits_metrics(tmp_path: Path) -> None:
    """The snippet for programs with a registry of prometheus_client makes it show what is recorded."""
    code = "import otelkit\nlater = otelkit.counter('later')\n" + SNIPPETS[3]
    code += "\nlater.increment(3)\nprint(prometheus_client.generate_latest().decode())"
    assert re.search(r"^later_total\{.*\} 3.0$", run(code, tmp_path), re.MULTILINE)


def test_models_and_loops_snippet_counts_items(tmp_path: Path) -> None:
    """One inference of two rows, and a hundred batches of two; what is not installed is left out silently."""
    page = run(SNIPPETS[4] + SHOW, tmp_path)
    assert re.search(r'^inference_items_total\{.*inference_model="ranker".*\} 2(\.0)?$', page, re.MULTILINE)
    assert re.search(r'^inference_items_total\{.*inference_model="train".*\} 200(\.0)?$', page, re.MULTILINE)
    assert re.search(r'^inference_phase_duration_seconds_count\{.*inference_phase="compute".*\} 1$', page, re.MULTILINE)
