# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The suite of Collectors, Jaeger and Prometheus together, which `make test-stack` builds first."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these files unread in every other suite: what they run is not built there."""
    return None if config.option.markexpr == "stack" else True
