# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One trace."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.analysis import difference, wording
from otelkit.viewer.analysis.usual import percentile
from otelkit.viewer.api import spans, waterfall
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import TraceShown
from otelkit.viewer.api.problems import Missing
from otelkit.viewer.api.shapes.trace import Difference, Trace, UsualTrace
from otelkit.viewer.api.timing import SECOND
from otelkit.viewer.store import Reading, Span, TraceQuery, TraceSummary

LEAST_USUAL = 20
MOST_USUAL = 200
MOST_SPANS = 10_000
MOST_DIFFERENCES = 40
_TRACE_ID = re.compile("[0-9a-f]{32}")


def answer(context: Context, asked: TraceShown, trace_id: str) -> Trace:
    """Return a trace, as far as its spans have arrived."""
    found = read(context.store, trace_id)
    shown = found[:MOST_SPANS]
    drawn = waterfall.draw(shown, fold=asked.fold, kept=context.kept)
    root = drawn.root
    usual, note = _usual(context, found, root) if asked.usual else (None, "")
    errors = [each for each in found if each.status == "error"]
    measured = [seconds for each in found if (seconds := spans.cpu_seconds(each)) is not None]
    known = {each.span_id for each in found}
    orphans = [each for each in found if each.parent_span_id and each.parent_span_id not in known]
    return Trace(
        trace_id=trace_id,
        name=root.name,
        service=root.service,
        start=drawn.origin_ns / SECOND,
        duration=(drawn.end_ns - drawn.origin_ns) / SECOND,
        spans=drawn.spans,
        services=sorted({each.service for each in found}),
        errors=len(errors),
        error_types=dict(Counter(error_type(each) for each in errors).most_common()),
        failed=root.status == "error",
        cpu=sum(measured) if measured else None,
        rootless=bool(root.parent_span_id),
        complete=not orphans,
        truncated=len(found) - len(shown),
        path=drawn.path,
        usual=usual,
        usual_note=note,
        absent=[] if measured else ["CPU per span was not recorded by these senders"],
    )


def read(store: Reading, trace_id: str) -> list[Span]:
    """Return the spans of a trace, or raise `Missing`."""
    found = store.trace(trace_id) if _TRACE_ID.fullmatch(trace_id) else []
    if not found:
        raise Missing(
            f"There is no trace {trace_id[:40]!r}.",
            "It was not sampled, has not arrived, or is older than what is kept.",
        )
    return found


def error_type(span: Span) -> str:
    """Return error.type, or the type of the exception that the span tells of, or just "error"."""
    told = span.attributes.get(semconv.ERROR_TYPE)
    if told:
        return str(told)
    for event in span.events:
        if event.name == "exception" and (kind := event.attributes.get("exception.type")):
            return str(kind)
    return "error"


def _usual(context: Context, found: Sequence[Span], root: Span) -> tuple[UsualTrace | None, str]:
    """Compare with traces of the same root that succeeded: the latest that began before this one, then later ones."""
    what = f"{root.service} {root.name}".strip()
    if root.parent_span_id:
        return None, "Its root has not arrived: there is nothing to compare it with"
    store = context.store
    query = {"root_service": root.service, "root_name": root.name, "failed": False, "limit": MOST_USUAL}
    since = context.judge.unusual_since(root.start_ns / SECOND)
    others: list[TraceSummary] = []
    when = ""
    if since is not None:
        # What is slow for an hour is not usual: the time before that is.
        others = store.traces(TraceQuery(to_ns=int(since * SECOND), **query))
        when = f" before {wording.moment(since)}"
    if len(others) < LEAST_USUAL:
        others, when = store.traces(TraceQuery(to_ns=root.start_ns, **query)), ""
    if len(others) < LEAST_USUAL:
        others = [each for each in store.traces(TraceQuery(**query)) if each.trace_id != root.trace_id]
    others = [each for each in others if each.spans <= 2_000]
    if len(others) < LEAST_USUAL:
        kept = wording.plural(len(others), "kept trace")
        return None, f"{kept} of {what} succeeded; from {LEAST_USUAL} on it is compared with them"
    sampled = others[:: max(1, len(others) // 60)]
    profiles = []
    for each in store.spans([other.trace_id for other in sampled]).values():
        top = next((span for span in each if not span.parent_span_id), None)
        if top is not None:
            profiles.append(spans.profile_of(each, top))
    duration = percentile(sorted(each.duration_ns / SECOND for each in others), 0.5)
    here = spans.profile_of(found, root)
    rows = [_row(each, len(profiles)) for each in difference.differences(here, profiles)[:MOST_DIFFERENCES]]
    shown = UsualTrace(traces=len(others), duration=duration, factor=_factor(here.duration, duration), rows=rows)
    return shown, f"median of {wording.count(len(others))} {what} that succeeded{when}"


def _factor(here: float, usual: float) -> float:
    return here / usual if usual > 0 else 1.0


def _row(each: difference.Difference, traces: int) -> Difference:
    service, name = each.name
    note = ""
    if each.usual is None:
        note = "not in the usual trace"
    elif each.here is None:
        note = "missing here"
    elif each.usual_calls is not None and each.calls != each.usual_calls:
        note = f"{wording.plural(each.calls, 'call')}, usually {each.usual_calls:g}"
    elif not each.on_path:
        note = "off the critical path"
    return Difference(
        name=name,
        service=service,
        here=each.here,
        calls=each.calls,
        usual=each.usual,
        usual_calls=each.usual_calls,
        difference=each.seconds,
        on_path=each.on_path,
        note=note,
    )
