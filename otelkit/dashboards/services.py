# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The dashboard of services: requests, errors and durations; functions and events beside them."""

from __future__ import annotations

from otelkit import semconv
from otelkit.dashboards.choices import CHOSEN, choice, programs
from otelkit.dashboards.drawing import Drawing
from otelkit.dashboards.panel import Dashboard, Row
from otelkit.dashboards.promql import PROCESS, PROGRAM, chosen, part_of, quantile, rate, series, total
from otelkit.dashboards.units import rate_unit, unit_of
from otelkit.exporters._prometheus_names import metric_name

__all__ = ("SERVICES",)

CALLS, ACTIVE_CALLS, CALL_ERRORS, CALL_DURATION = semconv.call_metrics(semconv.FUNCTION)

_ACTION = (semconv.SERVICE, semconv.ACTION)
_REQUESTS = (*CHOSEN, chosen(semconv.ACTION, "action"))
_TOP = 10
_FAILED = 0.05
_SLOW_S = 1.0
_NO_ERRORS = "nothing failed"

_all = Drawing(_REQUESTS, prefixed=True)
_actions = Drawing(_REQUESTS, by=_ACTION, prefixed=True)
_functions = Drawing(
    CHOSEN,
    by=(semconv.CODE_FUNCTION_NAME,),
    empty="No @otelkit.metered functions",
    may_be_empty="only programs with @otelkit.metered functions without a name have these",
)
_events = Drawing(
    CHOSEN,
    by=(semconv.EVENT,),
    empty="No @otelkit.event_handler",
    may_be_empty="only programs with @otelkit.event_handler have these",
)
_published = Drawing(
    CHOSEN,
    by=(semconv.EVENT,),
    empty="No @otelkit.publisher",
    may_be_empty="only programs with @otelkit.publisher have these",
)


def _failed(*by: str) -> str:
    errors, requests = (
        total(rate(metric, *_REQUESTS, prefixed=True), *by)
        for metric in (semconv.SERVICE_ERRORS, semconv.SERVICE_REQUESTS)
    )
    return part_of(errors, requests)


_GLANCE = Row(
    "At a glance",
    (
        _all.rate(
            semconv.SERVICE_REQUESTS, "Requests", "Requests started per second, over all actions chosen.",
            kind="number", width=6,
        ),
        _all.panel(
            "Failed", "Share of the requests that failed.", "percentunit", _failed(),
            kind="number", width=6, limit=_FAILED,
        ),
        # Not over all actions: buckets of different bounds do not add up.
        _all.panel(
            "Slowest action, p95", "95 of 100 requests to the slowest action are over within this time.",
            unit_of(semconv.SERVICE_RESPONSE_TIME),
            total(quantile(0.95, semconv.SERVICE_RESPONSE_TIME, *_REQUESTS, by=_ACTION, prefixed=True), how="max"),
            kind="number", width=6, limit=_SLOW_S,
        ),
        _all.level(
            semconv.SERVICE_ACTIVE_REQUESTS, "In flight", "Requests started and not yet ended.", kind="number", width=6,
        ),
    ),
)  # fmt: skip

