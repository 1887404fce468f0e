# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A Redis and Celery workers of the tests' own, under ``otelkit run``."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from support.otlp_receiver import OtlpReceiver
from support.program import environment

PROGRAMS = Path(__file__).parent / "programs"
QUIET = ("--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run a Redis of our own; gives its URL."""
    port = free_port()
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


class System:
    """
    A worker under ``otelkit run``, and programs that submit to it, all reporting to ``receiver``.

    Args:
        program: A module of ``programs``, with tasks and with what submits them.
        variables: Of the environment, in addition.
        options: Of the worker.
    """

    def __init__(
        self, program: str, receiver: OtlpReceiver, broker: str, folder: Path, *options: str, **variables: str
    ) -> None:
        self._program = program
        self._variables = environment(
            receiver, BROKER=broker, OTELKIT_EXPORT_INTERVAL_S="3600", OTELKIT_SHUTDOWN_TIMEOUT_S="20", **variables
        )
        self._log = folder / "worker.log"
        command = ["celery", f"--app={program}", "worker", *options, *QUIET, f"--hostname=w{free_port()}@test"]
        with self._log.open("w") as output:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "otelkit", "run", "--service-name", "worker", "-m", *command],
                env=self._variables,
                cwd=PROGRAMS,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def submit(self, *arguments: str, timeout_s: float = 150) -> str:
        """Run the program that submits, to its good end; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "otelkit", "run", "--service-name", "submitter", f"{self._program}.py", *arguments],
            env=self._variables,
            cwd=PROGRAMS,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stderr + self.output
        return done.stdout

    @property
    def output(self) -> str:
        """What the worker has said."""
        return self._log.read_text()

    def stop(self) -> None:
        """Send SIGTERM, as a supervisor does, and wait for a good end."""
        self.worker.send_signal(signal.SIGTERM)
        try:
            status = self.worker.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.worker.pid, signal.SIGKILL)
            self.worker.wait()
        assert status == 0, self.output
