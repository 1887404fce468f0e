# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Receivers, and a guard that counts from zero."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.otlp_receiver import OtlpReceiver
from support.otlp_spans import PROTOCOLS

from otelkit._core._guard import guard


@pytest.fixture(autouse=True)
def _fresh_guard() -> Iterator[None]:
    """Count and log anew, and leave nothing for the tests that follow."""
    guard.reset()
    yield
    guard.reset()


@pytest.fixture
def http() -> Iterator[OtlpReceiver]:
    """A receiver over HTTP."""
    with OtlpReceiver() as started:
        yield started


@pytest.fixture
def grpc() -> Iterator[OtlpReceiver]:
    """A receiver over gRPC."""
    with OtlpReceiver("grpc") as started:
        yield started


@pytest.fixture(params=list(PROTOCOLS))
def receiver(request: pytest.FixtureRequest) -> Iterator[OtlpReceiver]:
    """A receiver, once for each protocol."""
    with OtlpReceiver(request.param) as started:
        yield started
