# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All batches and jobs."""

from __future__ import annotations

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import jobs
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.marks import plain
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.shapes.batch import Jobs
from otelkit.viewer.api.shapes.finding import Headline


def answer(context: Context, window: Window) -> Jobs:
    """Return every job of the range."""
    span, terms = context.span(window, 60), context.terms(window)
    findings = [each for each in verdict.find(context, span) if each.about == "batch"]
    rows = jobs.rows(jobs.read(context, span, terms), findings)
    if not rows:
        headline = Headline(text="No jobs yet", note="no engine reported a job in this range", state="empty")
    elif findings:
        headline = Headline(text="Batch & jobs", note=plain(findings[0].sentence), state="findings")
    else:
        left = sum(row.pending or 0 for row in rows)
        note = f"{wording.plural(len(rows), 'job')}, {wording.count(left)} pending"
        headline = Headline(text="Batch & jobs", note=note, state="usual")
    return Jobs(range=context.range(span), headline=headline, jobs=rows)
