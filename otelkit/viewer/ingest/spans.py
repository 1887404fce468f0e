# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Spans from OTLP into a batch."""

from __future__ import annotations

import time
from typing import Any

from otelkit.viewer.bounded import Remembered
from otelkit.viewer.ingest.lazy import LazyResource, LazySpan, LazyTraces
from otelkit.viewer.ingest.refusals import MAX_RESOURCE_BYTES, Refusals
from otelkit.viewer.store.batch import Batch
from otelkit.viewer.store.decoding import resource_of
from otelkit.viewer.store.model import Attributes
from otelkit.viewer.store.pieces import ArrivedSpan, SpanOrigin
from otelkit.viewer.store.signature import attribute_mask, mask_of, name_token, service_token

__all__ = ("SpanDecoder",)

_REMEMBERED_BYTES = 8 << 20
_DECODED = 10
"""About how many times larger than its bytes a decoded resource is."""
_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8
_FAILED = 2
_MAX_MASKED = 128
"""Attributes of a span that a search finds."""


class SpanDecoder:
    """Turns requests into spans, as far as their trace's summary needs them; for the writer's thread only."""

    def __init__(self) -> None:
        self._resources: Remembered[bytes, tuple[Attributes, str, int]] = Remembered(_REMEMBERED_BYTES)

    def decode(self, body: bytes, batch: Batch, refused: Refusals) -> list[tuple[Attributes, int]]:
        """
        Add the spans of a checked request to ``batch``.

        Returns:
            Each resource, with the spans it sent.
        """
        now_ns = time.time_ns()
        window = now_ns - int(batch.limits.retention_s * 1e9), now_ns + int(batch.limits.skew_s * 1e9)
        came: list[tuple[Attributes, int]] = []
        for resource_spans in LazyTraces.FromString(body).resource_spans:
            raw = resource_spans.resource
            if len(raw) > MAX_RESOURCE_BYTES:
                refused.add("invalid", sum(len(scope_spans.spans) for scope_spans in resource_spans.scope_spans))
                continue
            attributes, service, mask = self._resource(raw)
            taken = 0
            for scope_spans in resource_spans.scope_spans:
                origin = SpanOrigin(raw, scope_spans.scope, service, mask, refused.add)
                for each in scope_spans.spans:
                    taken += self._add(each, origin, batch, refused, window)
            came.append((attributes, taken))
        return came

    def _resource(self, raw: bytes) -> tuple[Attributes, str, int]:
        known = self._resources.get(raw)
        if known is None:
            attributes = resource_of(raw)
            service = str(attributes.get("service.name", ""))
            mask = mask_of(service_token(service))
            for pair in LazyResource.FromString(raw).attributes[:_MAX_MASKED]:
                mask |= attribute_mask(pair)
            known = attributes, service, mask
            self._resources.put(raw, known, _DECODED * len(raw))
        return known

    def _add(self, body: bytes, origin: SpanOrigin, batch: Batch, refused: Refusals, window: tuple[int, int]) -> bool:
        span: Any = LazySpan.FromString(body)
        trace_id, span_id = span.trace_id, span.span_id
        start_ns, end_ns = span.start_time_unix_nano, span.end_time_unix_nano
        problem = _problem(trace_id, span_id, start_ns, end_ns, window)
        if problem:
            refused.add(problem)
            return False
        name = span.name
        mask = mask_of(name_token(name))
        for pair in span.attributes[:_MAX_MASKED]:
            mask |= attribute_mask(pair)
        failed = span.HasField("status") and span.status.code == _FAILED
        arrived = ArrivedSpan(
            origin, body, span_id, not span.parent_span_id, name, start_ns, max(start_ns, end_ns), failed, mask
        )
        spans = batch.traces.get(trace_id)
        if spans is None:
            batch.traces[trace_id] = [arrived]
        else:
            spans.append(arrived)
        return True


def _problem(trace_id: bytes, span_id: bytes, start_ns: int, end_ns: int, window: tuple[int, int]) -> str:
    """Return why a span cannot be taken, or an empty text."""
    if len(trace_id) != _TRACE_ID_BYTES or len(span_id) != _SPAN_ID_BYTES or not any(trace_id) or not any(span_id):
        return "invalid"
    if start_ns == 0 or start_ns > window[1] or end_ns > window[1]:
        return "time"
    return "too_old" if end_ns < window[0] else ""
