# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the wheel holds, and that the tests run on it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import otelkit

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel and return the names in it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_has_two_packages_and_nothing_else(names: set[str]) -> None:
    """Its top level is the two packages and their metadata: no tests, no benchmarks, no ``instrumentation``."""
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"otelkit", "otelkit_instrumentation"}


def test_wheel_is_typed_and_brings_the_examples(names: set[str]) -> None:
    """Both packages are marked as typed, and the demo's system is inside."""
    assert {"otelkit/py.typed", "otelkit_instrumentation/py.typed"} <= names
    assert any(name.startswith("otelkit/_examples/demo_system/") for name in names)


def test_wheel_brings_the_viewer_s_pages(names: set[str]) -> None:
    """Page, style, modules, font and uPlot with their licences: every file of the folder."""
    folder = ROOT / "otelkit" / "viewer" / "static"
    files = {path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"otelkit/viewer/static/index.html", "otelkit/viewer/static/vendor/uPlot.esm.js"} <= files
    assert files <= names


def test_wheel_brings_its_licence(names: set[str]) -> None:
    """The licence's text is part of the metadata."""
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_tests_run_on_the_installed_wheel() -> None:
    """What the tests import is the installed package, not the checkout that they lie in."""
    assert "site-packages" in Path(otelkit.__file__).parts
