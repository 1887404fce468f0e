# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Models: what limits their throughput."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.axis import Range
from otelkit.viewer.api.shapes.finding import Finding, Headline, Part, Status
from otelkit.viewer.api.shapes.heatmap import Heatmap, Histogram
from otelkit.viewer.api.shapes.host import GpuRow
from otelkit.viewer.api.shapes.line import Line, Quantile, Usual

Where = Literal["wait", "host", "transfer", "device", "other"]


class Phase(msgspec.Struct, kw_only=True):
    """
    A part of a batch's time.

    Attributes:
        phase: wait, preprocess, transfer, compute, postprocess, quantise or the engine's own word.
        where: Which hue it has: it says where the time went.
        mean: Seconds per batch over the range, warm-up left out.
        share: Of the sum of all phases, 0 to 1.
        line: Mean seconds per batch on the axis, to be stacked in this order; null in the list of models.
    """

    phase: str
    where: Where
    mean: float
    share: float
    line: Line | None = None


class ModelRow(msgspec.Struct, kw_only=True):
    """
    One model over the range, warm-up left out of every figure.

    Attributes:
        key: To be given back in the path: engine and model.
        phases: In the order of a batch's way; without lines.
        items: Items a second, on the axis.
        items_per_s: Over the range.
        mean, p95: Of a batch, in seconds.
        verdict: What limits it, or empty.
    """

    key: str
    model: str
    engine: str
    status: Status
    requests: int
    errors: int
    phases: list[Phase]
    items: Line
    items_per_s: float | None
    usual_items_per_s: Usual | None
    mean: float | None
    p95: Quantile | None
    verdict: list[Part]
    generation: bool = False


class Models(msgspec.Struct, kw_only=True):
    """All models, those with findings first, then by items."""

    range: Range
    headline: Headline
    models: list[ModelRow]


class Block(msgspec.Struct, kw_only=True):
    """A stretch of work in a lane, in seconds from the lanes' start; ``kind`` is a phase."""

    start: float
    end: float
    kind: str
    where: Where
    trace_id: str | None = None


class WorkLane(msgspec.Struct, kw_only=True):
    """Loader, host or one device; ``busy`` from 0 to 1, of the time shown."""

    name: str
    busy: float
    blocks: list[Block]
    note: str = ""


class WorkLanes(msgspec.Struct, kw_only=True):
    """A few batches in detail: ``start`` in Unix seconds, ``duration`` in seconds."""

    start: float
    duration: float
    lanes: list[WorkLane]
    sentence: list[Part]


class BatchSize(msgspec.Struct, kw_only=True):
    """
    Items in a batch.

    Attributes:
        full_share: How often a batch had the largest size seen, 0 to 1.
        padding: Share of padding, 0 to 1, null if not reported.
    """

    histogram: Histogram
    mean: float
    largest: float | None
    full_share: float | None
    padding: float | None


class Generation(msgspec.Struct, kw_only=True):
    """What a generating model has in place of phases: seconds to the first token, tokens a second."""

    first_token: Heatmap | None
    first_token_p50: Line | None
    first_token_p95: Line | None
    tokens: list[Line]


class Model(msgspec.Struct, kw_only=True):
    """
    One model's page.

    Attributes:
        programs: Who runs it.
        throughput: Items a second: all, then per device where that is known.
        phases: With their lines.
        warmup: Stretches that are left out, [start, end] in Unix seconds.
        lanes: Null if no sampled spans show it; ``absent`` then names the setting.
        energy: Items per joule, where one model has the GPU alone.
        cache_hits: Share of look-ups, 0 to 1.
    """

    range: Range
    row: ModelRow
    headline: Headline
    findings: list[Finding]
    programs: list[str]
    throughput: list[Line]
    phases: list[Phase]
    latency: Heatmap | None
    p50: Line | None
    warmup: list[tuple[float, float]]
    lanes: WorkLanes | None
    batch_size: BatchSize | None
    gpus: list[GpuRow]
    generation: Generation | None
    energy: float | None
    cache_hits: float | None
    absent: list[str]