_RED = Row(
    "Requests, errors, durations",
    (
        _actions.rate(semconv.SERVICE_REQUESTS, "Requests by action", "Requests started per second."),
        _actions.panel(
            "Failed by action", "Share of an action's requests that failed.", "percentunit", _failed(*_ACTION),
            limit=_FAILED,
        ),
        _all.quantiles(
            semconv.SERVICE_RESPONSE_TIME, "Response time",
            "Half, 95 and 99 of 100 requests are over within this time. Points are single requests: each leads to its "
            "trace. Buckets of different bounds do not add up: where actions have bounds of their own, choose one.",
        ),
        _all.spread(
            semconv.SERVICE_RESPONSE_TIME, "How response times spread",
            "Requests by the time they took; the darker, the more. Two bands are two kinds of requests. Where actions "
            "have buckets of their own, choose one.",
        ),
        _actions.quantile(
            semconv.SERVICE_RESPONSE_TIME, "Response time by action, p95",
            "95 of 100 requests to the action are over within this time.",
        ),
        _actions.rate(
            semconv.SERVICE_ERRORS, "Errors by type", "Failed requests per second, by the class of what was raised.",
            semconv.ERROR_TYPE, empty="No errors", may_be_empty=_NO_ERRORS,
        ),
        _actions.level(
            semconv.SERVICE_ACTIVE_REQUESTS, "In flight by action",
            "Requests started and not yet ended. What only rises waits for something.", kind="stacked",
        ),
        _all.rate(
            semconv.SERVICE_REQUESTS, "Requests by instance", "Whether the load is spread evenly over the processes.",
            PROGRAM, PROCESS, kind="stacked",
        ),
    ),
)  # fmt: skip

_FUNCTIONS = Row(
    "Functions",
    (
        _functions.panel(
            "Calls", f"Calls per second of the {_TOP} functions called most.", rate_unit(CALLS),
            f"topk({_TOP}, {total(rate(CALLS, *CHOSEN), semconv.CODE_FUNCTION_NAME)})",
        ),
        _functions.panel(
            "Duration, p95", f"95 of 100 calls are over within this time; the {_TOP} slowest functions.",
            unit_of(CALL_DURATION),
            f"topk({_TOP}, {quantile(0.95, CALL_DURATION, *CHOSEN, by=(semconv.CODE_FUNCTION_NAME,))})",
            exemplars=True,
        ),
        _functions.rate(
            CALL_ERRORS, "Failed calls", "Calls per second that raised, by class.", semconv.ERROR_TYPE,
            empty="No errors",
        ),
        _functions.level(ACTIVE_CALLS, "Calls under way", "Calls started and not yet ended.", kind="stacked"),
    ),
    folded=True,
)  # fmt: skip

_EVENTS = Row(
    "Events",
    (
        _events.rate(semconv.EVENT_RECEIVED, "Received", "Events handed to a handler, per second.", width=8),
        _events.rate(
            semconv.EVENT_FAILURES, "Handlers failed", "Events per second whose handler raised, by class.",
            semconv.ERROR_TYPE, width=8, empty="No errors",
        ),
        _events.level(semconv.EVENT_ACTIVE, "Being handled", "Events whose handler runs.", width=8),
        _events.quantile(
            semconv.EVENT_PROCESSING_TIME, "Processing time, p95", "Time that a handler takes for one event.",
        ),
        _events.quantile(
            semconv.EVENT_LATENCY, "Latency, p95", "From an event's emission to its processing: the queue included.",
        ),
    ),
    folded=True,
)  # fmt: skip

_PUBLISHING = Row(
    "Publishing",
    (
        _published.rate(semconv.EVENT_PUBLISHED, "Published", "Publications started per second.", width=6),
        _published.rate(
            semconv.EVENT_PUBLISH_FAILURES, "Not published", "Publications per second that failed, by class.",
            semconv.ERROR_TYPE, width=6, empty="No errors",
        ),
        _published.level(semconv.EVENT_PUBLISHING, "Being published", "Publications under way.", width=6),
        _published.quantile(semconv.EVENT_PUBLISH_TIME, "Publish time, p95", "Time that a publication takes.", width=6),
    ),
    folded=True,
)  # fmt: skip

_ANY = f'{{__name__=~"(.+_)?{metric_name(semconv.SERVICE_REQUESTS)}|{metric_name(CALLS)}"}}'

SERVICES = Dashboard(
    "otelkit-services",
    "Services",
    "Requests, errors and durations of services, functions and events; from a slow request to its trace.",
    (
        *programs(_ANY),
        choice("action", "Action", semconv.ACTION, series(semconv.SERVICE_REQUESTS, prefixed=True)),
    ),
    (_GLANCE, _RED, _FUNCTIONS, _EVENTS, _PUBLISHING),
)
