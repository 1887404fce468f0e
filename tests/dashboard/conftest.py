# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The suites of the viewer in a real browser, whose driver only `make test-dashboard` installs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dashboard.viewers import Viewer
    from playwright.sync_api import Browser


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these files unread in every other suite: they import what is not installed there."""
    return None if config.option.markexpr == "dashboard" else True


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """The viewer that `otelkit demo` starts and sends to, once every page has something to show."""
    from dashboard.viewers import run_demo

    with run_demo(tmp_path_factory.mktemp("demo")) as viewer:
        yield viewer


@pytest.fixture(scope="session")
def invented() -> Iterator[Viewer]:
    """The pages in front of invented answers: what no test machine has."""
    from dashboard.viewers import run_invented

    with run_invented() as viewer:
        yield viewer
