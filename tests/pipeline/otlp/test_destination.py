# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One line when a receiver stops taking what it is sent, one when it is back."""

from __future__ import annotations

import pytest

from otelkit.pipeline.otlp.destination import Destination, destination_of


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged."""
    return [record.message for record in caplog.records]


def test_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    """However many requests fail, of however many signals; back is when all of them are."""
    destination = Destination("http://collector:4318")
    destination.hint = "Spans are kept."
    destination.delivered("traces")
    for _ in range(10):
        destination.failed("traces", "HTTP 503")
        destination.failed("metrics", "HTTP 400")
    destination.dropped("metrics", 3)
    destination.delivered("traces")
    assert destination.failing("metrics")
    assert len(lines(caplog)) == 1
    destination.delivered("metrics")
    down, up = lines(caplog)
    assert down == "otelkit cannot deliver traces to http://collector:4318: HTTP 503. Spans are kept."
    assert up == (
        "otelkit delivers to http://collector:4318 again, after 0 s and 20 failed requests; 3 data points were lost."
    )


def test_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that fails every other time fills no log: what was not announced is not revoked either."""
    destination = Destination("http://collector:4318")
    for _ in range(10):
        destination.failed("traces", "HTTP 503")
        destination.delivered("traces")
    assert len(lines(caplog)) == 2


def test_announced_again(caplog: pytest.LogCaptureFixture) -> None:
    """After a while, each outage has its two lines."""
    destination = Destination("http://collector:4318", log_interval_s=0)
    for _ in range(3):
        destination.failed("traces", "HTTP 503")
        destination.delivered("traces")
    assert len(lines(caplog)) == 6


def test_shared_by_signals() -> None:
    """Host and port make a receiver; its name shows no password."""
    traces = destination_of("http://me:s3cret@collector:4318/v1/traces")
    assert traces is destination_of("http://collector:4318/v1/metrics")
    assert traces is not destination_of("http://collector:4317/v1/metrics")
    assert traces.name == "http://collector:4318"
    assert destination_of("collector:4317").name == "collector:4317"
