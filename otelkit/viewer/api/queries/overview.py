# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The first page."""

from __future__ import annotations

from otelkit.viewer.api import calls, jobs, machines, models, rows, steps
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.shapes.overview import Overview


def answer(context: Context, window: Window) -> Overview:
    """Return what is wrong, and everything in short; functions only where there is no service."""
    span, terms = context.span(window, 60), context.terms(window)
    findings = verdict.find(context, span)
    actions = calls.read(context.reader, span, terms)
    served = [each for each in actions if each.source not in ("function", "named")]
    return Overview(
        range=context.range(span, calls.ignored(context.reader, terms)),
        headline=verdict.headline(context, span, findings, context.is_empty),
        findings=findings,
        services=rows.services(context, span, served or actions, findings, traced=not terms),
        inference=models.rows(context, span, steps.read(context.reader, span, terms)),
        batch=jobs.rows(jobs.read(context, span, terms), findings),
        machine=machines.most_active(context, span),
    )
