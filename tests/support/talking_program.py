# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A Python program that a test talks to, line by line.

    with TalkingProgram(path, folder, OTEL_SERVICE_NAME="shop") as program:
        port = program.answer
        program.say("visit 10")
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


class TalkingProgram:
    """
    A program that prints one line when it is up, and one after each line it was sent; it ends with its input.

    Args:
        path: The program.
        folder: Where its span buffer and what it says on stderr go.
        arguments: Of the program.
        variables: Its settings; nothing that configures otelkit is inherited.
    """

    def __init__(self, path: Path, folder: Path, *arguments: str, **variables: str) -> None:
        self._name = f"{path.stem} {variables.get('OTEL_SERVICE_NAME', '')}"
        self._stderr = folder / f"{path.stem}-{variables.get('OTEL_SERVICE_NAME', 'program')}.stderr"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "PYTHON"))}
        settings = {
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTELKIT_SPAN_BUFFER_FOLDER": str(folder / "spans"),
            "OTELKIT_CONFIG_FILE": "/dev/null",
            "PYTHONPATH": str(EXAMPLES),
        }
        with self._stderr.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, path, *arguments],
                env=kept | settings | variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.answer = ""

    def say(self, line: str) -> str:
        """Send a line and return the answer."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._read()

    def __enter__(self) -> TalkingProgram:
        try:
            self.answer = self._read()
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        try:
            self._process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        if kind is None:
            assert self._process.returncode == 0, self._stderr.read_text()

    def _read(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"{self._name} has ended:\n{self._stderr.read_text()}"
        return line.rstrip("\n")
