# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Steps of inference: batches, items and where their time goes, model by model."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from otelkit import semconv
from otelkit.viewer.analysis import buckets
from otelkit.viewer.analysis.curve import Rise
from otelkit.viewer.api.calls import Row, row_of, sum_of, total
from otelkit.viewer.api.filters import Term
from otelkit.viewer.api.groups import Group, Steps, rebucketed, steps_of
from otelkit.viewer.api.reader import Kind, Reader
from otelkit.viewer.api.timing import Span

WAIT = "wait"
MODEL = (semconv.INFERENCE_ENGINE, semconv.INFERENCE_MODEL)

_METRICS = {
    "requests": semconv.INFERENCE_REQUESTS.name,
    "errors": semconv.INFERENCE_ERRORS.name,
    "items": semconv.INFERENCE_ITEMS.name,
    "duration": semconv.INFERENCE_DURATION.name,
    "phase": semconv.INFERENCE_PHASE_DURATION.name,
    "wait": semconv.INFERENCE_WAIT_TIME.name,
    "device": semconv.INFERENCE_DEVICE_TIME.name,
    "size": semconv.INFERENCE_BATCH_SIZE.name,
}


@dataclass(slots=True)
class Distribution:
    """Counts by bucket in each step, and the sum last."""

    bounds: buckets.Bounds
    rise: Rise
    inexact: bool = False

    @classmethod
    def of(cls, group: Group) -> Distribution:
        """Return a group's."""
        return cls(group.bounds or (), group.rise, group.inexact)

    def add(self, group: Group) -> None:
        """Add another group."""
        bounds, rise = group.bounds or (), group.rise
        if bounds != self.bounds:
            rise, self.inexact = rebucketed(rise, bounds, self.bounds), True
        self.rise = sum_of(self.rise, rise)

    @property
    def steps(self) -> Steps:
        """The rows as arrays, None where nothing is known."""
        return steps_of(self.rise)

    def sums(self) -> Row:
        """Return the sum of observations in each step."""
        return row_of(Rise(self.rise.values[:, -1:], self.rise.known))

    def counts(self) -> Row:
        """Return the number of observations in each step."""
        return row_of(Rise(self.rise.values[:, :-1].sum(axis=1)[:, None], self.rise.known))


@dataclass(slots=True)
class Model:
    """
    One model's steps; what was warm-up is apart.

    Attributes:
        phases: By phase, in the order found; waiting is one of them.
        warm: Seconds of warm-up in each step.
    """

    key: str
    engine: str
    name: str
    size: int
    requests: Row = field(default_factory=list)
    errors: float = 0.0
    items: Row = field(default_factory=list)
    duration: Distribution | None = None
    phases: dict[str, Distribution] = field(default_factory=dict)
    device: Distribution | None = None
    batch_size: Distribution | None = None
    warm: Row = field(default_factory=list)
    first: int = 0
    last: int = 0
    every: int = 0

    @property
    def batches(self) -> Row:
        """Batches that ended in each step."""
        return self.duration.counts() if self.duration else (self.requests or [None] * self.size)


def key_of(engine: str, name: str) -> str:
    """Return what names a model in a route: engine and model."""
    return f"{engine}:{name}" if engine else name


def read(reader: Reader, span: Span, terms: Sequence[Term] = ()) -> dict[str, Model]:
    """Return all models by key."""
    names = reader.names()
    models: dict[str, Model] = {}
    questions: tuple[tuple[str, Kind, tuple[str, ...]], ...] = (
        ("requests", "sums", ()),
        ("errors", "sums", ()),
        ("items", "sums", ()),
        ("duration", "distributions", ()),
        ("phase", "distributions", (semconv.INFERENCE_PHASE,)),
        ("wait", "distributions", ()),
        ("device", "distributions", ()),
        ("size", "distributions", ()),
    )
    for what, kind, more in questions:
        metric = _METRICS[what]
        if metric in names:
            _read_one(reader, span, terms, models, what, kind, metric, more)
    return models


def _read_one(
    reader: Reader,
    span: Span,
    terms: Sequence[Term],
    models: dict[str, Model],
    what: str,
    kind: Kind,
    metric: str,
    more: tuple[str, ...],
) -> None:
    by = (*MODEL, semconv.INFERENCE_WARMUP, *more)
    for (engine, name, warmup, *rest), group in reader.read(kind, (metric,), by, span, terms).items():
        key = key_of(engine, name)
        model = models.get(key)
        if model is None:
            model = models[key] = Model(key, engine, name, span.count)
        model.first = min(model.first or group.first, group.first)
        model.last, model.every = max(model.last, group.last), max(model.every, group.every)
        if warmup.lower() == "true":
            if what == "duration":
                model.warm = _added(model.warm, [each[-1] if each is not None else None for each in group.steps])
        else:
            _add(model, what, rest[0] if rest else "", group)


def _add(model: Model, what: str, phase: str, group: Group) -> None:
    if what == "errors":
        model.errors += (total(group.steps) or array("d", (0.0,)))[0]
    elif what in ("requests", "items"):
        row: Row = [each[0] if each is not None else None for each in group.steps]
        setattr(model, what, _added(getattr(model, what), row))
    elif what in ("phase", "wait"):
        name = phase or WAIT
        known = model.phases.get(name)
        model.phases[name] = _joined(known, group)
    elif what == "duration":
        model.duration = _joined(model.duration, group)
    elif what == "device":
        model.device = _joined(model.device, group)
    else:
        model.batch_size = _joined(model.batch_size, group)


def _joined(known: Distribution | None, group: Group) -> Distribution:
    if known is None:
        return Distribution.of(group)
    known.add(group)
    return known


def _added(known: Row, row: Row) -> Row:
    if not known:
        return row
    return [
        right if left is None else left if right is None else left + right
        for left, right in zip(known, row, strict=True)
    ]


def quantiles(of: Distribution, share: float) -> Row:
    """Return a quantile in each step, where there is at least half an observation."""
    row: Row = []
    for each in of.steps:
        reading = buckets.quantile(of.bounds, each[:-1], share) if each is not None and sum(each[:-1]) >= 0.5 else None
        row.append(reading.value if reading is not None else None)
    return row
