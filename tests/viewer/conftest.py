# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A dashboard for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.viewer import Viewer


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    """Serve from a folder of the test's own."""
    with Viewer(tmp_path / "data") as running:
        yield running


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[object], None]:
    """Write into the output of a test that succeeds, too: what came, what was refused, what was found again."""

    def write(counted: object) -> None:
        with capsys.disabled():
            print(f"\n  {counted}")

    return write
