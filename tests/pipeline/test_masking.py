# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""No credential leaves the process in a span, whoever made it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from support.otlp_receiver import OtlpReceiver, attributes_of

import otelkit
from otelkit.masking import Masker
from otelkit.pipeline.masking import masked_span
from otelkit.pipeline.telemetry import Telemetry

Start = Callable[..., Telemetry]

_SECRETS = ("hunter2", "tok-123456", "s3cr3t")


def test_nothing_secret_is_exported(start: Start, receiver: OtlpReceiver) -> None:
    """Not in attributes, events, exceptions, statuses, links, names or the resource; the rest arrives untouched."""
    telemetry = start(
        otlp_endpoint=receiver.endpoint,
        resource_attributes={"deploy.api_key": "s3cr3t", "process.command": "run --dsn=pg://u:hunter2@db"},
    )
    tracer = trace.get_tracer("application")
    link = Link(SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(1)), {"auth_token": "tok-123456"})
    with pytest.raises(ValueError), tracer.start_as_current_span("GET http://u:hunter2@h/", links=[link]) as span:  # noqa: PT012
        span.set_attribute("db.password", "hunter2")
        span.set_attribute("http.request.header.authorization", ["Bearer tok-123456"])
        span.set_attribute("url.full", "https://api.example/orders?page=2&access_token=tok-123456")
        span.set_attribute("order.id", 17)
        span.add_event("login with password=hunter2", {"secret": "s3cr3t", "attempt": 1})
        raise ValueError("cannot connect to postgres://shop:hunter2@db/shop")
    assert telemetry.flush(5)
    (sent,) = receiver.spans()
    everything = "".join(str(request.message) for request in receiver.requests)
    assert not [secret for secret in _SECRETS if secret in everything]
    attributes = attributes_of(sent.attributes)
    assert attributes["url.full"] == "https://api.example/orders?page=2&access_token=REDACTED"
    assert attributes["http.request.header.authorization"] == ["[masked: authorization]"]
    assert attributes["order.id"] == 17
    assert attributes_of(sent.events[0].attributes)["attempt"] == 1
    assert "ValueError: cannot connect to postgres://REDACTED:REDACTED@db/shop" in sent.status.message
    assert attributes_of(sent.events[1].attributes)["exception.type"] == "ValueError"


def test_traced_functions(start: Start, receiver: OtlpReceiver) -> None:
    """What `observed` records of an exception and of labels given late is masked as well."""

    @otelkit.observed(name="t.masked.charge", labels=["api_key"])
    def charge() -> None:
        otelkit.add_label("api_key", "s3cr3t")
        raise RuntimeError("refused: password=hunter2")

    telemetry = start(otlp_endpoint=receiver.endpoint)
    with pytest.raises(RuntimeError):
        charge()
    assert telemetry.flush(5)
    (sent,) = receiver.spans()
    assert not [secret for secret in _SECRETS if secret in str(sent)]
    assert "[masked: assignment]" in sent.status.message


def test_settings_of_masking(start: Start, receiver: OtlpReceiver) -> None:
    """Keys can be added and let through, and all of it switched off by a second configuration."""
    telemetry = start(
        otlp_endpoint=receiver.endpoint,
        secret_keys=["iban"],
        secret_keys_allowed=["debug.token"],
        secret_patterns=[r"EMP-\d+"],
    )
    tracer = trace.get_tracer("application")
    given = {"iban": "DE1", "debug.token": "t1", "note": "by EMP-12"}
    tracer.start_span("one", attributes=given).end()
    assert telemetry.flush(5)
    telemetry = start(otlp_endpoint=receiver.endpoint, mask_secrets=False)
    tracer.start_span("two", attributes={**given, "password": "hunter2"}).end()
    assert telemetry.flush(5)
    one, two = (attributes_of(span.attributes) for span in receiver.spans())
    assert one == {"iban": "[masked: secret_keys]", "debug.token": "t1", "note": "by [masked: pattern]"}
    assert two == {**given, "password": "hunter2"}


def _ended(limits: SpanLimits | None = None, **attributes: str) -> ReadableSpan:
    provider = TracerProvider(span_limits=limits or SpanLimits(), shutdown_on_exit=False)
    span = provider.get_tracer("t").start_span("s", attributes=attributes)
    for number in range(3):
        span.add_event(f"e{number}", attributes)
    span.set_status(Status(StatusCode.ERROR, "failed"))
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def test_clean_spans_pass_as_they_are() -> None:
    """No copy is made."""
    span = _ended(route="/orders", count="17")
    assert masked_span(span, Masker()) is span


def test_masked_spans_keep_everything_else() -> None:
    """Times, identity, kind, and how much the SDK's limits had dropped."""
    limits = SpanLimits(max_span_attributes=2, max_event_attributes=2, max_events=2)
    span = _ended(limits, a="1", b="2", password="hunter2", token="t")
    shown = masked_span(span, Masker())
    assert shown is not span
    assert dict(shown.attributes or {}) == {"password": "[masked: password]", "token": "[masked: token]"}
    assert dict(span.attributes or {})["password"] == "hunter2"
    for name in ("name", "context", "parent", "start_time", "end_time", "kind", "resource", "instrumentation_scope"):
        assert getattr(shown, name) == getattr(span, name)
    for name in ("dropped_attributes", "dropped_events", "dropped_links"):
        assert getattr(shown, name) == getattr(span, name)
    assert shown.dropped_attributes == 2
    assert shown.dropped_events == 1
    assert [event.dropped_attributes for event in shown.events] == [2, 2]
    assert [event.timestamp for event in shown.events] == [event.timestamp for event in span.events]
    assert shown.status.description == "failed"
