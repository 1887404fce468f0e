# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Every metric and attribute name that otelkit gives out.

Names are OpenTelemetry's: dots, UCUM units, no ``_total``. Where a semantic
convention exists it is followed to the letter; the others are ours, and
design.md's vocabulary lists them.
"""

from __future__ import annotations

from otelkit._core._snapshot import Kind, Metric

# -- attributes ---------------------------------------------------------------

ERROR_TYPE = "error.type"
CODE_FUNCTION_NAME = "code.function.name"
SERVICE = "service"
ACTION = "action"
EVENT = "event"
JOB = "job"
QUANTILE = "quantile"
OVERFLOW = "otel.metric.overflow"
METRIC = "otelkit.metric"
REASON = "otelkit.reason"

# -- functions and named actions ----------------------------------------------

FUNCTION = "function"
"""Family of a decorated function without a name of its own; see `call_metrics`."""

# -- services -----------------------------------------------------------------

SERVICE_REQUESTS = Metric("service.requests", Kind.COUNTER, "{request}", "Requests started, per action.")
SERVICE_ACTIVE_REQUESTS = Metric(
    "service.active_requests", Kind.UP_DOWN_COUNTER, "{request}", "Requests started and not yet ended, per action."
)
SERVICE_ERRORS = Metric("service.errors", Kind.COUNTER, "{error}", "Requests that failed, per action and error type.")
SERVICE_RESPONSE_TIME = Metric("service.response_time", Kind.HISTOGRAM, "s", "Time from start to end of a request.")

# -- events -------------------------------------------------------------------

EVENT_RECEIVED = Metric("event.received", Kind.COUNTER, "{event}", "Events handed to a handler.")
EVENT_ACTIVE = Metric("event.active", Kind.UP_DOWN_COUNTER, "{event}", "Events being handled.")
EVENT_FAILURES = Metric("event.failures", Kind.COUNTER, "{event}", "Events whose handler failed.")
EVENT_PROCESSING_TIME = Metric("event.processing_time", Kind.HISTOGRAM, "s", "Time a handler took for one event.")
EVENT_LATENCY = Metric("event.latency", Kind.HISTOGRAM, "s", "Time from an event's emission to its processing.")

EVENT_PUBLISHED = Metric("event.published", Kind.COUNTER, "{event}", "Events whose publication was started.")
EVENT_PUBLISHING = Metric("event.publishing", Kind.UP_DOWN_COUNTER, "{event}", "Events being published.")
EVENT_PUBLISH_FAILURES = Metric("event.publish_failures", Kind.COUNTER, "{event}", "Events that could not be published.")
EVENT_PUBLISH_TIME = Metric("event.publish_time", Kind.HISTOGRAM, "s", "Time the publication of one event took.")

# -- jobs ---------------------------------------------------------------------

JOB_RUNS = Metric("job.runs", Kind.COUNTER, "{run}", "Runs started of a background job.")
JOB_ACTIVE = Metric("job.active", Kind.UP_DOWN_COUNTER, "{run}", "Runs started and not yet ended.")
JOB_FAILURES = Metric("job.failures", Kind.COUNTER, "{run}", "Runs that failed.")
JOB_DURATION = Metric("job.duration", Kind.HISTOGRAM, "s", "Time a run took.")
JOB_LAST_SUCCESS = Metric("job.last_success", Kind.GAUGE, "s", "Unix time at which a run last succeeded.")

# -- otelkit's own health -----------------------------------------------------

DROPPED = Metric("otelkit.dropped", Kind.COUNTER, "{item}", "Observations, spans or points that otelkit had to drop.")
OVERFLOWED = Metric(
    "otelkit.overflowed", Kind.COUNTER, "{item}", "Observations recorded to a metric's overflow series."
)
FAILURES = Metric("otelkit.failures", Kind.COUNTER, "{failure}", "Failures inside otelkit that were kept from the program.")
EXPORTS = Metric("otelkit.exports", Kind.COUNTER, "{export}", "Exports tried, by exporter and outcome.")
COLLECTION_DURATION = Metric("otelkit.collection.duration", Kind.HISTOGRAM, "s", "Time one collection of cells took.")
EXPORTER = "otelkit.exporter"
OUTCOME = "otelkit.outcome"


def call_metrics(family: str) -> tuple[Metric, Metric, Metric, Metric]:
    """
    Return calls, active_calls, errors and duration for ``family``.

    ``function.calls`` and its like for a decorated function, ``<name>.calls``
    for one that was given a name.
    """
    return (
        Metric(f"{family}.calls", Kind.COUNTER, "{call}", "Calls started."),
        Metric(f"{family}.active_calls", Kind.UP_DOWN_COUNTER, "{call}", "Calls started and not yet ended."),
        Metric(f"{family}.errors", Kind.COUNTER, "{error}", "Calls that failed, per error type."),
        Metric(f"{family}.duration", Kind.HISTOGRAM, "s", "Time from start to end of a call."),
    )


def prefixed(prefix: str, name: str) -> str:
    """Put ``prefix`` in front of ``name``: its trailing ``_`` and ``.`` stripped, a dot between."""
    stem = prefix.rstrip("_.")
    return f"{stem}.{name}" if stem else name
