# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the viewer keeps what it received: SQLite behind `Reading`."""

from __future__ import annotations

from otelkit.viewer.store.flat import Flat
from otelkit.viewer.store.model import (
    Attributes,
    Change,
    Event,
    Exemplar,
    ExponentialPoint,
    Histograms,
    Kind,
    Link,
    Metric,
    Numbers,
    Sender,
    Series,
    Span,
    Statistics,
    SummaryPoint,
    TraceQuery,
    TraceSummary,
)
from otelkit.viewer.store.reading import Reading
from otelkit.viewer.store.rollups import resolution_for

__all__ = (
    "Attributes",
    "Change",
    "Event",
    "Exemplar",
    "ExponentialPoint",
    "Flat",
    "Histograms",
    "Kind",
    "Link",
    "Metric",
    "Numbers",
    "Reading",
    "Sender",
    "Series",
    "Span",
    "Statistics",
    "SummaryPoint",
    "TraceQuery",
    "TraceSummary",
    "resolution_for",
)
