# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""How each signal is sent: common values and the signal's own variables."""

from __future__ import annotations

import os

import pytest

from otelkit.config import load

NOWHERE = os.devnull


@pytest.mark.parametrize(
    ("environ", "metrics", "traces"),
    [
        ({}, "http://localhost:4318/v1/metrics", "http://localhost:4318/v1/traces"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/base/"},
            "http://c:1/base/v1/metrics",
            "http://c:1/base/v1/traces",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:2/api"},
            "http://m:2/api",
            "http://c:1/v1/traces",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", "http://localhost:4317"),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c"},
            "https://c/v1/metrics",
            "https://c",
        ),
    ],
)
def test_endpoints(environ: dict[str, str], metrics: str, traces: str) -> None:
    """Base URLs get the signal's path over HTTP; a signal's own endpoint is taken as it is."""
    settings = load(NOWHERE, environ)
    assert (settings.otlp("metrics").endpoint, settings.otlp("traces").endpoint) == (metrics, traces)


def test_a_signals_variable_and_the_others() -> None:
    """It wins over the common variable, OTELKIT_* and the file, but not over an argument."""
    environ = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "4",
        "OTELKIT_OTLP_TIMEOUT_S": "5",
    }
    settings = load(NOWHERE, environ)
    assert (settings.otlp("metrics").timeout_s, settings.otlp("traces").timeout_s) == (4, 3)
    assert settings.otlp("metrics").sources["otlp_timeout_s"] == "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"
    assert settings.otlp("traces").sources["otlp_timeout_s"] == "OTEL_EXPORTER_OTLP_TIMEOUT"
    settings = load(NOWHERE, environ, otlp_timeout_s=6)
    assert settings.otlp("metrics").timeout_s == settings.otlp("traces").timeout_s == 6


def test_all_variables_of_a_signal() -> None:
    """Every one of a signal's variables is read."""
    certificate = os.path.abspath(__file__)
    words = {
        "ENDPOINT": "collector:4317",
        "PROTOCOL": "grpc",
        "HEADERS": "Api-Key=a%2Cb",
        "TIMEOUT": "2000",
        "COMPRESSION": "gzip",
        "CERTIFICATE": certificate,
        "CLIENT_KEY": certificate,
        "CLIENT_CERTIFICATE": certificate,
        "INSECURE": "TRUE",
    }
    otlp = load(NOWHERE, {f"OTEL_EXPORTER_OTLP_TRACES_{word}": text for word, text in words.items()}).otlp("traces")
    assert (otlp.endpoint, otlp.protocol, otlp.headers) == ("collector:4317", "grpc", {"api-key": "a,b"})
    assert (otlp.timeout_s, otlp.compression, otlp.insecure) == (2, "gzip", True)
    assert otlp.certificate == otlp.client_key == otlp.client_certificate == certificate
    assert set(otlp.sources.values()) == {f"OTEL_EXPORTER_OTLP_TRACES_{word}" for word in words}


def test_headers_are_not_shown() -> None:
    """A representation in a log shows neither headers nor a URL's password."""
    settings = load(NOWHERE, {}, otlp_headers={"api-key": "hunter2"}, otlp_endpoint="http://me:hunter3@host")
    for text in (repr(settings), repr(settings.otlp("traces"))):
        assert "hunter" not in text
        assert "http://me:********@host" in text
