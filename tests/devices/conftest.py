# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the machine share: scripts in processes of their own, and a GPU driver made of C."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parent / "fake_nvml" / "nvml.c"

Script = Callable[..., Any]


def run_script(code: str, **environ: str) -> Any:
    """Run ``code`` in a fresh interpreter and return what it prints, read as JSON."""
    clean = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code],  # -P: the installed package, not the checkout
        env=clean | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def script() -> Script:
    """Run code in a fresh interpreter."""
    return run_script


@pytest.fixture
def without_driver(tmp_path: Path) -> Script:
    """Run code where NVML cannot be loaded, on a machine with GPUs too."""
    (tmp_path / "libnvidia-ml.so.1").write_text("no library")
    return lambda code: run_script(code, LD_LIBRARY_PATH=str(tmp_path))


@pytest.fixture(scope="session")
def _driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.fail("Expected gcc on PATH, to compile the fake NVML; install it or leave out '-m gpu_fake'.")
    folder = tmp_path_factory.mktemp("nvml")
    library = folder / "libnvidia-ml.so.1"
    flags = ["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCE)], check=True)
    return folder


@pytest.fixture
def with_gpus(_driver: Path) -> Script:
    """Run code on the fake driver's GPUs, through the real pynvml."""
    return lambda code, **environ: run_script(code, LD_LIBRARY_PATH=str(_driver), **environ)
