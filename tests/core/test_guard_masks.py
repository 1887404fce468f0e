# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whatever an exception quotes, otelkit's log lines show no credential."""

from __future__ import annotations

import logging

import pytest

from otelkit._core._guard import guard
from otelkit.config import load
from otelkit.instruments.gauge import gauge
from otelkit.instruments.registry import Registry

_URL = "https://ada:hunter2@collector:4318/?api_key=t0ken"


@pytest.mark.parametrize("level", [logging.WARNING, logging.DEBUG])
def test_exceptions_of_others(level: int, caplog: pytest.LogCaptureFixture) -> None:
    """Of an exporter, say; with its traceback when debugging."""
    with caplog.at_level(level, "otelkit"), guard.shield(f"t.masked.{level}"):
        raise ConnectionError(f"cannot reach {_URL}")
    assert "ConnectionError: cannot reach https://REDACTED:REDACTED@collector:4318/?api_key=REDACTED" in caplog.text
    assert ("Traceback" in caplog.text) is (level == logging.DEBUG)
    assert "hunter2" not in caplog.text
    assert "t0ken" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


def test_also_when_masking_is_off_and_with_keys_of_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    """Values may be shown to a backend that one trusts; the log goes anywhere."""
    before = guard.mask
    try:
        Registry().apply(load(file="/dev/null", environ={}, mask_secrets=False))
        guard.warn("t.masked.off", f"one {_URL}")
        Registry().apply(load(file="/dev/null", environ={}, secret_patterns=[r"EMP-\d+"]))
        guard.warn("t.masked.pattern", "two EMP-17")
    finally:
        guard.mask = before
    assert "hunter2" not in caplog.text
    assert "two [masked: pattern]" in caplog.text


def test_callbacks(caplog: pytest.LogCaptureFixture) -> None:
    """A gauge's callback that fails with a connection string in its message."""
    registry = Registry()

    def read() -> float:
        raise ValueError("no such pool: postgres://ada:hunter2@db/shop")

    gauge("t.masked.pool", callback=read, registry=registry)
    registry.snapshot()
    assert "no such pool: postgres://REDACTED:REDACTED@db/shop" in caplog.text
    assert "hunter2" not in caplog.text
