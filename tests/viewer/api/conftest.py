# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One shop with some minutes behind it, for all tests that only look."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.viewer import Viewer
from support.viewer_shop import Shop


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A dashboard in which a shop is stored whose payments became slow a minute ago."""
    folder: Path = tmp_path_factory.mktemp("shop")
    with Viewer(folder) as running:
        made = Shop(running, time.time())
        made.fill()
        yield made
