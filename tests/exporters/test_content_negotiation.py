# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Who gets which format, header by header."""

import pytest

from otelkit.exporters._content_negotiation import accepts_gzip, prefers_openmetrics

# What Prometheus 3 sends (scrape/scrape.go, acceptHeader), without and with native histograms.
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
WITH_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," + PROMETHEUS_3
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        (PROMETHEUS_3, True),
        (WITH_PROTOBUF, True),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ('Application/OpenMetrics-Text; Version="1.0.0"', True),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.7", False),
        ("text/plain;version=0.0.4;q=0.3,application/openmetrics-text;q=0.7", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text,text/plain", True),
        ("text/plain,application/openmetrics-text", False),
        ("text/plain;q=0.5,*/*;q=0.9", True),
        ("text/*;q=0.9,application/*;q=0.8", False),
        ("application/*", True),
        ("application/json", False),
        ("application/openmetrics-text;q=nonsense,text/plain;q=0.1", False),
        ("application/openmetrics-text;q=7,text/plain;q=0.1", False),
        (",;,=;q", False),
    ],
)
def test_format_follows_the_accept_header(accept, expected):
    """The format with the higher q-value is sent, and text where nothing decides."""
    assert prefers_openmetrics(accept) is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("gzip;q=0, *", False),
        ("identity", False),
        ("br", False),
    ],
)
def test_compression_follows_the_accept_encoding_header(accept_encoding, expected):
    """Compressed only for a client that said it reads gzip."""
    assert accepts_gzip(accept_encoding) is expected
