# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Memory and disks that will soon be full."""

from __future__ import annotations

from urllib.parse import quote

from otelkit.viewer.analysis import trend, wording
from otelkit.viewer.api import machines, marks
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.machines import Machines, Source
from otelkit.viewer.api.shapes.finding import Finding, Link
from otelkit.viewer.api.shapes.line import Line
from otelkit.viewer.api.timing import SECOND, Span

SOON_S = 1_800.0
LEAST_FULL = 0.5
"""Less than half full nothing is said, however steep: programs that start fill memory quickly, and stop."""
LEAST_STEPS = 10
LEAST_LENGTH_S = 120.0


def find(context: Context, span: Span) -> list[Finding]:
    """Return the findings about machines."""
    found = []
    for source in machines.sources(context).values():
        memory = Machines(context, span, source).memory()
        if memory is not None and (finding := _filling(span, source, memory)) is not None:
            found.append(finding)
    return found


def _filling(span: Span, source: Source, line: Line) -> Finding | None:
    if not line.limit or line.last is None or line.last < LEAST_FULL * line.limit:
        return None
    known = [(edge / SECOND, value) for edge, value in zip(span.edges, line.values, strict=False) if value is not None]
    if len(known) < LEAST_STEPS or known[-1][0] - known[0][0] < LEAST_LENGTH_S:
        return None
    fitted = trend.fit([when for when, _ in known], [value for _, value in known])
    if fitted is None or fitted.slope <= 0:
        return None
    left = (line.limit - line.last) / fitted.slope
    # The line has to be what happened, not the average of something else: it rose for most of the way.
    rose = known[-1][1] - known[0][1]
    if left > SOON_S or rose < 0.5 * fitted.slope * (known[-1][0] - known[0][0]):
        return None
    text = f"Memory is full in about *{wording.age(left)}*: {wording.size(line.last)} of {wording.size(line.limit)}"
    return Finding(
        id=f"full/{source.host}",
        kind="full",
        severity="warn",
        subject=source.host,
        about="host",
        since=known[0][0],
        sentence=marks.sentence(f"{text}, {wording.size(fitted.slope * 60)} more a minute."),
        line=line,
        link=Link(text="Memory", route=f"#/hosts/{quote(source.host, safe='')}"),
        sample=len(known),
    )
