# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Spans over OTLP: handed over at once, delivered by a thread that has all the time it needs."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit.pipeline.health import Work
from otelkit.pipeline.otlp.backoff import Backoff
from otelkit.pipeline.otlp.courier import LEFT_ALONE, Courier
from otelkit.pipeline.otlp.outbox import Outbox, Parcel
from otelkit.pipeline.otlp.splitting import count

NAME = "otlp"

_FAILURES_OF_AN_OUTAGE = 3

_LAST_MOMENT_S = 0.1

# How often to look for what dead processes left.
_ADOPTION_INTERVAL_S = 30.0


class OtlpSpanExporter(SpanExporter):
    """
    Sends spans in the order in which they came, however long it takes.

    `export` only encodes and puts into the outbox, so that spans never pile up in the processor's queue, whatever the
    receiver does. A thread delivers: what fails for now waits, on disk, and with it all that comes after; what is
    refused is dropped and counted. Thread-safe.

    Args:
        courier: Delivers.
        outbox: Holds what waits.
        timeout_s: Seconds for one attempt.
        backoff: Between attempts.
    """

    def __init__(self, courier: Courier, outbox: Outbox, *, timeout_s: float, backoff: Backoff | None = None) -> None:
        self.courier = courier
        self.outbox = outbox
        self._timeout_s = timeout_s
        self._backoff = backoff or Backoff()
        self._closed = False
        self._work = Work("export", NAME, signal="traces")
        self._begin()
        forks.in_child(self.start_afresh)

    def _begin(self) -> None:
        self._failures = 0  # in a row
        self._attempts_failed = 0  # ever
        self._lost = 0
        self._nobody_listens = False
        self._ending = False
        self._hurry = False
        self._adopt_at = 0.0
        self._thread = threading.Thread(target=self._run, name="otelkit spans", daemon=True)
        self._thread.start()

    def start_afresh(self) -> None:
        """Hold nothing of the parent's and deliver with a thread of one's own, as a forked child must."""
        if self._closed:
            return
        self.outbox.start_afresh()
        self.courier.start_afresh()
        self._begin()

    # -- for the SDK ----------------------------------------------------------

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand over; FAILURE only if nobody will deliver any more."""
        if self._closed:
            guard.dropped("spans", "ended after shutdown", len(spans))
            return SpanExportResult.FAILURE
        forks.notice()
        body = _encode(spans)
        if body:
            self.outbox.put(body, len(spans))
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """
        Wait until all that was handed over is delivered; False if some of it was not within the time.

        A receiver that has failed several times in a row gets one more attempt, no more: its spans are on disk. At the
        end of the program so does one that is not there at all.
        """
        end = time.monotonic() + timeout_millis / 1e3
        changed = self.outbox.changed
        with changed:
            failed, lost = self._attempts_failed, self._lost
            patient = self._failures < _FAILURES_OF_AN_OUTAGE
            self._hurry = True
            changed.notify_all()
            while len(self.outbox) and not self._closed:
                hopeless = not patient or (self._ending and self._nobody_listens)
                if hopeless and self._attempts_failed > failed:
                    break
                if not changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    break
            return not len(self.outbox) and self._lost == lost

    def prepare_to_end(self) -> None:
        """Wait no more for a receiver that is not there at all."""
        self._ending = True

    def shutdown(self) -> None:
        """Keep on disk what was not delivered, and stop; waits a moment for an attempt that is under way."""
        if self._closed:
            return
        self._closed = True
        self.outbox.keep()
        self.outbox.give_up()
        self._thread.join(_LAST_MOMENT_S)
        if self._thread.is_alive():
            self.courier.close()

    # -- the thread -----------------------------------------------------------

    def _run(self) -> None:
        pid = os.getpid()
        with suppress_instrumentation():
            while not self._closed and pid == os.getpid():
                wait_s: float = _ADOPTION_INTERVAL_S
                with guard.shield("delivery of spans"):
                    wait_s = self._step()
                self._wait(wait_s)
        # Not before: what an attempt has just delivered must not be found by the next owner.
        if self._closed and pid == os.getpid():
            self.outbox.release()
            self.courier.close()

    def _step(self) -> float:
        """Deliver until there is nothing left or something fails; return the seconds to wait then."""
        if time.monotonic() >= self._adopt_at:
            self._adopt_at = time.monotonic() + _ADOPTION_INTERVAL_S
            self.outbox.adopt()
        while not self._closed and (parcel := self.outbox.first()):
            wish_s = None
            try:
                wish_s = self._deliver(parcel)
            except Exception as error:  # it would fail again, and all that comes after would wait for ever
                self.outbox.lose(parcel, "cannot be delivered")
                guard.failed("delivery of spans", error)
            if self._failures:
                return self._backoff.delay_s(self._failures, wish_s)
        return max(0.0, self._adopt_at - time.monotonic())

    def _deliver(self, parcel: Parcel) -> float | None:
        """Try one parcel; return the receiver's wish for a pause, if it has one."""
        body = self.outbox.body(parcel)
        if body is None:
            self._lost += 1
            return None
        parts = deque([body])
        while True:
            with self._work.measured():
                attempt = self.courier.attempt(parts, self._timeout_s)
            if attempt.verdict != "refused":
                break
            self._lost += self.courier.drop(parts.popleft(), "refused by the receiver", attempt.reason)
            guard.exported(NAME, "dropped")
        if attempt.verdict == "delivered":
            guard.exported(NAME, "success")
            self._failures = 0
            self.outbox.remove(parcel)
            if not len(self.outbox):
                self.outbox.keep(False)
            return None
        if attempt.reason != LEFT_ALONE:
            guard.exported(NAME, "failure")
        if len(parts) != 1 or parts[0] is not body:
            self.outbox.replace(parcel, [(part, count("traces", part)) for part in parts])
        self.outbox.keep()
        with self.outbox.changed:
            self._failures += 1
            self._attempts_failed += 1
            self._nobody_listens = attempt.nobody_listens
            self.outbox.changed.notify_all()
        return attempt.wish_s

    def _wait(self, wait_s: float) -> None:
        """Wait for time to pass, something to come while nothing is wrong, or a flush."""
        end = time.monotonic() + wait_s
        with self.outbox.changed:
            while not self._closed and not self._hurry:
                if len(self.outbox) and not self._failures:
                    break
                left_s = end - time.monotonic()
                if left_s <= 0:
                    break
                self.outbox.changed.wait(left_s)
            self._hurry = False


def _encode(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the request; a span that cannot be encoded is left out and counted."""
    try:
        return encode_spans(spans).SerializeToString()
    except Exception as error:
        if len(spans) == 1:
            guard.dropped("spans", "cannot be encoded", detail=f"{spans[0].name}: {error}")
            return b""
        # Requests may be joined by joining their bytes: a repeated field goes on.
        return b"".join(_encode([span]) for span in spans)
