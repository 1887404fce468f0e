# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The environments the rivals run in: one per set of pins, below ``.cache/bench``.

Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"


def requirements(name: str) -> Path:
    """The file that pins environment ``name``."""
    return ROOT / "benchmarks" / f"requirements-{name}.txt"


def python(name: str) -> Path:
    """The interpreter of environment ``name``, made already or not."""
    return CACHE / name / "bin" / "python"


def fingerprint(name: str) -> str:
    """What environment ``name`` has to be rebuilt for: other pins, or another Python."""
    return hashlib.sha256(requirements(name).read_bytes() + sys.version.encode()).hexdigest()


def create(name: str) -> None:
    """
    Make environment ``name`` unless it is there with today's pins.

    Errors: RuntimeError with pip's last words when the packages cannot be had.
    """
    stamp = CACHE / name / "fingerprint"
    if stamp.exists() and stamp.read_text() == fingerprint(name):
        return
    print(f"benchmarks: creating environment {name}", file=sys.stderr, flush=True)
    venv.create(CACHE / name, with_pip=True, clear=True)
    command = [python(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, "-r", requirements(name)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"Environment {name} could not be made: {done.stderr.strip()[-500:]}")
    stamp.write_text(fingerprint(name))
