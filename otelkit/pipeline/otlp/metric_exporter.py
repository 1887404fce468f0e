# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Metrics over OTLP. They need no buffer: what failed is part of the next export."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult, MetricsData

from otelkit._core._fork import forks
from otelkit.pipeline.otlp.backoff import Backoff
from otelkit.pipeline.otlp.courier import Courier


class OtlpMetricExporter(MetricExporter):
    """
    Sends one collection after the other, and tries again while there is time.

    A receiver that failed the last export, too, gets one attempt: the next export is the next one, and the end of a
    program is not held up by a receiver that is known to be away.

    Args:
        courier: Delivers.
        timeout_s: Seconds for one export, all attempts included.
        preferred_temporality: By kind of the SDK's instruments.
        preferred_aggregation: Likewise.
        backoff: Between attempts.
    """

    def __init__(
        self,
        courier: Courier,
        *,
        timeout_s: float,
        preferred_temporality: dict[type, AggregationTemporality],
        preferred_aggregation: dict[type, Any],
        backoff: Backoff | None = None,
    ) -> None:
        super().__init__(preferred_temporality, preferred_aggregation)
        self.courier = courier
        self._timeout_s = timeout_s
        self._backoff = backoff or Backoff()
        self._failed_before = False
        self._ending = False
        self._closed = threading.Event()
        forks.in_child(self.start_afresh)

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Deliver; FAILURE if it was not all acknowledged in time."""
        delivered = self._deliver(
            deque([encode_metrics(metrics_data).SerializeToString()]),
            time.monotonic() + min(self._timeout_s, timeout_millis / 1e3),
        )
        self._failed_before = not delivered
        return MetricExportResult.SUCCESS if delivered else MetricExportResult.FAILURE

    def _deliver(self, parts: deque[bytes], end: float) -> bool:
        failures = 0
        while True:
            attempt = self.courier.attempt(parts, end - time.monotonic())
            if attempt.verdict == "delivered":
                return True
            failures += 1
            delay_s = self._backoff.delay_s(failures, attempt.wish_s)
            hopeless = attempt.verdict == "refused" or self._failed_before or (self._ending and attempt.nobody_listens)
            if hopeless or time.monotonic() + delay_s >= end or self._closed.wait(delay_s):
                return False

    def prepare_to_end(self) -> None:
        """Wait no more for a receiver that is not there at all."""
        self._ending = True

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Nothing waits here."""
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """End attempts that are under way, and close connections."""
        if not self._closed.is_set():
            self._closed.set()
            self.courier.close()

    def start_afresh(self) -> None:
        """Share nothing with the parent, as a forked child must."""
        if not self._closed.is_set():
            self._closed = threading.Event()
            self.courier.start_afresh()
