# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The checkout's benchmarks, which no wheel has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "benchmarks").is_dir():
    raise RuntimeError(f"Expected the checkout's benchmarks, got none - at {ROOT}.")


@pytest.fixture(autouse=True)
def importable_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the checkout's benchmarks be imported, behind whatever otelkit is installed."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
