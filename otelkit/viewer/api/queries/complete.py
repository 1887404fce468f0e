# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What could come next in the filter bar."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import subjects
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.filters import SERVICE_KEYS, as_text
from otelkit.viewer.api.parameters import Completion
from otelkit.viewer.api.shapes.health import Suggestion, Suggestions
from otelkit.viewer.api.timing import SECOND

_LAST = re.compile(r'(-?)(?:([^\s:=<>"]+)([:=]))?"?([^"\s]*)$')
_TRACE_ID = re.compile("[0-9a-f]{32}")
RECENT_TRACES_S = 3_600.0


def answer(context: Context, asked: Completion) -> Suggestions:
    """Return completions of the last term, and pages to jump to."""
    match = _LAST.search(asked.q)
    assert match is not None  # every text ends with nothing
    before, typed = asked.q[: match.start()], match[4].lower()
    if match[2]:
        stem = f"{before}{match[1]}{match[2]}{match[3]}"
        found = list(_values(context, match[2], typed, stem))
    else:
        found = [*_pages(context, asked.q.strip()), *_keys(context, typed, before + match[1])]
    return Suggestions(suggestions=found[: asked.limit])


def _values(context: Context, key: str, typed: str, stem: str) -> Iterator[Suggestion]:
    counts: Counter[str] = Counter()
    wanted = SERVICE_KEYS if key in SERVICE_KEYS else (key,)
    for each in context.reader.all_series():
        for name in wanted:
            value = each.attributes.get(name, each.resource.get(name))
            if value is not None:
                counts[as_text(value)] += 1
    if key in SERVICE_KEYS:
        counts.update(dict.fromkeys(subjects.services(context), 1))
    if key in ("name", "root"):
        begin = int((context.reader.clock() - RECENT_TRACES_S) * SECOND)
        counts.update({name: count for _, name, count in context.store.roots(begin)})
    matching = [(value, count) for value, count in counts.most_common() if typed in value.lower()]
    matching.sort(key=lambda item: not item[0].lower().startswith(typed))
    for value, count in matching[:50]:
        text = f'"{value}"' if re.search(r'[\s"]', value) or not value else value
        yield Suggestion(text=f"{stem}{text} ", kind="value", detail=f"{wording.plural(count, 'label set')}")


def _keys(context: Context, typed: str, stem: str) -> Iterator[Suggestion]:
    metrics: dict[str, set[str]] = {}
    for each in context.reader.all_series():
        for key in each.attributes:
            metrics.setdefault(key, set()).add(each.metric.name)
    known = {"service": "of traces and metrics", "name": "root of a trace", "duration": "of a trace: duration>1s"}
    for key, detail in known.items():
        if typed in key:
            yield Suggestion(text=f"{stem}{key}{'>' if key == 'duration' else ':'}", kind="key", detail=detail)
    for key, names in sorted(metrics.items(), key=lambda item: (not item[0].startswith(typed), -len(item[1]))):
        if typed in key.lower() and key not in known:
            detail = f"label of {wording.plural(len(names), 'metric')}"
            yield Suggestion(text=f"{stem}{key}:", kind="key", detail=detail)


def _pages(context: Context, typed: str) -> Iterator[Suggestion]:
    if _TRACE_ID.fullmatch(typed):
        yield Suggestion(text=typed, kind="page", detail="trace", route=f"#/traces/{typed}")
    lower = typed.lower()
    if not lower:
        return
    for name in sorted(subjects.services(context)):
        if lower in name.lower():
            yield Suggestion(text=name, kind="page", detail="service", route=f"#/services/{quote(name, safe='')}")
    for name in sorted(context.reader.names()):
        if lower in name.lower():
            yield Suggestion(text=name, kind="page", detail="metric", route=f"#/metrics/{quote(name, safe='')}")
