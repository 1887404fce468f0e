# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The suites of real engines and models, which only `make test-engines` installs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these files unread in every other suite: they import what is not installed there."""
    return None if config.option.markexpr == "engines" else True


@pytest.fixture(scope="session", autouse=True)
def _importable_tests() -> Iterator[None]:
    """
    Let workers that are spawned import what the tests' modules define, by the name that pickle gives it.

    Last on the path: otelkit is to come from the wheel that is installed, not from beside the tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[2])])
        yield
