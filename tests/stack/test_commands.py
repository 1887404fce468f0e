# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What `make stack` and `make stack-down` run, as a newcomer meets it."""

from __future__ import annotations

import os
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


def started(folder: Path, *arguments: object) -> tuple[Jaeger, Prometheus, str]:
    """Start it on free ports; return whom to ask, and where it says that programs are to send."""
    said = stack("up", "--free-ports", "--folder", folder, *arguments)
    urls = dict(re.findall(r"^(\w+) +(http://\S+)", said, re.MULTILINE))
    (endpoint,) = re.findall(r"export OTEL_EXPORTER_OTLP_ENDPOINT=(http://127\.0\.0\.1:\d+)$", said, re.MULTILINE)
    return Jaeger(urls["Jaeger"]), Prometheus(urls["Prometheus"]), endpoint


def test_two_commands_show_the_demo(folder: Path) -> None:
    """`make stack`, then `make demo` with the variable that it prints: traces in Jaeger, metrics in Prometheus."""
    jaeger, prometheus, endpoint = started(folder)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL")}
    demo = subprocess.run(
        [sys.executable, "-m", "otelkit", "demo", "--duration", "3", "--data-folder", str(folder / "data")],
        cwd=folder,
        env=inherited | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    wait_for(lambda: "otelkit-demo" in jaeger.services())
    wait_for(lambda: prometheus.total('service_requests_total{job="otelkit-demo"}') > 0)


def test_two_tiers_are_started_and_ended(folder: Path) -> None:
    """An agent and gateways take what is sent; a second start is refused, and the end leaves nothing."""
    jaeger, _, endpoint = started(folder, "--gateways", 2)
    with TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="mixed", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as program:
        assert program.say("flush") == "True"
        wait_for(lambda: "mixed" in jaeger.services())
    assert "It runs already" in stack("up", "--free-ports", "--folder", folder, code=1)
    ended = stack("down", "--folder", folder)
    assert {"prometheus", "jaeger", "agent", "gateway-1", "gateway-2"} <= set(re.findall(r"[\w-]+", ended))
    assert stack("down", "--folder", folder) == "Nothing runs.\n"


def test_a_program_that_does_not_start_is_named(folder: Path) -> None:
    """Its log is shown, and what had been started before it is ended."""
    (folder / "standalone-queue").write_text("a file where the queue's folder is to be")
    said = stack("up", "--free-ports", "--folder", folder, code=1)
    assert "standalone has ended" in said
    assert "standalone-queue" in said
    assert stack("down", "--folder", folder) == "Nothing runs.\n"
