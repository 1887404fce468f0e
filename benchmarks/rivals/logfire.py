# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""logfire: its decorator for spans, its metrics by hand; scrubbing and console off, nothing sent."""

from __future__ import annotations

from time import perf_counter

import logfire
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks import loops, spans

DISTRIBUTIONS = ("logfire", "opentelemetry-sdk")

LOGFIRE = logfire.configure(
    send_to_logfire=False,
    console=False,
    scrubbing=False,
    sampling=logfire.SamplingOptions(head=spans.SWITCH),
    inspect_arguments=False,
    additional_span_processors=[spans.Count()],
    metrics=logfire.MetricsOptions(additional_readers=[InMemoryMetricReader()]),
)

CALLS = logfire.metric_counter("function.calls", unit="{call}")
ACTIVE = logfire.metric_up_down_counter("function.active_calls", unit="{call}")
ERRORS = logfire.metric_counter("function.errors", unit="{call}")
DURATION = logfire.metric_histogram("function.duration", unit="s")
SIGNUPS = logfire.metric_counter("user_registration")

FUNCTION = {"code.function.name": "shop.price"}
WEB = {"source": "web"}


def plain() -> int:
    CALLS.add(1, FUNCTION)
    ACTIVE.add(1, FUNCTION)
    start = perf_counter()
    try:
        return 1
    except BaseException as error:
        ERRORS.add(1, {**FUNCTION, "error.type": type(error).__qualname__})
        raise
    finally:
        DURATION.record(perf_counter() - start, FUNCTION)
        ACTIVE.add(-1, FUNCTION)


instrument = logfire.instrument("shop.price", extract_args=False)
traced = instrument(loops.plain)

CASES = {
    **loops.timings(
        sync=plain,
        counter_bound=lambda: SIGNUPS.add(1, WEB),
        counter_unbound=lambda: SIGNUPS.add(1, {"source": "web"}),
        histogram_bound=lambda: DURATION.record(0.003, FUNCTION),
    ),
    **spans.cases(
        loops.timings(
            span_sampled=traced,
            span_unsampled=traced,
            span_sampled_async=instrument(loops.coroutine),
            observed_sampled=instrument(plain),
            observed_unsampled=instrument(plain),
        )
    ),
}
