# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the doctor says about the GPU driver: absent, well, not starting, with a device lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "devices" / "fake_nvml" / "nvml.c"


def findings(library_folder, **variables):
    """Return the doctor's findings about GPUs, by check, with the driver that is in ``library_folder``."""
    done = subprocess.run(
        [sys.executable, "-m", "otelkit", "doctor", "--json"],
        capture_output=True,
        env={**os.environ, "LD_LIBRARY_PATH": str(library_folder), **variables},
    )
    return {found["check"]: found for found in json.loads(done.stdout)["findings"] if found["section"] == "GPU"}


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """A folder with the fake NVML in it."""
    folder = tmp_path_factory.mktemp("nvml")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(folder / "libnvidia-ml.so.1"), str(SOURCE)], check=True)
    return folder


def test_no_driver(tmp_path):
    """No driver is nothing to worry about."""
    (tmp_path / "libnvidia-ml.so.1").write_text("no library")
    assert findings(tmp_path)["gpu"]["status"] == "note"


@pytest.mark.gpu_fake
def test_driver(driver):
    """A driver that answers is told with its devices."""
    found = findings(driver)
    assert list(found) == ["gpu"]
    assert found["gpu"]["status"] == "ok"
    assert "3 device(s)" in found["gpu"]["message"]


@pytest.mark.gpu_fake
def test_driver_that_does_not_start(driver):
    """A driver that is there but does not start is a warning."""
    version_mismatch = "18"
    found = findings(driver, FAKE_NVML_INIT=version_mismatch)
    assert found["gpu"]["status"] == "warning"
    assert "mismatch" in found["gpu"]["message"]


@pytest.mark.gpu_fake
def test_lost_device(driver, tmp_path):
    """A device that is lost is named; the others are still counted."""
    (tmp_path / "lost").write_text("")
    found = findings(driver, FAKE_NVML_LOST=str(tmp_path / "lost"))
    assert "2 device(s)" in found["gpu"]["message"]
    assert "GPU 1" in found["gpu.errors"]["message"]
