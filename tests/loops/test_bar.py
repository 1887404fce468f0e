# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The progress bar: on a terminal, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

PROGRAM = """
import time, otelkit
for epoch in otelkit.track(range(2), name="epoch"):
    loop = otelkit.track([[1] * 8] * 30, name="train", batch_size=len)
    for batch in loop:
        time.sleep(0.01)
        if batch is None or loop.iterations == 5:
            loop.failed(ValueError())
print("done")
"""


def on_terminal(program: str, variables: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Run a program whose stderr is a terminal of 100 columns; return what it wrote to stdout and there."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("OTEL")}
    environment = {**kept, "TERM": "xterm", "COLUMNS": "100", **(variables or {})}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other side has closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert process.stdout is not None
    printed = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0, shown.decode()
    return printed, shown.decode()


def test_a_terminal_sees_rate_time_left_and_errors() -> None:
    """Both loops share one line; the last one leaves a line of its own."""
    printed, shown = on_terminal(PROGRAM)
    assert printed == "done\n"
    lines = shown.replace("\r\n", "\n").split("\r")
    running = [line for line in lines if line.startswith("epoch 0/2  train")]
    assert len(running) >= 2
    assert any(
        re.search(r"train +\d+%\|█+ +\| \d+/30 [\d.]+k? items/s waiting \d+% 1 error ETA \d+:\d\d", line)
        for line in running
    )
    assert re.fullmatch(r"epoch 2/2 in \d+:\d\d [\d.]+ it/s waiting \d+% *\n", lines[-1])
    assert all(len(line.rstrip("\n")) < 100 for line in lines)
    assert shown.count("\n") == 1


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"TERM": "dumb"}], ids=["ci", "dumb"])
def test_nobody_looks_on(variables: dict[str, str]) -> None:
    """CI's terminals, and those that cannot go back in a line, stay quiet."""
    assert on_terminal(PROGRAM, variables) == ("done\n", "")


def test_a_pipe_stays_quiet() -> None:
    """Logs are no place for a bar."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_the_bar_can_be_had_and_left_out() -> None:
    """Whatever looks on, and whether otelkit is switched on or not."""
    program = "import otelkit; print(list(otelkit.track([1, 2], name='mine', bar={})))"
    assert on_terminal(program.format(False)) == ("[1, 2]\n", "")
    done = subprocess.run([sys.executable, "-c", program.format(True)], capture_output=True, text=True)
    assert "mine 2/2 in 0:00" in done.stderr
    _, shown = on_terminal(program.format(None), {"OTELKIT_ENABLED": "false"})
    assert "mine 2/2 in 0:00" in shown


def test_an_error_ends_the_line() -> None:
    """The traceback begins on a line of its own."""
    program = """
import otelkit
try:
    with otelkit.track([1, 2], name="mine") as loop:
        for number in loop:
            raise KeyError
except KeyError:
    pass
"""
    _, shown = on_terminal(program)
    assert re.search(r"mine 1/2 in 0:00 .*1 error *\r?\n$", shown)


def test_a_closed_stderr_is_no_error() -> None:
    """The loop goes on without a bar."""
    program = "import sys, otelkit; sys.stderr.close(); print(list(otelkit.track([1, 2], bar=True)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[1, 2]\n"
