# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Run a program of its own, set up by variables, that reports to a receiver of the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.otlp_receiver import OtlpReceiver


def environment(receiver: OtlpReceiver, protocol: str = "http/protobuf", **variables: str) -> dict[str, str]:
    """Return this process's variables without what would configure otelkit or Python, and those for ``receiver``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL", "PYTHON"))}
    if "PYTHONPATH" in os.environ:
        kept["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return {
        **kept,
        "PYTHONWARNINGS": "ignore::DeprecationWarning",  # Python 3.12 and newer warn of each fork beside a thread
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        "OTELKIT_MACHINE": "none",
        **variables,
    }


class Program:
    """
    A Python program in a file, as multiprocessing needs it.

    Args:
        folder: Where the file is made.
        source: The program.
    """

    def __init__(self, folder: Path, source: str) -> None:
        self.path = folder / "program.py"
        self.path.write_text(source)

    def start(self, receiver: OtlpReceiver, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start it."""
        return subprocess.Popen(
            [sys.executable, str(self.path), *arguments],
            env=environment(receiver, **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, receiver: OtlpReceiver, *arguments: str, timeout_s: float = 60, **variables: str) -> str:
        """Run it to a good end and return what it said on stderr."""
        code, error = self.end(self.start(receiver, *arguments, **variables), timeout_s)
        assert code == 0, error
        return error

    @staticmethod
    def end(process: subprocess.Popen[str], timeout_s: float = 60) -> tuple[int, str]:
        """Wait for its end; return its exit status and what it said on stderr."""
        try:
            _, error = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return process.returncode, error
