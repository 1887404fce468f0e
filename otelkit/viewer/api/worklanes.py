# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Wait against work: a few batches in lanes, from sampled spans."""

from __future__ import annotations

from collections.abc import Sequence

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.api import marks
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.models import WHERE
from otelkit.viewer.api.shapes.inference import Block, Where, WorkLane, WorkLanes
from otelkit.viewer.api.steps import WAIT, Model
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Span as Stored
from otelkit.viewer.store import TraceQuery

LEAST_STEPS = 3
MOST_STEPS = 12
_LANES: dict[Where, str] = {"wait": "loader", "host": "host", "transfer": "device", "device": "device", "other": "host"}
_ORDER = ("loader", "host", "device")


def read(context: Context, span: Span, model: Model) -> tuple[WorkLanes | None, list[str]]:
    """Return the lanes of the last steps whose spans are kept, and what is missing for them."""
    attributes = {semconv.INFERENCE_ENGINE: model.engine, semconv.INFERENCE_MODEL: model.name}
    query = TraceQuery(from_ns=int(span.start * SECOND), to_ns=span.to_ns, attributes=attributes, limit=MOST_STEPS)
    found = context.store.spans([each.trace_id for each in context.store.traces(query)])
    spans = sorted((each for of in found.values() for each in of), key=lambda each: each.start_ns)
    steps = [each for each in spans if _is_step(each, model)][-MOST_STEPS:]
    if len(steps) < LEAST_STEPS:
        return None, ["No sampled spans of steps: lanes are drawn from them"]
    begin, end = steps[0].start_ns, max(each.end_ns for each in steps)
    blocks: dict[str, list[Block]] = {}
    for each in spans:
        if begin <= each.start_ns and each.end_ns <= end and (kind := _kind(each, model, steps)):
            where = WHERE.get(kind, "other")
            block = Block(
                start=(each.start_ns - begin) / SECOND,
                end=(each.end_ns - begin) / SECOND,
                kind=kind,
                where=where,
                trace_id=each.trace_id,
            )
            blocks.setdefault(_LANES[where], []).append(block)
    length = (end - begin) / SECOND
    lanes = [_lane(name, blocks[name], length) for name in _ORDER if name in blocks]
    if not lanes or length <= 0:
        return None, ["No sampled spans of phases: lanes are drawn from them"]
    busiest = max(lanes, key=lambda each: each.busy)
    sentence = marks.sentence(
        f"*{busiest.name}* is busy {wording.percent(busiest.busy)} of {wording.duration(length)}."
    )
    return WorkLanes(start=begin / SECOND, duration=length, lanes=lanes, sentence=sentence), []


def _is_step(span: Stored, model: Model) -> bool:
    told = span.attributes
    return (
        str(told.get(semconv.INFERENCE_MODEL, "")) == model.name
        and str(told.get(semconv.INFERENCE_ENGINE, "")) == model.engine
        and semconv.INFERENCE_PHASE not in told
    )


def _kind(span: Stored, model: Model, steps: Sequence[Stored]) -> str:
    """Return the phase that a span shows; a step without phases counts as compute on the host's clock."""
    phase = span.attributes.get(semconv.INFERENCE_PHASE)
    if phase is not None:
        return str(phase)
    if span.name == WAIT:
        return WAIT
    with_phases = any(step.span_id == span.span_id for step in steps) and not any(model.phases)
    return "compute" if with_phases else ""


def _lane(name: str, blocks: list[Block], length: float) -> WorkLane:
    covered = reached = 0.0
    for each in sorted(blocks, key=lambda each: each.start):
        covered += max(0.0, each.end - max(each.start, reached))
        reached = max(reached, each.end)
    note = "host time only" if name == "device" else ""
    return WorkLane(name=name, busy=min(1.0, covered / length) if length else 0.0, blocks=blocks, note=note)
