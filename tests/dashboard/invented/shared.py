# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501, RUF001 - tables of data, in the typography of the pages
"""One afternoon: what all invented answers share."""

from __future__ import annotations

import random
import time
from typing import Any

from otelkit.viewer.api.shapes import finding
from otelkit.viewer.api.shapes.axis import Axis, Range
from otelkit.viewer.api.shapes.line import Line, Quantile, Usual

NOW = float(int(time.time()) // 10 * 10)


STEP, COUNT = 10.0, 90


TRACE = "7f3a00000000000000000000000bc41e"


chance = random.Random(7)


def axis(count: int = COUNT, step: float = STEP) -> Axis:
    """Return an axis that ends now."""
    return Axis(start=NOW - count * step, step=step, count=count)


def shown(count: int = COUNT) -> Range:
    """Return the range of a page."""
    step = 900 / count
    return Range(start=NOW - 900, end=NOW, now=NOW, live=True, retained=NOW - 21_600, axis=axis(count, step))


def wave(mean: float, wobble: float = 0.06, count: int = COUNT) -> list[float | None]:
    """Return values around ``mean``."""
    state, out = 0.0, []
    for _ in range(count):
        state = 0.8 * state + chance.gauss(0, wobble)
        out.append(max(0.0, mean * (1 + state)))
    return out


def rise(low: float, high: float, at: float = 0.5, width: float = 0.12) -> list[float | None]:
    """Return values that rise from ``low`` to ``high``."""
    out = []
    for i in range(COUNT):
        share = min(1.0, max(0.0, (i / COUNT - at) / width))
        out.append((low + (high - low) * share * share * (3 - 2 * share)) * (1 + chance.gauss(0, 0.03)))
    return out


def line(name: str, values: list[float | None], unit: str = "1", **more: Any) -> Line:
    """Return a line with its last value."""
    return Line(name=name, values=values, last=values[-1], unit=unit, **more)


def usual(low: float, high: float) -> Usual:
    """Return what is usual."""
    return Usual(low=low, high=high, middle=(low + high) / 2, windows=290, window_s=60, observations=84_000)


def quantile(value: float) -> Quantile:
    """Return an exact quantile."""
    return Quantile(value=value, count=10_260)


def say(text: str) -> list[finding.Part]:
    """Make parts of a sentence whose strong pieces stand in asterisks."""
    return [finding.Part(text=piece, strong=bool(i % 2)) for i, piece in enumerate(text.split("*")) if piece]


def _finding(
    kind: str, severity: Any, subject: str, about: str, since: float, text: str, values: Any, link: Any
) -> Any:
    return finding.Finding(
        id=f"{kind}:{subject}", kind=kind, severity=severity, subject=subject, about=about, since=NOW - since,
        sentence=say(text), line=line(subject, values, "s", usual=usual(0.26, 0.42) if about != "gpu" else usual(30, 74)),
        link=finding.Link(text=link[0], route=link[1]), factor=4.1, sample=2_400,
    )  # fmt: skip


FINDINGS = [
    _finding("slow", "err", "checkout", "service", 500,
             "p95 is *1.84 s*, 4.1× the usual, and *4.63 %* fail. 93 % of the extra time is in one span: *POST payments-gw*.",
             rise(0.3, 1.84), ("Slowest trace", f"#/traces/{TRACE}")),
    _finding("stragglers", "warn", "score-nightly", "batch", 320,
             "*5 of 640* jobs run 6× the median; all sit on *worker 5*, which swaps. The batch ends 6 min late, at 14:58.",
             rise(0.3, 1.8, 0.68), ("Stragglers", "#/batch/score-nightly")),
    _finding("throttled", "warn", "GPU 1", "embed.py", 800,
             "*86 °C* and thermally throttled: clock 2.52 → 2.19 GHz; MiniLM gives *11 % fewer* items/s than on GPU 0.",
             rise(60, 86, 0.2, 0.4), ("GPU 1", "#/hosts/node-1")),
]  # fmt: skip


USUAL = finding.Headline(text="All as usual", note="25 signals are within their usual range", state="usual", judged=25)
