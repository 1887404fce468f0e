# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Any metric, split by any of its labels."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence

from otelkit.viewer.analysis import buckets, wording
from otelkit.viewer.api import anymetric, catalogue, marks, prometheus
from otelkit.viewer.api.anymetric import OTHERS, VIEWS
from otelkit.viewer.api.calls import total
from otelkit.viewer.api.catalogue import Entry
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import Term, as_text
from otelkit.viewer.api.groups import Group, Groups
from otelkit.viewer.api.parameters import MetricWindow
from otelkit.viewer.api.problems import Invalid, Missing
from otelkit.viewer.api.shapes.heatmap import Exemplar, Heatmap
from otelkit.viewer.api.shapes.line import Line, Quantile
from otelkit.viewer.api.shapes.metric import Label, LabelValue, Metric
from otelkit.viewer.api.timing import SECOND, Span
from otelkit.viewer.store import Series

MOST_EXEMPLARS = 400
MOST_VALUES = 20
MOST_SERIES = 2_000
"""Label sets that are read for one metric: what is beyond is named, not drawn. A filter reaches all of them."""
_RESOURCE_SHOWN = ("service.name", "service.instance.id", "host.name", "service.version", "process.pid")


def answer(context: Context, window: MetricWindow, name: str) -> Metric:
    """Return one metric."""
    span, terms = context.span(window, 180), context.terms(window)
    metrics = context.store.metrics(name)
    if not metrics:
        raise Missing(f"There is no metric {name!r}.", "The names are at /api/v1/metrics.")
    entry = catalogue.entry(metrics)
    view = window.view or VIEWS[entry.kind][0]
    if view not in VIEWS[entry.kind]:
        raise Invalid(f"Expected one of {', '.join(VIEWS[entry.kind])} for a {entry.kind}, got {view!r} - at view.")
    only = (lambda each: each.instance == window.instance) if window.instance else None
    mark = ("instance", window.instance) if window.instance else None
    series = [each for each in context.reader.choose(name, terms) if only is None or only(each)]
    if len(series) > MOST_SERIES:
        latest = heapq.nlargest(MOST_SERIES, series, key=lambda each: (each.last_ns, -each.id))
        shown = frozenset(each.id for each in latest)
        only, mark = (lambda each: each.id in shown), ("latest", shown)
    whole = anymetric.read(context, span, entry, (), terms, only, mark).get(())
    split = anymetric.read(context, span, entry, (window.by,), terms, only, mark) if window.by else {}
    return Metric(
        range=context.range(span, context.reader.ignored(terms, [name])),
        name=name,
        prometheus=entry.prometheus,
        kind=entry.kind,
        unit=entry.unit,
        description=entry.description,
        temporality=entry.temporality,  # type: ignore[arg-type]
        series=len(series),
        view=view,
        by=window.by or None,
        lines=_lines(entry, span, view, window, whole, split),
        heatmap=_heatmap(entry, span, whole) if view == "heatmap" else None,
        quantiles=_quantiles(whole),
        exemplars=_exemplars(context, span, series) if whole is not None and whole.bounds is not None else [],
        labels=_labels(series),
        promql=_promql(entry, view, window, terms),
        note=_note(entry, whole, split, len(series)),
    )


def _lines(entry: Entry, span: Span, view: str, window: MetricWindow, whole: Group | None, split: Groups) -> list[Line]:
    shown = "quantile" if view == "heatmap" else view
    unit = anymetric.unit_of(entry, shown)
    lines: list[Line] = []

    def line(name: str, group: Group, quantile: float, is_total: bool = False, label: str = "") -> Line:
        row = anymetric.row_of(group, span, shown, quantile)
        labels = {window.by: label} if window.by and not is_total else {}
        return marks.line(name, row, span, unit, group.every, total=is_total, labels=labels)

    if whole is not None and view == "heatmap":
        lines += [line("p50", whole, 0.5), line("p95", whole, 0.95)]
    elif whole is not None and (not split or shown != "quantile"):
        lines.append(
            line("all" if split else _name(entry, shown, window.quantile), whole, window.quantile, bool(split))
        )
    ordered = sorted(split.items(), key=lambda item: (-anymetric.weight(item[1]), item[0]))
    for (value,), group in ordered[: anymetric.MOST_LINES]:
        lines.append(line(value or "(none)", group, window.quantile, label=value))
    rest = anymetric.others(
        [group for _, group in ordered[anymetric.MOST_LINES :]], shown != "quantile" and entry.kind != "gauge"
    )
    if rest is not None:
        lines.append(line(OTHERS, rest, window.quantile, label=OTHERS))
    return lines


