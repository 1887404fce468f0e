# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All services."""

from __future__ import annotations

from otelkit.viewer.api import calls, rows
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.shapes.service import Services


def answer(context: Context, window: Window) -> Services:
    """Return every service of the range."""
    span, terms = context.span(window, 60), context.terms(window)
    actions = calls.read(context.reader, span, terms)
    findings = [each for each in verdict.find(context, span) if each.about == "service"]
    found = rows.services(context, span, actions, findings, traced=not terms)
    return Services(
        range=context.range(span, calls.ignored(context.reader, terms)),
        headline=verdict.headline(context, span, findings, context.is_empty),
        services=found,
    )
