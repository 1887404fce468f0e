# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Traces of one span each whose durations are given, not measured: many quick ones, some slow, some that failed.

Each duration is recorded inside its span, so that it may become an exemplar. Answers True to a flush.
"""

import sys
import time

from opentelemetry import trace

import otelkit

KINDS = {"quick": (40, 0.05), "slow": (4, 3.0), "failed": (5, 0.06)}
"""How many, and how long each takes, in seconds."""

duration = otelkit.histogram("call.duration", labels=["kind"], unit="s", buckets=[0.1, 1, 10])


def call(kind: str, seconds: float) -> None:
    """Make one trace."""
    began = time.time_ns()
    span = trace.get_tracer("mixed").start_span(kind, start_time=began)
    with trace.use_span(span):
        duration.observe(seconds, kind=kind)
    if kind == "failed":
        span.set_status(trace.Status(trace.StatusCode.ERROR))
    span.end(began + int(seconds * 1e9))


def main() -> None:
    """Make them all, then deliver whenever asked."""
    otelkit.configure()
    for kind, (number, seconds) in KINDS.items():
        for _ in range(number):
            call(kind, seconds)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(otelkit.flush(timeout_s=30), flush=True)


if __name__ == "__main__":
    main()
