# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Lanes of workers, from the spans of jobs and chunks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.jobs import Jobs
from otelkit.viewer.api.shapes.batch import Gap, JobBlock, Straggler, WorkerLane
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
    chains = _replaced(workers, jobs.workers)
    names = {key: f"worker {number}" for number, chain in enumerate(chains, start=1) for key in chain}
    counted = jobs.count("completed", "failed", "cancelled")
    shown = sum(_size(each) for each in spans)
    whole = shown >= 0.95 * counted
    lanes = [_lane(names[chain[0]], [workers[key] for key in chain], span, limit, whole) for chain in chains]
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


def _replaced(workers: dict[str, list[Stored]], places: float | None) -> list[list[str]]:
    """
    Return the workers of each lane, one after the other.

    A worker that begins when all places of its engine are taken, and one of them has done its last in the same batch,
    has taken that place: a pool recycles its processes, or one died. Without the number of places each has a lane.
    """
    begins = {key: min(each.start_ns for each in of) for key, of in workers.items()}
    ends = {key: max(each.end_ns for each in of) for key, of in workers.items()}
    batches = {key: {each.trace_id for each in of} for key, of in workers.items()}
    chains: list[list[str]] = []
    for key in sorted(workers, key=lambda key: (begins[key], key)):
        free = [
            chain
            for chain in chains
            if places is not None
            and len(chains) >= max(1, places)
            and ends[chain[-1]] <= begins[key]
            and batches[chain[-1]] & batches[key]
        ]
        if free:
            max(free, key=lambda chain: ends[chain[-1]]).append(key)
        else:
            chains.append([key])
    return sorted(chains)


def _gaps(parts: Sequence[Sequence[Stored]]) -> list[Gap]:
    gaps = []
    for before, after in itertools.pairwise(parts):
        end, start = max(each.end_ns for each in before) / SECOND, min(each.start_ns for each in after) / SECOND
        gaps.append(Gap(start=end, end=start, label=f"replaced, {wording.duration(start - end)} lost"))
    return gaps


def _size(span: Stored) -> int:
    size = span.attributes.get(semconv.CHUNK_SIZE, 1)
    return size if isinstance(size, int) else 1


def _lane(name: str, parts: list[list[Stored]], span: Span, limit: float | None, whole: bool) -> WorkerLane:
    spans = sorted((each for part in parts for each in part), key=lambda each: each.start_ns)
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
        gaps=_gaps(parts),
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
