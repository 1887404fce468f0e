# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Spans, requests and settings for the tests of OTLP."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from otelkit._core._guard import guard
from otelkit.config import OtlpSettings, load

PROTOCOLS = {"http": "http/protobuf", "grpc": "grpc"}


def make_spans(*names: str, padding: int = 0) -> list[ReadableSpan]:
    """Return ended spans with these names, each with ``padding`` bytes in an attribute."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    spans = [tracer.start_span(name, attributes={"padding": "x" * padding}) for name in names]
    for span in spans:
        span.end()
    return [span for span in spans if isinstance(span, ReadableSpan)]


def make_request(*names: str, padding: int = 0) -> bytes:
    """Return a serialized request with spans of these names."""
    return encode_spans(make_spans(*names, padding=padding)).SerializeToString()


def otlp_settings(
    endpoint: str, protocol: str = "http", signal: Literal["metrics", "traces"] = "traces", **arguments: object
) -> OtlpSettings:
    """Return how a signal is sent to ``endpoint``."""
    arguments = {"otlp_endpoint": endpoint, "otlp_protocol": PROTOCOLS[protocol], **arguments}
    return load(file="/dev/null", environ={}, **arguments).otlp(signal)


def names_of(spans: Sequence[Any]) -> list[str]:
    """Return the names of spans that arrived."""
    return [span.name for span in spans]


def dropped(reason: str | None = None) -> int:
    """Return how many spans the guard has counted as dropped."""
    return sum(
        items
        for what, labels, items in guard.tallies()
        if what == "dropped" and labels[0][1] == "spans" and reason in (None, labels[1][1])
    )


def eventually(condition: Callable[[], object], timeout_s: float = 10.0) -> bool:
    """Wait for something that no event announces."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
