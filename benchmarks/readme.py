# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The project's README: a few ratios of the last full run, and every case that otelkit loses."""

from __future__ import annotations

from datetime import datetime

from benchmarks.cases import BY_KEY, CASES, RIVALS
from benchmarks.spread import Measured

BEGIN, END = "<!-- ratios -->", "<!-- /ratios -->"

SHOWN = (
    "sync",
    "sync_label",
    "async",
    "generator_1",
    "counter_bound",
    "histogram_bound",
    "observed_sampled",
    "span_sampled",
    "scrape_text",
    "scrape_openmetrics",
    "memory_settled",
)

COLUMNS = {"prometheus": "prometheus_client", "sdk": "OTel SDK", "logfire": "logfire"}


def updated(text: str, measured: Measured, when: datetime) -> str:
    """Return the README ``text`` with this run's ratios between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block(measured, when)}\n{END}{after}"


def block(measured: Measured, when: datetime) -> str:
    """The table, and where otelkit loses."""
    ours = measured.get(("sync", "otelkit"))
    own = f"; `@metered` on a plain function took {ours.minimum * 1e9:.0f} ns above the bare call" if ours else ""
    lines = [
        f"How many times more the same job costs by hand, fastest runs compared ({when:%Y-%m-%d}{own}):",
        "",
        "| | " + " | ".join(COLUMNS.values()) + " |",
        "|---|" + "---:|" * len(COLUMNS),
        *(
            f"| {BY_KEY[case].title} | " + " | ".join(_times(measured.ratio(case, rival)) for rival in COLUMNS) + " |"
            for case in SHOWN
        ),
        "",
        f"Where otelkit loses: {'; '.join(_losses(measured)) or 'in none of the cases measured'}.",
    ]
    return "\n".join(lines)


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.1f}x"


def _losses(measured: Measured) -> list[str]:
    names = {rival.key: rival.title for rival in RIVALS}
    return [
        f"{case.title} ({names[rival]}: {ratio:.2f}x)"
        for case in CASES
        for rival in COLUMNS
        if (ratio := measured.ratio(case.key, rival)) is not None and ratio < 1
    ]