def _name(entry: Entry, view: str, quantile: float) -> str:
    return f"p{quantile * 100:g}" if view == "quantile" else entry.name


def _heatmap(entry: Entry, span: Span, whole: Group | None) -> Heatmap | None:
    if whole is None or whole.bounds is None:
        return None
    return marks.heatmap(whole.bounds, whole.steps, span, entry.unit or "1", whole.every, None, whole.inexact)


def _quantiles(whole: Group | None) -> dict[str, Quantile]:
    if whole is None or whole.bounds is None or (counts := total(whole.steps)) is None:
        return {}
    found = {
        f"p{share * 100:g}": marks.quantile(buckets.quantile(whole.bounds, counts[:-1], share), round(sum(counts[:-1])))
        for share in (0.5, 0.95, 0.99)
    }
    return {name: each for name, each in found.items() if each is not None}


def _exemplars(context: Context, span: Span, series: Sequence[Series]) -> list[Exemplar]:
    found = context.store.exemplars([each.id for each in series], int(span.start * SECOND), span.to_ns, MOST_EXEMPLARS)
    kept = context.kept({each.trace_id for each in found if each.trace_id})
    failed = {each.id: bool(each.attributes.get("error.type")) for each in series}
    return [
        Exemplar(
            time=each.time_ns / SECOND,
            value=each.value,
            trace_id=each.trace_id,
            span_id=each.span_id,
            failed=failed.get(each.series_id, False),
            kept=each.trace_id in kept,
        )
        for each in reversed(found)
        if each.trace_id
    ]


def _labels(series: Sequence[Series]) -> list[Label]:
    own: dict[str, Counter[str]] = {}
    resources: dict[str, Counter[str]] = {}
    for each in series:
        for key, value in each.attributes.items():
            own.setdefault(key, Counter())[as_text(value)] += 1
        for key in _RESOURCE_SHOWN:
            if key in each.resource:
                resources.setdefault(key, Counter())[as_text(each.resource[key])] += 1
    labels = [_label(key, values, resource=False) for key, values in sorted(own.items())]
    return labels + [_label(key, values, resource=True) for key, values in resources.items() if key not in own]


def _label(key: str, values: Counter[str], resource: bool) -> Label:
    top = [LabelValue(value=value, series=count, weight=None) for value, count in values.most_common(MOST_VALUES)]
    return Label(name=key, resource=resource, cardinality=len(values), top=top)


def _promql(entry: Entry, view: str, window: MetricWindow, terms: Sequence[Term]) -> str:
    """Return the expression; terms that Prometheus has no word for are left out."""
    equal = {
        each.key: each.value for each in terms if each.operator == "is" and not each.negative and "*" not in each.value
    }
    chosen = prometheus.selector(equal)
    by = f" by ({prometheus.label_of(window.by)})" if window.by else ""
    name = entry.prometheus
    if view in ("heatmap", "quantile"):
        labels = f"le, {prometheus.label_of(window.by)}" if window.by else "le"
        quantile = window.quantile if view == "quantile" else 0.95
        return f"histogram_quantile({quantile:g}, sum by ({labels}) (rate({name}_bucket{chosen}[5m])))"
    counted = f"{name}_count" if "histogram" in entry.kind else name
    if view in ("rate", "increase", "count"):
        return f"sum{by} ({'rate' if view == 'rate' else 'increase'}({counted}{chosen}[5m]))"
    return f"{'sum' if entry.kind == 'up_down_counter' else 'avg'}{by} ({name}{chosen})"


def _note(entry: Entry, whole: Group | None, split: Groups, series: int) -> str:
    notes = []
    if series > MOST_SERIES:
        notes.append(f"{wording.count(series)} label sets, the latest {wording.count(MOST_SERIES)} shown")
    if entry.mixed:
        notes.append("Senders disagree about what kind of metric this is")
    if whole is not None and whole.inexact:
        notes.append("Series have different buckets: counts were spread")
    if len(split) > anymetric.MOST_LINES and entry.kind == "gauge":
        notes.append(
            f"{wording.count(len(split) - anymetric.MOST_LINES)} further values are not drawn: readings do not add up"
        )
    if entry.kind == "summary":
        notes.append("A summary's quantiles cannot be merged: the median is drawn, averaged over its series")
    return "; ".join(notes)
