# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Models that give fewer items a second than usual."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import marks, models, signals
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.history import Signal
from otelkit.viewer.api.shapes.finding import Finding, Link
from otelkit.viewer.api.steps import Model
from otelkit.viewer.api.timing import Span


def find(context: Context, span: Span, found: Iterable[Model]) -> list[Finding]:
    """Return a finding for each model whose throughput left its usual range."""
    findings = []
    for model in found:
        signal = Signal("model", model.key, "", signals.ITEMS)
        departure = context.judge.departure(signal, span.end)
        if departure is None:
            continue
        usual = departure.usual.middle
        fewer = wording.percent(1 - departure.value / usual)
        text = (
            f"{marks.escaped(model.name or 'It')} gives *{fewer} fewer* items/s than usual: "
            f"{wording.rate(departure.value)}, usual {wording.rate(usual)}."
        )
        row = models.items_per_s(model, span)
        usual_range = context.judge.usual(signal, span)
        findings.append(
            Finding(
                id=f"throughput/{model.key}",
                kind="throughput",
                severity="warn",
                subject=model.name or "unnamed",
                about="inference",
                since=departure.since,
                sentence=marks.sentence(text),
                line=marks.line("items", row, span, "/s", model.every, usual_range, "warn"),
                link=Link(text="Model", route=f"#/inference/{quote(model.key, safe='')}"),
                factor=round(usual / departure.value, 3) if departure.value > 0 else None,
                sample=departure.observations,
            )
        )
    return findings
