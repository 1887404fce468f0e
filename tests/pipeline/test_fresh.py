# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What a child inherits with locks that a thread of the parent's held at the fork."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
from opentelemetry.exporter.http.transport._urllib3 import Urllib3HTTPTransport
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util._once import Once
from support.otlp_receiver import OtlpReceiver

from otelkit.pipeline.fresh import renew_exporter, renew_locks, renew_session


class _Thing:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reentrant = threading.RLock()
        self.once = Once()
        self.over = threading.Event()
        self.name = "kept"


def _hold(*locks: threading.Lock) -> None:
    """Hold locks in a thread that is gone, as one of the parent's is in the child."""
    thread = threading.Thread(target=lambda: [lock.acquire() for lock in locks])
    thread.start()
    thread.join()


def test_locks_are_free_whatever_their_kind() -> None:
    """Locks, re-entrant ones, those within a Once and within an event, which keeps its state."""
    thing = _Thing()
    thing.over.set()
    _hold(thing.lock, thing.reentrant, thing.once._lock, thing.over._cond)  # type: ignore[arg-type]
    renew_locks(thing)
    assert thing.lock.acquire(blocking=False)
    assert thing.reentrant.acquire(blocking=False)
    assert thing.once.do_once(lambda: None)
    assert thing.over.wait(0)
    thing.over.clear()
    assert thing.name == "kept"


def test_an_event_that_a_thread_waits_for_stays() -> None:
    """The SDK's own hook may have started a thread that waits for it already."""
    thing = _Thing()
    over = thing.over
    thing.thread = threading.Thread(target=over.wait)  # type: ignore[attr-defined]
    thing.thread.start()  # type: ignore[attr-defined]
    renew_locks(thing)
    assert thing.over is over
    over.set()


def test_a_session_is_usable_whatever_was_held() -> None:
    """The jar of cookies has a lock, which each answer takes; cookies stay."""
    with OtlpReceiver() as receiver:
        session = requests.Session()
        session.cookies.set("sticky", "here")
        session.post(f"{receiver.endpoint}/v1/traces", b"")
        adapter = session.get_adapter(receiver.endpoint)
        _hold(session.cookies._cookies_lock)  # type: ignore[attr-defined]
        renew_session(session)
        answer: list[int] = []
        thread = threading.Thread(
            target=lambda: answer.append(session.post(f"{receiver.endpoint}/v1/traces", b"").status_code), daemon=True
        )
        thread.start()
        thread.join(10)
        assert answer == [200]
        assert session.get_adapter(receiver.endpoint) is not adapter
        assert session.cookies.get("sticky") == "here"
        assert receiver.requests[-1].headers["cookie"] == "sticky=here"
        adapter.close()
        session.close()


def _connections(exporter: Any) -> Any:
    if hasattr(exporter, "_channel"):
        return exporter._channel
    transport = exporter._client._transport
    return transport._pool if hasattr(transport, "_pool") else transport._session.get_adapter("http://")


@pytest.mark.parametrize("kind", ["requests", "urllib3", "grpc"])
def test_an_exporter_of_the_application_gets_connections_of_its_own(kind: str) -> None:
    """Parent and child would take each other's answers."""
    with OtlpReceiver("grpc" if kind == "grpc" else "http") as receiver:
        exporter: SpanExporter
        if kind == "grpc":
            exporter = GrpcSpanExporter(endpoint=receiver.endpoint, insecure=True)
        else:
            transport = Urllib3HTTPTransport() if kind == "urllib3" else None
            exporter = OTLPSpanExporter(endpoint=f"{receiver.endpoint}/v1/traces", _transport=transport)
        span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("work")
        assert exporter.export([span]) is SpanExportResult.SUCCESS  # type: ignore[list-item]
        before = _connections(exporter)
        renew_exporter(exporter)
        assert _connections(exporter) is not before
        assert exporter.export([span]) is SpanExportResult.SUCCESS  # type: ignore[list-item]
        assert len(receiver.spans()) == 2
        exporter.shutdown()
