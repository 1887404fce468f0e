# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Lanes of workers, from the spans of jobs and chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.jobs import Jobs
from otelkit.viewer.api.shapes.batch import JobBlock, Straggler, WorkerLane
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Span as Stored
from otelkit.viewer.store import TraceQuery

MOST_TRACES = 2_000
MOST_LANES = 32
MOST_BLOCKS = 400
"""In a lane; beyond it neighbours become one block."""
MOST_STRAGGLERS = 100

_WORKERS = ("celery.hostname", "worker.id", "dask.worker", "ray.worker_id", "joblib.worker")


@dataclass(slots=True)
class Drawn:
    """The lanes, what to say about them, and the stragglers in them."""

    lanes: list[WorkerLane]
    note: str
    stragglers: list[Straggler]


def read(context: Context, span: Span, jobs: Jobs, limit: float | None) -> Drawn:
    """
    Return the lanes of a job's workers.

    Args:
        limit: Seconds from which a run is a straggler.
    """
    spans, searched = _spans(context, span, jobs)
    if not spans:
        return Drawn([], "No spans of its runs are kept: lanes are drawn from them", [])
    workers: dict[str, list[Stored]] = {}
    for each in spans:
        workers.setdefault(_worker(each), []).append(each)
    names = {key: f"worker {number}" for number, key in enumerate(sorted(workers), start=1)}
    counted = jobs.count("completed", "failed", "cancelled")
    shown = sum(_size(each) for each in spans)
    whole = shown >= 0.95 * counted
    lanes = [_lane(names[key], of, span, limit, whole) for key, of in sorted(workers.items())]
    lanes.sort(key=lambda lane: int(lane.name.split()[1]))
    return Drawn(lanes[:MOST_LANES], _note(shown, counted, searched), _stragglers(spans, names, limit))


def _spans(context: Context, span: Span, jobs: Jobs) -> tuple[list[Stored], bool]:
    attributes = {semconv.JOB: jobs.name} | ({semconv.BATCH_ENGINE: jobs.engine} if jobs.engine else {})
    # A batch is one trace that may have begun long before the range.
    begin = int((span.start - 3_600) * SECOND)
    query = TraceQuery(from_ns=begin, to_ns=span.to_ns, attributes=attributes, limit=MOST_TRACES)
    summaries = context.store.traces(query)
    found = context.store.spans([each.trace_id for each in summaries])
    runs = [
        each
        for of in found.values()
        for each in of
        if each.attributes.get(semconv.JOB) == jobs.name
        and str(each.attributes.get(semconv.BATCH_ENGINE, "")) == jobs.engine
        and each.end_ns >= span.from_ns
        and each.kind != "producer"
    ]
    return runs, len(summaries) >= MOST_TRACES


def _worker(span: Stored) -> str:
    """Return what tells workers apart: what the engine says, else the process, and its thread."""
    for key in _WORKERS:
        if key in span.attributes:
            return str(span.attributes[key])
    process = str(span.resource.get("service.instance.id") or span.resource.get("process.pid") or "")
    return f"{process} {span.attributes.get('thread.id', '')}"


def _size(span: Stored) -> int:
    size = span.attributes.get(semconv.CHUNK_SIZE, 1)
    return size if isinstance(size, int) else 1


def _lane(name: str, spans: list[Stored], span: Span, limit: float | None, whole: bool) -> WorkerLane:
    spans.sort(key=lambda each: each.start_ns)
    blocks = [_block(each, limit) for each in spans]
    left, right = max(span.start, blocks[0].start), min(span.end, max(each.end for each in blocks))
    busy, reached = 0.0, left
    for each in blocks:
        busy += max(0.0, min(each.end, right) - max(each.start, reached))
        reached = max(reached, each.end)
    return WorkerLane(
        name=name,
        status="warn" if any(each.straggler for each in blocks) else "ok",
        busy=min(1.0, busy / (right - left)) if whole and right > left else None,
        blocks=_merged(blocks),
        gaps=[],
    )


def _block(span: Stored, limit: float | None) -> JobBlock:
    size = _size(span)
    length = (span.end_ns - span.start_ns) / SECOND
    return JobBlock(
        start=span.start_ns / SECOND,
        end=span.end_ns / SECOND,
        failed=span.status == "error",
        retry=bool(span.attributes.get("retry") or span.attributes.get("celery.retries")),
        straggler=limit is not None and length / max(1, size) > limit,
        count=size,
        trace_id=span.trace_id,
        span_id=span.span_id,
    )


def _merged(blocks: list[JobBlock]) -> list[JobBlock]:
    """Make neighbours one where there are more than can be drawn; what is special stays alone."""
    if len(blocks) <= MOST_BLOCKS:
        return blocks
    every = -(-len(blocks) // MOST_BLOCKS)
    merged: list[JobBlock] = []
    run: list[JobBlock] = []

    def close() -> None:
        if run:
            merged.append(
                JobBlock(
                    start=run[0].start, end=max(each.end for each in run), failed=False, retry=False, straggler=False,
                    count=sum(each.count for each in run), trace_id=None, span_id=None,
                )
            )  # fmt: skip
            run.clear()

    for each in blocks:
        if each.failed or each.straggler or each.retry:
            close()
            merged.append(each)
        else:
            run.append(each)
            if len(run) >= every:
                close()
    close()
    return merged


def _note(shown: int, counted: int, searched: bool) -> str:
    if counted > 1.05 * shown and shown:
        text = f"1 job in {counted / shown:.0f} shown" if counted >= 1.5 * shown else f"{shown} of {counted} jobs shown"
        return f"{text}: the others were not sampled{' or are too many' if searched else ''}"
    return f"{wording.plural(shown, 'job')}; the gap is idle time"


def _stragglers(spans: Sequence[Stored], names: dict[str, str], limit: float | None) -> list[Straggler]:
    if limit is None:
        return []
    found = [
        Straggler(
            time=each.start_ns / SECOND,
            duration=length,
            worker=names[_worker(each)],
            trace_id=each.trace_id,
            span_id=each.span_id,
        )
        for each in spans
        if (length := (each.end_ns - each.start_ns) / SECOND / max(1, _size(each))) > limit
    ]
    return sorted(found, key=lambda each: -each.duration)[:MOST_STRAGGLERS]
