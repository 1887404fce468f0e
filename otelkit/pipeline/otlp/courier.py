# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One attempt to deliver: in parts if it must be, with an eye on what the receiver says."""

from __future__ import annotations

import time
from collections import deque
from typing import Literal, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from otelkit._core._guard import guard
from otelkit.pipeline.otlp.destination import Destination
from otelkit.pipeline.otlp.reply import Reply, Signal, Transport
from otelkit.pipeline.otlp.splitting import count, halves

TOO_LARGE = "larger than the receiver takes"
REJECTED = "rejected by the receiver"
LEFT_ALONE = "the receiver wants to be left alone"


class Attempt(NamedTuple):
    """
    How far it came.

    Attributes:
        verdict: ``delivered``: all parts. ``retry``: the first of those left may come again. ``refused``: it must not.
        wish_s: Seconds that the receiver wants to be left alone, or None.
    """

    verdict: Literal["delivered", "retry", "refused"]
    reason: str = ""
    wish_s: float | None = None

    @property
    def nobody_listens(self) -> bool:
        """Whether there is no receiver at all: nothing to wait for at a program's end."""
        return self.verdict == "retry" and "connection refused" in self.reason.lower()


class Courier:
    """
    Delivers the requests of one signal.

    Used by one thread at a time.

    Args:
        transport: How.
        signal: What.
        destination: Where to; hears of failures.
        max_bytes: Largest request, before compression; larger ones are split before they are sent.
    """

    def __init__(self, transport: Transport, signal: Signal, destination: Destination, *, max_bytes: int) -> None:
        self.transport = transport
        self.signal: Signal = signal
        self.destination = destination
        self._max_bytes = max_bytes
        self._not_before = 0.0
        self._closed = False

    def attempt(self, parts: deque[bytes], timeout_s: float) -> Attempt:
        """
        Send ``parts`` in order, and take out of them what was acknowledged or can never be delivered.

        Stops at the first part that fails, which stays. One span or point that is too large alone is dropped and
        counted.

        Args:
            parts: Serialized requests.
            timeout_s: Seconds for all of it.
        """
        end = time.monotonic() + timeout_s
        while parts:
            wait_s = self._not_before - time.monotonic()
            if wait_s > 0:
                return Attempt("retry", LEFT_ALONE, wait_s)
            reply = self._send(parts[0], end)
            if reply.verdict == "too_large":
                self._split(parts, reply.reason)
            elif reply.verdict == "delivered":
                parts.popleft()
                self.destination.delivered(self.signal)
                self._look_at(reply.body)
            elif self._closed:
                return Attempt("retry", "closed")  # by us: that says nothing about the receiver
            else:
                self.destination.failed(self.signal, reply.reason)
                if reply.retry_after_s:
                    self._not_before = time.monotonic() + reply.retry_after_s
                return Attempt(reply.verdict, reply.reason, reply.retry_after_s)
        return Attempt("delivered")

    def _send(self, body: bytes, end: float) -> Reply:
        if len(body) > self._max_bytes:
            return Reply("too_large", f"{len(body)} bytes, {self._max_bytes} are allowed")
        left_s = end - time.monotonic()
        return self.transport.send(body, left_s) if left_s > 0 else Reply("retry", "the time is over")

    def _split(self, parts: deque[bytes], reason: str) -> None:
        body = parts.popleft()
        found = halves(self.signal, body)
        if len(found) > 1:
            parts.extendleft(reversed(found))
        else:
            self.drop(body, TOO_LARGE, reason)

    def drop(self, body: bytes, reason: str, detail: str = "") -> int:
        """Count what is in a request as lost, and return the number."""
        items = count(self.signal, body)
        guard.dropped(_METRIC[self.signal], reason, items, detail=detail)
        self.destination.dropped(self.signal, items)
        return items

    def _look_at(self, body: bytes) -> None:
        """Report partial success: https://opentelemetry.io/docs/specs/otlp/#partial-success."""
        try:
            response = _RESPONSES[self.signal].FromString(body)
        except Exception:
            text = f"{self.destination.name} acknowledged {self.signal} with what is no OTLP answer: is it a receiver?"
            guard.warn(f"answer of {self.destination.name}", text)
            return
        partial = response.partial_success
        rejected = partial.rejected_spans if self.signal == "traces" else partial.rejected_data_points
        if rejected > 0:
            guard.dropped(_METRIC[self.signal], REJECTED, rejected, detail=partial.error_message)
        elif partial.error_message:
            text = f"{self.destination.name} says about {self.signal}: {partial.error_message}"
            guard.warn(f"warning of {self.destination.name} {self.signal}", text)

    def close(self) -> None:
        """Close connections; an attempt under way fails, and nobody is told."""
        self._closed = True
        self.transport.close()

    def start_afresh(self) -> None:
        """Share no connection with the parent, as a forked child must."""
        self.transport.reset()
        self._not_before = 0.0


_RESPONSES = {"metrics": ExportMetricsServiceResponse, "traces": ExportTraceServiceResponse}
_METRIC = {"metrics": "metrics", "traces": "spans"}
