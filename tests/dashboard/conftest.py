# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The suites of the viewer in a real browser, whose driver only `make test-dashboard` installs."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these files unread in every other suite: they import what is not installed there."""
    return None if config.option.markexpr == "dashboard" else True
