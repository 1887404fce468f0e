# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is compared: the names the rivals use, what the table calls them, and in which process they run."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Group(Enum):
    """Cases of one group share a process; a heap of 10,000 series must not slow the calls of another."""

    CALLS = "calls"
    SPANS = "spans"
    SCRAPE = "scrape"
    COLLECT = "collect"
    MEMORY = "memory"


class Case(NamedTuple):
    """
    One comparison.

    Args:
        key: What a rival files its code under.
        group: The process it runs in.
        title: What the table calls it.
    """

    key: str
    group: Group
    title: str


class Rival(NamedTuple):
    """
    One contestant: a module of ``benchmarks.rivals`` in a process of its own.

    Args:
        key: What results are filed under.
        module: The module of ``benchmarks.rivals``.
        environment: The set of pins it runs with.
        title: What the table calls it.
    """

    key: str
    module: str
    environment: str
    title: str


RIVALS = (
    Rival("otelkit", "otelkit", "main", "otelkit"),
    Rival("prometheus", "prometheus", "main", "prometheus_client"),
    Rival("sdk", "opentelemetry", "main", "OTel SDK"),
    Rival("autometrics-prometheus", "autometrics_prometheus", "autometrics", "autometrics, prometheus tracker"),
    Rival("autometrics-otel", "autometrics_opentelemetry", "autometrics", "autometrics, opentelemetry tracker"),
    Rival("logfire", "logfire", "logfire", "logfire"),
)

CASES = (
    Case("sync", Group.CALLS, "function, four metrics"),
    Case("sync_label", Group.CALLS, "function, one label from an argument"),
    Case("sync_label_cached", Group.CALLS, "function, one label, handles kept in a dict by hand"),
    Case("sync_threads", Group.CALLS, "function, 4 threads, wall time per call"),
    Case("sync_raises", Group.CALLS, "function that raises"),
    Case("async", Group.CALLS, "coroutine"),
    Case("generator_1", Group.CALLS, "generator, 1 item"),
    Case("generator_10", Group.CALLS, "generator, 10 items"),
    Case("async_generator_1", Group.CALLS, "async generator, 1 item"),
    Case("counter_bound", Group.CALLS, "counter, bound to its labels"),
    Case("counter_unbound", Group.CALLS, "counter, labels given with the call"),
    Case("counter_by_name", Group.CALLS, "counter, found by name, labels given with the call"),
    Case("gauge_bound", Group.CALLS, "gauge set, bound"),
    Case("histogram_bound", Group.CALLS, "histogram observe, bound"),
    Case("timer", Group.CALLS, "with timer, bound"),
    Case("exemplar_100", Group.SPANS, "function, four metrics, all calls in a sampled span"),
    Case("exemplar_1", Group.SPANS, "function, four metrics, 1 call of 100 in a sampled span"),
    Case("span_sampled", Group.SPANS, "span, sampled"),
    Case("span_unsampled", Group.SPANS, "span, not sampled"),
    Case("span_sampled_async", Group.SPANS, "span on a coroutine, sampled"),
    Case("observed_sampled", Group.SPANS, "span and four metrics, sampled"),
    Case("observed_unsampled", Group.SPANS, "span and four metrics, not sampled"),
    Case("scrape_text", Group.SCRAPE, "/metrics, 10,000 histograms, text"),
    Case("scrape_openmetrics", Group.SCRAPE, "/metrics, 10,000 histograms, OpenMetrics with exemplars"),
    Case("scrape_scoped_text", Group.SCRAPE, "/metrics, 10,000 histograms, text, otel_scope_* labels"),
    Case("scrape_scoped_openmetrics", Group.SCRAPE, "/metrics, 10,000 histograms, OpenMetrics, otel_scope_* labels"),
    Case("collect_cumulative", Group.COLLECT, "OTLP collection, 10,000 histograms, cumulative"),
    Case("collect_delta", Group.COLLECT, "OTLP collection, 10,000 histograms, delta"),
    Case("memory_settled", Group.MEMORY, "bytes a histogram series, collected"),
    Case("memory_exemplar", Group.MEMORY, "bytes a histogram series, collected, one exemplar each"),
    Case("memory_pending", Group.MEMORY, "bytes more while observations are pending, worst"),
)

BY_KEY = {case.key: case for case in CASES}
