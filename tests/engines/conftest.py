# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The suites of real engines and models, which only `make test-engines` installs."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these files unread in every other suite: they import what is not installed there."""
    return None if config.option.markexpr == "engines" else True
