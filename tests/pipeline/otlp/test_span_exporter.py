# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Spans to a receiver that is down, slow, refusing, or lying: delivered once, in order, and nobody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from support.otlp_receiver import BAD_REQUEST, CUT, NEVER, UNAVAILABLE, Answer, OtlpReceiver, partial
from support.otlp_spans import dropped, eventually, make_spans, names_of, otlp_settings

from otelkit._core._guard import guard
from otelkit.pipeline.otlp import _transport
from otelkit.pipeline.otlp.backoff import Backoff
from otelkit.pipeline.otlp.courier import REJECTED, TOO_LARGE, Courier
from otelkit.pipeline.otlp.destination import Destination
from otelkit.pipeline.otlp.outbox import Outbox
from otelkit.pipeline.otlp.span_exporter import OtlpSpanExporter
from otelkit.pipeline.otlp.span_files import SpanFiles

Make = Callable[..., OtlpSpanExporter]

REFUSED = "refused by the receiver"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes an exporter with small pauses; they end with the test."""
    made: list[OtlpSpanExporter] = []

    def _make(
        receiver: OtlpReceiver, *, timeout_s: float = 5.0, max_bytes: int = 1 << 20, folder: str | None = "spans"
    ) -> OtlpSpanExporter:
        transport = _transport(otlp_settings(receiver.endpoint, receiver.protocol), "traces")
        destination = Destination(receiver.endpoint)
        files = SpanFiles(tmp_path / folder) if folder else None
        outbox = Outbox(files, disk_bytes=64 << 20, max_age_s=60, on_dropped=lambda n: destination.dropped("traces", n))
        exporter = OtlpSpanExporter(
            Courier(transport, "traces", destination, max_bytes=max_bytes),
            outbox,
            timeout_s=timeout_s,
            backoff=Backoff(0.02, 0.1),
        )
        made.append(exporter)
        return exporter

    yield _make
    for exporter in made:
        exporter.shutdown()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged, by anybody, warnings and worse."""
    return [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR", "CRITICAL")]


def exports(outcome: str) -> int:
    """Return how many exports the guard has counted with that outcome."""
    return sum(
        items
        for what, labels, items in guard.tallies()
        if what == "exports" and labels == (("otelkit.exporter", "otlp"), ("otelkit.outcome", outcome))
    )


def test_delivered(make: Make, receiver: OtlpReceiver, tmp_path: Path) -> None:
    """In order, without a file."""
    exporter = make(receiver)
    for name in "abc":
        assert exporter.export(make_spans(name)) is SpanExportResult.SUCCESS
    assert exporter.force_flush(5_000)
    assert names_of(receiver.spans()) == ["a", "b", "c"]
    assert exports("success") == 3
    assert not (tmp_path / "spans").exists()


def test_away_and_back(make: Make, receiver: OtlpReceiver, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Down for a while: spans wait on disk, and arrive once, in order, before newer ones; two lines say so."""
    exporter = make(receiver)
    exporter.export(make_spans("before"))
    assert exporter.force_flush(5_000)
    receiver.stop()
    for number in range(20):
        exporter.export(make_spans(f"during {number}"))
    assert not exporter.force_flush(300)
    assert eventually(lambda: exporter.courier.destination._failures > 3)
    assert len(list(tmp_path.glob("spans/*/*.otlp"))) == 20
    assert exporter.outbox.memory_bytes == 0
    assert len(lines(caplog)) == 1
    assert lines(caplog)[0].startswith(f"otelkit cannot deliver traces to {receiver.endpoint}: ")
    with OtlpReceiver(receiver.protocol, port=receiver.port) as back:
        exporter.export(make_spans("after"))
        assert eventually(lambda: not len(exporter.outbox))
        assert names_of(back.spans()) == [*(f"during {number}" for number in range(20)), "after"]
    _, up = lines(caplog)
    assert up.startswith(f"otelkit delivers to {receiver.endpoint} again, after ")
    assert f"and {exports('failure')} failed requests" in up
    assert list(tmp_path.glob("spans/*/*.otlp")) == []
    assert dropped() == 0


@pytest.mark.parametrize(
    "answer", [UNAVAILABLE, CUT, Answer(429, stored=False, retry_after_s=0.05)], ids=["503", "cut", "429"]
)
def test_transient_failures(make: Make, receiver: OtlpReceiver, answer: Answer) -> None:
    """Three times, then all is well: each span once."""
    exporter = make(receiver)
    receiver.answers += [answer] * 3
    for name in "abc":
        exporter.export(make_spans(name))
    assert eventually(lambda: not len(exporter.outbox))
    assert names_of(receiver.spans()) == ["a", "b", "c"]
    assert dropped() == 0


def test_receiver_wants_to_be_left_alone(make: Make, receiver: OtlpReceiver) -> None:
    """Retry-After and RetryInfo hold, also for a flush."""
    exporter = make(receiver)
    receiver.answers.append(Answer(429, stored=False, retry_after_s=1))
    exporter.export(make_spans("a"))
    assert receiver.wait_for(lambda receiver: receiver.requests)
    began = time.monotonic()
    assert not exporter.force_flush(300)
    assert len(receiver.requests) == 1
    assert receiver.wait_for(lambda receiver: receiver.spans(), 5)
    assert 0.8 < time.monotonic() - began < 2
    assert len(receiver.requests) == 2


def test_refused_spans_are_dropped(make: Make, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    """Never sent again, counted, and what comes after is delivered."""
    exporter = make(receiver)
    receiver.answers.append(BAD_REQUEST)
    exporter.export(make_spans("a", "b"))
    exporter.export(make_spans("c"))
    exporter.force_flush(5_000)
    assert names_of(receiver.spans()) == ["c"]
    assert len(receiver.requests) == 2
    assert dropped(REFUSED) == 2
    assert any("2 spans were lost" in line for line in lines(caplog))


def test_partial_success(make: Make, receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    """What the receiver says it did not keep is counted, its words are logged once, and nothing is sent again."""
    exporter = make(receiver)
    receiver.answers += [partial(2), partial(1), Answer(message="deprecated attribute")]
    for _ in range(3):
        exporter.export(make_spans("a", "b", "c"))
    assert exporter.force_flush(5_000)
    assert len(receiver.requests) == 3
    assert dropped(REJECTED) == 3
    assert sum("told to reject" in line for line in lines(caplog)) == 1
    assert sum("deprecated attribute" in line for line in lines(caplog)) == 1


def test_garbage_for_an_answer(make: Make, http: OtlpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    """A web server that says 200 to everything is believed, but not without a word."""
    exporter = make(http)
    http.always = Answer(body=b"<html>welcome</html>")
    for name in "abc":
        exporter.export(make_spans(name))
    assert exporter.force_flush(5_000)
    assert len(http.requests) == 3
    assert len(lines(caplog)) == 1
    assert "no OTLP answer" in lines(caplog)[0]


@pytest.mark.parametrize("known", [True, False], ids=["limit known", "limit found out"])
def test_large_requests_are_split(make: Make, known: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Until the receiver takes them; a single span that it never takes is dropped, the others arrive in order."""
    for protocol in ("http", "grpc"):
        with OtlpReceiver(protocol, max_bytes=3_000) as receiver:
            exporter = make(receiver, max_bytes=3_000 if known else 1 << 20)
            spans = make_spans(*"abcdefgh", padding=500)
            spans[3:3] = make_spans("huge", padding=5_000)
            exporter.export(spans)
            assert exporter.force_flush(5_000)
            assert names_of(receiver.spans()) == list("abcdefgh")
            exporter.shutdown()
    assert dropped(TOO_LARGE) == 2
    assert sum("larger than the receiver takes" in line for line in lines(caplog)) == 1


def test_split_in_an_outage(make: Make, receiver: OtlpReceiver) -> None:
    """The halves that were acknowledged are not sent again."""
    exporter = make(receiver, max_bytes=1_500)
    receiver.answers += [Answer(), UNAVAILABLE, UNAVAILABLE]
    exporter.export(make_spans(*"abcd", padding=500))
    assert eventually(lambda: not len(exporter.outbox))
    assert names_of(receiver.spans()) == ["a", "b", "c", "d"]


def test_poison(make: Make, http: OtlpReceiver) -> None:
    """A request that cannot even be parted, as it is none, holds nothing up."""
    exporter = make(http, max_bytes=1_000)
    exporter.outbox.put(b"\xff" * 2_000, 7)
    exporter.export(make_spans("a"))
    assert eventually(lambda: http.spans())
    assert dropped("cannot be delivered") == 7


def test_restart(make: Make, receiver: OtlpReceiver) -> None:
    """Ended with the receiver away, the next process delivers what this one could not, before its own."""
    receiver.always = UNAVAILABLE
    first = make(receiver)
    for name in "ab":
        first.export(make_spans(name))
    assert not first.force_flush(200)
    first.shutdown()
    assert first.export(make_spans("too late")) is SpanExportResult.FAILURE
    receiver.always = Answer()
    second = make(receiver)
    second.export(make_spans("c"))
    assert second.force_flush(5_000)
    assert names_of(receiver.spans()) == ["a", "b", "c"]


def test_flush_of_an_outage_is_short(make: Make, receiver: OtlpReceiver) -> None:
    """One more attempt, and the answer is no."""
    receiver.always = UNAVAILABLE
    exporter = make(receiver)
    exporter.export(make_spans("a"))
    assert eventually(lambda: len(receiver.requests) > 4)
    began = time.monotonic()
    assert not exporter.force_flush(5_000)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("folder", ["spans", None], ids=["with disk", "memory only"])
def test_nobody_waits(make: Make, receiver: OtlpReceiver, folder: str | None) -> None:
    """The receiver hangs while 20,000 spans are made: none of them takes long, memory stays bounded."""
    receiver.always = NEVER
    exporter = make(receiver, folder=folder, timeout_s=5)
    exporter.outbox._memory_limit = 100_000
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=50_000, max_export_batch_size=512))
    tracer = provider.get_tracer("tests")
    longest_s, most_bytes = 0.0, 0
    for number in range(20_000):
        began = time.perf_counter()
        with tracer.start_as_current_span("work"):
            pass
        longest_s = max(longest_s, time.perf_counter() - began)
        if not number % 100:
            most_bytes = max(most_bytes, exporter.outbox.memory_bytes)
    provider.force_flush()
    assert longest_s < 1  # a request's timeout is 5 s; 5 ms were measured, and 250 on a machine with much else to do
    assert most_bytes <= 100_000 + 512 * 200
    assert exporter.outbox.memory_bytes <= 100_000
    if folder:
        assert exporter.outbox.disk_bytes > 1_000_000
        assert dropped() == 0
    else:
        assert dropped() > 10_000
    exporter.shutdown()
    provider.shutdown()
