# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What `make stack` and `make stack-down` run, as a newcomer meets it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import parts, running
from support.stack_queries import Jaeger, Prometheus, wait_for
from support.talking_program import TalkingProgram

pytestmark = pytest.mark.stack

PROGRAM = Path(__file__).with_name("programs") / "mixed.py"


def stack(*arguments: object, code: int = 0) -> str:
    """Run the command and return what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "stack", *map(str, arguments)],
        cwd=parts.ROOT / "tools",
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where it runs; nothing is left running."""
    yield tmp_path
    running.end(tmp_path)


@pytest.mark.parametrize("gateways", [0, 2])
def test_two_commands_show_traces_and_metrics(folder: Path, gateways: int) -> None:
    """Start it, send to the address that it prints: spans are in Jaeger, metrics in Prometheus. Then end it."""
    said = stack("up", "--free-ports", "--folder", folder, "--gateways", gateways)
    urls = dict(re.findall(r"^(\w+) +(http://\S+)", said, re.MULTILINE))
    (endpoint,) = re.findall(r"export OTEL_EXPORTER_OTLP_ENDPOINT=(http://127\.0\.0\.1:\d+)$", said, re.MULTILINE)
    jaeger, prometheus = Jaeger(urls["Jaeger"]), Prometheus(urls["Prometheus"])
    with TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="mixed", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as program:
        assert program.say("flush") == "True"
        wait_for(lambda: "mixed" in jaeger.services())
        wait_for(lambda: prometheus.total('call_duration_seconds_count{job="mixed"}') == 49)
    assert "It runs already" in stack("up", "--free-ports", "--folder", folder, code=1)
    ended = stack("down", "--folder", folder)
    names = {"prometheus", "jaeger"} | ({"agent", "gateway-1", "gateway-2"} if gateways else {"standalone"})
    assert names <= set(re.findall(r"[\w-]+", ended))
    assert stack("down", "--folder", folder) == "Nothing runs.\n"


def test_a_program_that_does_not_start_is_named(folder: Path) -> None:
    """Its log is shown, and what had been started before it is ended."""
    (folder / "standalone-queue").write_text("a file where the queue's folder is to be")
    said = stack("up", "--free-ports", "--folder", folder, code=1)
    assert "standalone has ended" in said
    assert "standalone-queue" in said
    assert stack("down", "--folder", folder) == "Nothing runs.\n"
