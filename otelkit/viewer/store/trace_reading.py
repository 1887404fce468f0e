# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Reading spans and searching traces."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from otelkit.viewer.store.decoding import resource_of, scope_of, span_of
from otelkit.viewer.store.model import Attributes, Span, TraceQuery, TraceSummary
from otelkit.viewer.store.signature import WORDS, alternatives, mask_of, name_token, service_token, words_of

__all__ = ("find_held", "find_traces", "read_durations", "read_services", "read_spans")

_COLUMNS = "trace_id, root_service, root_name, root_rank, start_ns, duration_ns, spans, errors, services"
_SQL_VARIABLES = 500
_READ_AT_ONCE = 50
_MAX_READ = 2_000
"""Most traces that one search by attribute reads; beyond it, it returns what it has."""


def read_spans(connection: sqlite3.Connection, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    """Return the spans of these traces, by start."""
    found: dict[str, list[Span]] = {}
    resources: dict[int, Attributes] = {}
    keys = [key for key in map(_key_of, trace_ids) if key is not None]
    for at in range(0, len(keys), _SQL_VARIABLES):
        some = keys[at : at + _SQL_VARIABLES]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(
            f"SELECT trace_id, body FROM traces JOIN pieces ON pieces.trace = traces.id WHERE trace_id IN ({marks})",  # noqa: S608
            some,
        )
        for trace_id, body in rows:
            found.setdefault(trace_id.hex(), []).extend(_spans_of(connection, body, resources))
    for spans in found.values():
        spans.sort(key=lambda span: (span.start_ns, span.end_ns))
    return found


def find_held(connection: sqlite3.Connection, trace_ids: Sequence[str]) -> set[str]:
    """Return which of these traces there are."""
    keys = [key for key in map(_key_of, trace_ids) if key is not None]
    found: set[str] = set()
    for at in range(0, len(keys), _SQL_VARIABLES):
        some = keys[at : at + _SQL_VARIABLES]
        marks = ", ".join("?" * len(some))
        rows = connection.execute(f"SELECT trace_id FROM traces WHERE trace_id IN ({marks})", some)  # noqa: S608
        found |= {key.hex() for (key,) in rows}
    return found


def _key_of(trace_id: str) -> bytes | None:
    try:
        return bytes.fromhex(trace_id)
    except ValueError:
        return None


def _spans_of(connection: sqlite3.Connection, body: bytes, resources: dict[int, Attributes]) -> Iterator[Span]:
    for resource_id, scope, bodies in msgspec.msgpack.decode(zlib.decompress(body)):
        resource = resources.get(resource_id)
        if resource is None:
            row = connection.execute("SELECT body FROM blobs WHERE id = ?", (resource_id,)).fetchone()
            resource = resources[resource_id] = resource_of(row[0]) if row else {}
        name = scope_of(scope)
        for each in bodies:
            span = span_of(each, resource, name)
            if span is not None:
                yield span


def find_traces(connection: sqlite3.Connection, query: TraceQuery) -> list[TraceSummary]:
    """Return the summaries of the traces that ``query`` asks for."""
    candidates = _candidates(connection, query)
    if not query.attributes and query.span_name is None:
        return list(islice(candidates, query.limit))
    found: list[TraceSummary] = []
    candidates = islice(candidates, _MAX_READ)
    while len(found) < query.limit and (some := list(islice(candidates, _READ_AT_ONCE))):
        spans = read_spans(connection, [summary.trace_id for summary in some])
        found += [summary for summary in some if _matches(spans.get(summary.trace_id, []), query)]
    return found[: query.limit]


def _candidates(connection: sqlite3.Connection, query: TraceQuery) -> Iterator[TraceSummary]:
    """Yield what the signatures let through, without what the summaries themselves know better."""
    conditions, values = _conditions(query)
    order = "start_ns" if query.order == "newest" else "duration_ns"
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM traces WHERE {' AND '.join(conditions)} ORDER BY {order} DESC",  # noqa: S608
        values,
    )
    for trace_id, root_service, root_name, rank, start_ns, duration_ns, spans, errors, encoded in rows:
        services = tuple(msgspec.json.decode(encoded))
        if query.service is None or query.service in services:
            yield TraceSummary(
                trace_id.hex(), root_service, root_name, rank > 0, start_ns, duration_ns, spans, errors, services
            )


def _conditions(query: TraceQuery) -> tuple[list[str], list[object]]:
    conditions, values = ["start_ns >= ?", "start_ns < ?"], [query.from_ns, query.to_ns]
    given: list[tuple[str, object]] = [
        ("duration_ns >= ?", query.min_duration_ns),
        ("duration_ns <= ?", query.max_duration_ns),
        ("root_service = ?", query.root_service),
        ("root_name = ?", query.root_name),
    ]
    for condition, value in given:
        if value is not None:
            conditions.append(condition)
            values.append(value)  # type: ignore[arg-type]
    if query.failed is not None:
        conditions.append("errors > 0" if query.failed else "errors = 0")
    tokens = [[service_token(query.service)]] if query.service is not None else []
    tokens += [[name_token(query.span_name)]] if query.span_name is not None else []
    tokens += [alternatives(key, value) for key, value in (query.attributes or {}).items()]
    for either in tokens:
        condition, words = _may_contain(either)
        conditions.append(condition)
        values += words
    return conditions, values  # type: ignore[return-value]


def _may_contain(tokens: Iterable[bytes]) -> tuple[str, list[int]]:
    """Return SQL that holds for signatures with all bits of one of the tokens."""
    choices: list[str] = []
    values: list[int] = []
    for token in tokens:
        words = words_of(mask_of(token))
        used = [index for index in range(WORDS) if words[index]]
        choices.append(" AND ".join(f"s{index} & ? = ?" for index in used))
        values += [words[index] for index in used for _ in range(2)]
    return f"({' OR '.join(choices)})", values


def _matches(spans: Sequence[Span], query: TraceQuery) -> bool:
    """Tell whether the spans have what the signatures only say that they may have."""
    if query.span_name is not None and all(span.name != query.span_name for span in spans):
        return False
    return all(
        any(_same(span.attributes.get(key), value) or _same(span.resource.get(key), value) for span in spans)
        for key, value in (query.attributes or {}).items()
    )


def _same(held: object, wanted: object) -> bool:
    if held is None:
        return False
    if isinstance(wanted, str):
        return held == wanted or (not isinstance(held, str) and _written(held) == wanted)
    return held == wanted and isinstance(held, bool) == isinstance(wanted, bool)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_durations(
    connection: sqlite3.Connection, service: str, from_ns: int, to_ns: int, limit: int, often: bool
) -> list[tuple[int, int]]:
    """
    Return (start, duration) of the newest traces whose root is of a service.

    Args:
        often: It is that of many traces: they are then looked through from the newest on, and else all of it sorted.
    """
    condition = "+root_service = ?" if often else "root_service = ?"
    return connection.execute(
        f"SELECT start_ns, duration_ns FROM traces WHERE start_ns >= ? AND start_ns < ? AND {condition} "  # noqa: S608
        "ORDER BY start_ns DESC LIMIT ?",
        (from_ns, to_ns, service, limit),
    ).fetchall()


def read_services(connection: sqlite3.Connection) -> set[str]:
    """Return service.name of all resources that spans came from."""
    rows = connection.execute("SELECT body FROM blobs").fetchall()
    return {str(resource_of(body).get("service.name", "")) for (body,) in rows}
