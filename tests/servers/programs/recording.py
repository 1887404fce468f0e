# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What every program of the matrix records: one call of otelkit's, one of the SDK's, one span."""

from __future__ import annotations

import os

from opentelemetry import metrics, trace

import otelkit

calls = otelkit.counter("t.calls")
otelkit.configure(file=os.devnull)
added = metrics.get_meter("application").create_counter("t.added")
tracer = trace.get_tracer("application")


def record(_: object = None) -> None:
    """Record one piece of work."""
    calls.increment()
    added.add(1, {"kind": "work"})
    with tracer.start_as_current_span("work"):
        pass
