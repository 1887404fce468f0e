# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One program of the stack: started, waited for, ended."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

START_S = 60.0
END_S = 30.0


class PartError(Exception):
    """A program did not start; the message has the end of its log."""


@dataclass
class Part:
    """
    One program with its configuration.

    Args:
        name: Unique in its stack.
        command: Program and arguments.
        folder: Where its log goes; made when it starts.
        ready_url: Answers 200 once the program takes data.
        addresses: ``127.0.0.1:port`` by what is served there.
        environment: Variables beside PATH; nothing else is handed on, so that no setting of the user's leaks in.
    """

    name: str
    command: list[str]
    folder: Path
    ready_url: str
    addresses: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log_path(self) -> Path:
        """Its log, which a restart continues."""
        return self.folder / f"{self.name}.log"

    def log(self) -> str:
        """Return what it has said."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    def url(self, of: str, path: str = "") -> str:
        """Return the URL of one of its addresses."""
        return f"http://{self.addresses[of]}{path}"

    def start(self, *, detached: bool = False) -> None:
        """Start it; detached, it outlives this process and its terminal."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={"PATH": os.environ.get("PATH", ""), **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=detached,
            )

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until it takes data; raises PartError if it ends, or does not come up in time."""
        assert self.process is not None
        deadline = time.monotonic() + timeout_s
        while True:
            if self.process.poll() is not None:
                raise PartError(f"{self.name} has ended:\n{self.log()[-4000:]}")
            if time.monotonic() > deadline:
                raise PartError(f"{self.name} did not answer at {self.ready_url}:\n{self.log()[-4000:]}")
            try:
                urllib.request.urlopen(self.ready_url, timeout=2).close()
                return
            except OSError:
                time.sleep(0.05)

    def stop(self, timeout_s: float = END_S) -> None:
        """Ask it to end, and wait; one that does not is killed, and that is an error."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise PartError(f"{self.name} did not end within {timeout_s:g} s:\n{self.log()[-4000:]}") from None

    def kill(self) -> None:
        """End it as a machine's failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(END_S)
