# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What `up` started, so that `down` ends that and nothing else."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from .part import END_S, Part


class RunningError(Exception):
    """It runs already, or does not end."""


def write(folder: Path, parts: Iterable[Part]) -> None:
    """Note the processes of ``parts``."""
    noted = {part.name: [part.process.pid, _started(part.process.pid)] for part in parts if part.process}
    _file(folder).write_text(json.dumps(noted))


def refuse_second(folder: Path) -> None:
    """Raise RunningError if what was noted in ``folder`` still runs."""
    if alive := _alive(folder):
        raise RunningError(f"It runs already: {', '.join(alive)}. `make stack-down` ends it.")


def end(folder: Path) -> list[str]:
    """End what was noted, senders first, and return the names of what was still running."""
    ended = list(reversed(_alive(folder).items()))
    for name, pid in ended:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + END_S
        while name in _alive(folder):
            if time.monotonic() > deadline:
                raise RunningError(f"{name} (process {pid}) did not end within {END_S:g} s.")
            time.sleep(0.05)
    _file(folder).unlink(missing_ok=True)
    return [name for name, _ in ended]


def _alive(folder: Path) -> dict[str, int]:
    file = _file(folder)
    noted = json.loads(file.read_text()) if file.exists() else {}
    return {name: pid for name, (pid, started) in noted.items() if started and _started(pid) == started}


def _started(pid: int) -> str:
    """Return when a process began, in the kernel's ticks; empty if there is none, or it has ended already."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return "" if state == "Z" else rest[18]


def _file(folder: Path) -> Path:
    return folder / "running.json"
