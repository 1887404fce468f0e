# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A trace as rows: in the order of its tree, with the critical path laid over it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otelkit import semconv
from otelkit.viewer.analysis import wording
from otelkit.viewer.analysis.critical_path import Node, Stretch, critical_path, merged, own_time
from otelkit.viewer.api import marks
from otelkit.viewer.api.shapes.finding import Part
from otelkit.viewer.api.shapes.trace import PathPiece, Scalar, Span, SpanEvent, SpanLink
from otelkit.viewer.api.spans import cpu_seconds, roots
from otelkit.viewer.api.timing import SECOND
from otelkit.viewer.store import Span as Stored

FOLD_FROM = 500
FOLD_LEAST = 4
"""Siblings of one name that become one row."""
LEAST_SHIFT_S = 0.001
LONGEST_TEXT = 10_000

_DETAILS = ("http.resend_count", "otelkit.attempt", "attempt", "retry.attempt")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trace, drawn: its root, when it began and ended, its rows, and the critical path."""

    root: Stored
    origin_ns: int
    end_ns: int
    spans: list[Span]
    path: list[PathPiece]


def draw(found: Sequence[Stored], fold: bool, kept: Callable[[Collection[str]], set[str]]) -> Drawn:
    """
    Return the rows of a trace.

    Args:
        found: Its spans, by start.
        fold: Whether siblings may be folded, which is done from 500 spans on.
        kept: Tells which traces can be opened.
    """
    origin = min(each.start_ns for each in found)
    end = max(max(each.end_ns, each.start_ns) for each in found)
    tops = roots(found) or [found[0]]
    root = next((each for each in tops if not each.parent_span_id), tops[0])
    below = _below(found, tops)
    nodes = {each.span_id: _node(each, origin) for each in found}
    path = merged(
        critical_path(nodes[root.span_id], {key: [nodes[x.span_id] for x in of] for key, of in below.items()})
    )
    linked = {link.trace_id for each in found for link in each.links}
    maker = _Maker(origin, below, nodes, path, kept(linked), {each.span_id: each for each in found})
    rows = maker.rows(tops, fold and len(found) > FOLD_FROM)
    return Drawn(root, origin, end, rows, maker.pieces(nodes[root.span_id]))


def _below(found: Sequence[Stored], tops: Sequence[Stored]) -> dict[str, list[Stored]]:
    below: dict[str, list[Stored]] = {}
    top = {each.span_id for each in tops}
    for each in found:
        if each.span_id not in top:
            below.setdefault(each.parent_span_id, []).append(each)
    return below


def _node(span: Stored, origin: int) -> Node:
    start = (span.start_ns - origin) / SECOND
    return Node(span.span_id, start, max(start, (span.end_ns - origin) / SECOND))


class _Maker:
    """Makes the rows of one trace."""

    def __init__(
        self,
        origin: int,
        below: Mapping[str, list[Stored]],
        nodes: Mapping[str, Node],
        path: Sequence[Stretch],
        kept: set[str],
        known: Mapping[str, Stored],
    ) -> None:
        self._origin, self._below, self._nodes, self._path = origin, below, nodes, path
        self._kept, self._known = kept, known
        self._on_path: dict[str, list[tuple[float, float]]] = {}
        for each in path:
            self._on_path.setdefault(each.id, []).append((each.start, each.end))

    def rows(self, tops: Sequence[Stored], fold: bool) -> list[Span]:
        """Return all rows, parents before children."""
        rows: list[Span] = []
        stack = [([each], 0) for each in reversed(tops)]
        seen: set[str] = set()
        while stack:
            group, depth = stack.pop()
            first = group[0]
            if first.span_id in seen:
                continue
            seen.add(first.span_id)
            rows.append(self._row(group, depth))
            if len(group) > 1:
                continue
            groups = self._grouped(self._below.get(first.span_id, []), fold)
            stack.extend((each, depth + 1) for each in reversed(groups))
        return rows

    def _grouped(self, siblings: Sequence[Stored], fold: bool) -> list[list[Stored]]:
        """Put siblings of one name together where there are many; those that failed, or hold the trace up, stay."""
        if not fold:
            return [[each] for each in siblings]
        groups: dict[object, list[Stored]] = {}
        for each in siblings:
            alone = each.status == "error" or bool(each.links)
            groups.setdefault(each.span_id if alone else (each.service, each.name), []).append(each)
        split: list[list[Stored]] = []
        for group in groups.values():
            split.extend([group] if len(group) >= FOLD_LEAST else [[each] for each in group])
        return sorted(split, key=lambda group: group[0].start_ns)

    def _row(self, group: Sequence[Stored], depth: int) -> Span:
        span = group[0]
        node = self._nodes[span.span_id]
        end = max(self._nodes[each.span_id].end for each in group)
        children = [self._nodes[each.span_id] for each in self._below.get(span.span_id, [])]
        failed = span.status == "error"
        path = sorted(piece for each in group for piece in self._on_path.get(each.span_id, []))
        own = own_time(node, children)
        cpu = cpu_seconds(span)
        return Span(
            span_id=span.span_id,
            parent_id=span.parent_span_id or None,
            name=span.name,
            detail=self._detail(span),
            service=span.service,
            instance=_text(span.resource.get("service.instance.id")),
            scope=span.scope,
            kind=span.kind or "internal",
            depth=depth,
            offset=node.start,
            duration=end - node.start,
            cpu=cpu,
            own=own,
            failed=failed,
            error_type=_error_type(span),
            message=span.status_message[:LONGEST_TEXT],
            sentence=_sentence(node.end - node.start, own, cpu, len(children), path, failed, _error_type(span)),
            attributes=_scalars(span.attributes),
            masked=[key for key, value in span.attributes.items() if _is_masked(value)],
            events=[self._event(each) for each in span.events],
            links=[self._link(each) for each in span.links],
            path=path,
            shift=self._shift(span),
            folded=len(group),
            folded_sum=sum(self._nodes[x.span_id].end - self._nodes[x.span_id].start for x in group)
            if len(group) > 1
            else None,
        )

    def _detail(self, span: Stored) -> str:
        """Return what tells a span from its siblings of the same name."""
        same = [each for each in self._below.get(span.parent_span_id, []) if each.name == span.name]
        if len(same) < 2 or len(same) > 20:
            return ""
        for key in _DETAILS:
            if key in span.attributes:
                number = span.attributes[key]
                return f"attempt {number + 1 if key == _DETAILS[0] and isinstance(number, int) else number}"
        return f"{same.index(span) + 1} of {len(same)}"

    def _event(self, event: Any) -> SpanEvent:
        return SpanEvent(
            offset=(event.time_ns - self._origin) / SECOND,
            name=event.name,
            attributes=_scalars(event.attributes),
            failed=event.name == "exception",
        )

    def _link(self, link: Any) -> SpanLink:
        here = self._known.get(link.span_id)
        return SpanLink(
            trace_id=link.trace_id,
            span_id=link.span_id,
            attributes=_scalars(link.attributes),
            kept=link.trace_id in self._kept,
            name=here.name if here else None,
        )

    def _shift(self, span: Stored) -> float | None:
        """Return by how much a span of another process lies before or behind its parent: clocks differ."""
        parent = self._known.get(span.parent_span_id)
        if parent is None or parent.resource == span.resource:
            return None
        inner, outer = self._nodes[span.span_id], self._nodes[parent.span_id]
        if inner.start < outer.start:
            shift = inner.start - outer.start
        elif span.kind == "server" and inner.end > outer.end:
            shift = inner.end - outer.end
        else:
            return None
        return shift if abs(shift) >= LEAST_SHIFT_S else None

    def pieces(self, root: Node) -> list[PathPiece]:
        """Return the critical path, laid flat."""
        whole = root.end - root.start
        return [
            PathPiece(
                span_id=each.id,
                label=" ".join(
                    part for part in (self._known[each.id].name, self._detail(self._known[each.id])) if part
                ),
                service=self._known[each.id].service,
                offset=each.start,
                duration=each.end - each.start,
                share=(each.end - each.start) / whole if whole else 0.0,
                leaf=each.id not in self._below,
            )
            for each in self._path
        ]


def _error_type(span: Stored) -> str | None:
    from otelkit.viewer.api.queries.trace import error_type

    told = error_type(span)
    return told if span.status == "error" or semconv.ERROR_TYPE in span.attributes else None


def _sentence(
    duration: float,
    own: float,
    cpu: float | None,
    children: int,
    path: Sequence[tuple[float, float]],
    failed: bool,
    error: str | None,
) -> list[Part]:
    """Say where the span's time went, of what was measured."""
    whole = wording.duration(duration)
    if cpu is not None and duration > 0:
        off = max(0.0, duration - cpu)
        text = f"Waited *{wording.duration(off)}* of {whole} off the CPU"
    elif children:
        of = wording.plural(children, "child", "children")
        text = f"*{wording.duration(own)}* of {whole} are its own, the rest is in {of}"
    else:
        text = f"Took *{whole}*"
    held = sum(end - start for start, end in path)
    if held > 0 and children:
        text += f"; *{wording.duration(held)}* of its own time hold the trace up"
    elif held <= 0 and not children:
        text += ", off the critical path"
    if failed:
        text += f"; it failed{f' as *{marks.escaped(error)}*' if error and error != 'error' else ''}"
    return marks.sentence(text + ".")


def _is_masked(value: object) -> bool:
    """Tell whether otelkit masked a value before it was sent (docs/secrets.md)."""
    return isinstance(value, str) and value.startswith("[masked: ")


def _scalars(attributes: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return attributes as they are shown: lists and dictionaries as text."""
    return {
        key: value if isinstance(value, (bool, int, float)) or value is None else _text(value)
        for key, value in attributes.items()
    }


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
