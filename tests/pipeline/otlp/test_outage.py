# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whole programs whose receiver is away: their log, their end, and where their spans are afterwards."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.otlp_receiver import NEVER, UNAVAILABLE, Answer, OtlpReceiver
from support.otlp_spans import PROTOCOLS, eventually, names_of
from support.program import Program, environment

_CONFIGURED = """
import sys, time
from opentelemetry import metrics, trace
from otelkit import pipeline
from otelkit.instruments.counter import counter
pipeline.configure(file="/dev/null", export_interval_s=0.2, span_delay_s=0.05)
counter("t.calls").increment(7)
metrics.get_meter("application").create_counter("theirs").add(1)
tracer = trace.get_tracer("application")
def work(*names):
    for name in names:
        with tracer.start_as_current_span(name):
            pass
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    """Return a function that makes a program of what comes after the configuration."""
    return lambda source: Program(tmp_path, _CONFIGURED + source)


def run(program: Program, receiver: OtlpReceiver, folder: Path, **more: str) -> list[str]:
    """Run a program to its end and return its lines on stderr."""
    return program.run(receiver, **variables(receiver, folder), **more).splitlines()


def variables(receiver: OtlpReceiver, folder: Path) -> dict[str, str]:
    """Return what a program is configured by."""
    return {"protocol": PROTOCOLS[receiver.protocol], "OTELKIT_SPAN_BUFFER_FOLDER": str(folder)}


@pytest.mark.parametrize("how", ["refuses the connection", "hangs", "answers 503"])
def test_end_with_the_receiver_away(
    program: Callable[[str], Program], receiver: OtlpReceiver, tmp_path: Path, how: str
) -> None:
    """It takes no longer than it may, says it in two lines, and the next run delivers the spans."""
    if how == "refuses the connection":
        receiver.stop()
    receiver.always = {"hangs": NEVER, "answers 503": UNAVAILABLE}.get(how, Answer())
    began = time.monotonic()
    said = run(program("work('a', 'b')"), receiver, tmp_path / "spans", OTELKIT_SHUTDOWN_TIMEOUT_S="0.7")
    assert time.monotonic() - began < 5
    lines = [line for line in said if "could not deliver everything before the end (0.7 s at most)" not in line]
    assert len(lines) == (0 if how == "hangs" else 1), said
    assert len(said) - len(lines) == 1
    assert len(list(tmp_path.glob("spans/*/*/*.otlp"))) == 1
    again = OtlpReceiver(receiver.protocol, port=receiver.port) if receiver.stopped else receiver
    again.always = Answer()
    with again:
        assert run(program("work('c')"), again, tmp_path / "spans") == []
        assert names_of(again.spans()) == ["a", "b", "c"]
    assert list(tmp_path.glob("spans/*/*/*")) == []


_STEADY = """
number = 0
while True:
    work(str(number))
    print(number, flush=True)
    number += 1
    time.sleep(0.001)
"""


def test_killed_in_an_outage(program: Callable[[str], Program], http: OtlpReceiver, tmp_path: Path) -> None:
    """Three processes in a row die of kill -9; the fourth delivers, whole and in order, what was on disk."""
    http.always = UNAVAILABLE
    folder = tmp_path / "spans"
    files: list[str] = []
    for _ in range(3):
        with program(_STEADY).start(http, **variables(http, folder)) as process:
            enough = len(files) + 4
            assert eventually(lambda enough=enough: len(_files(folder)) >= enough)
            process.send_signal(signal.SIGKILL)
        files = _files(folder)
    http.always = Answer()
    before = len(http.requests)
    run(program("work('last')"), http, folder)
    arrived = names_of(http.spans())
    assert arrived[-1] == "last"
    runs = "".join("|" if name == "0" else "." for name in arrived[:-1])
    assert runs.count("|") <= 3
    assert sum(request.signal == "traces" for request in http.requests[before:]) == len(files) + 1
    assert list(folder.glob("*/*/*")) == []


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("*/*/*.otlp")]


_OUTAGE = """
work("before")
assert pipeline.flush(5)
print("ready", flush=True)
sys.stdin.readline()
work(*(f"during {number}" for number in range(3_000)))
time.sleep(0.5)
print("recorded", flush=True)
sys.stdin.readline()
work("after")
assert pipeline.flush(10) or pipeline.flush(10)
"""


def test_outage_of_both_signals(program: Callable[[str], Program], receiver: OtlpReceiver, tmp_path: Path) -> None:
    """Metrics and spans to one receiver that goes and comes back: one line down, one line up, nothing lost."""
    process = subprocess.Popen(
        [sys.executable, str(program(_OUTAGE).path)],
        env=environment(receiver, **variables(receiver, tmp_path / "spans")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "ready\n"
        receiver.stop()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "recorded\n"
        with OtlpReceiver(receiver.protocol, port=receiver.port) as back:
            process.stdin.write("go\n")
            process.stdin.flush()
            said = process.stderr.read().splitlines()
            assert process.wait() == 0, said
            assert names_of(back.spans()) == [*(f"during {number}" for number in range(3_000)), "after"]
            assert back.total("t.calls") == 7
    assert [line.split(" to http")[0] for line in said] in (
        ["otelkit cannot deliver traces", "otelkit delivers"],
        ["otelkit cannot deliver metrics", "otelkit delivers"],
    ), said


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_nobody_waits_for_a_receiver_that_is_not_there(protocol: str, tmp_path: Path) -> None:
    """Where nothing listens, the end comes long before its deadline; the spans are on disk."""
    with socket.socket() as unused:  # bound, so that nobody else takes the port; not listening, so that it refuses
        unused.bind(("127.0.0.1", 0))
        code = f"""
import otelkit
otelkit.configure(
    otlp_endpoint="http://127.0.0.1:{unused.getsockname()[1]}",
    otlp_protocol={protocol!r},
    shutdown_timeout_s=100,
    span_buffer_folder={str(tmp_path)!r},
)
otelkit.traced(name="last")(lambda: 0)()
"""
        subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=50, capture_output=True)
    assert len(_files(tmp_path)) == 1
