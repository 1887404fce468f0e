# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of metrics."""

from __future__ import annotations

from otelkit.viewer.api import anymetric, catalogue
from otelkit.viewer.api.catalogue import Entry
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import MetricSearch
from otelkit.viewer.api.shapes.metric import MetricRow, Metrics
from otelkit.viewer.api.timing import Span

MOST_SPARKS = 60
"""Rows that come with a sparkline; a page has not more on the screen at once."""
MOST_SPARK_SERIES = 300
"""A metric with more label sets is drawn when it is opened."""


def answer(context: Context, window: MetricSearch) -> Metrics:
    """Return the metrics that the search asks for, by name."""
    span, terms = context.span(window, 60), context.terms(window)
    words = window.search.lower().split()
    entries = [catalogue.entry(of) for of in catalogue.by_name(context.reader.metrics()).values()]
    entries = [each for each in entries if all(_mentions(each, word) for word in words)]
    if terms:
        entries = [each for each in entries if context.reader.fulfilled(each.name, terms)]
    shown = entries[window.offset : window.offset + window.limit]
    rows = [_row(context, span, each, number < MOST_SPARKS) for number, each in enumerate(shown)]
    return Metrics(range=context.range(span), total=len(entries), metrics=rows)


def _mentions(entry: Entry, word: str) -> bool:
    return word in entry.name.lower() or word in entry.prometheus or word in entry.description.lower()


def _row(context: Context, span: Span, entry: Entry, sparkling: bool) -> MetricRow:
    series = len(context.reader.series(entry.name))
    spark = anymetric.spark(context, span, entry) if sparkling and series <= MOST_SPARK_SERIES else None
    return MetricRow(
        name=entry.name,
        prometheus=entry.prometheus,
        kind=entry.kind,
        unit=entry.unit,
        description=entry.description,
        series=series,
        last=spark.last if spark else None,
        spark=spark,
    )
