# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All models."""

from __future__ import annotations

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import models, steps
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.shapes.finding import Headline
from otelkit.viewer.api.shapes.inference import ModelRow, Models


def answer(context: Context, window: Window) -> Models:
    """Return every model of the range."""
    span, terms = context.span(window, 60), context.terms(window)
    rows = models.rows(context, span, steps.read(context.reader, span, terms))
    return Models(range=context.range(span), headline=headline(rows), models=rows)


def headline(rows: list[ModelRow]) -> Headline:
    """Return the sentence over the page."""
    if not rows:
        return Headline(text="No inference yet", note="no model reported a step in this range", state="empty")
    fewer = [row.model for row in rows if row.status != "ok"]
    judged = sum(row.usual_items_per_s is not None for row in rows)
    note = f"{wording.listed(fewer)} slower than usual" if fewer else "as usual" if judged else "too young to judge"
    state = "findings" if fewer else "usual" if judged else "young"
    return Headline(text=wording.plural(len(rows), "model"), note=note, state=state, judged=judged)
