# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What observing costs, in the senders and here."""

from __future__ import annotations

import resource
import time
from functools import cache
from pathlib import Path

from otelkit import semconv
from otelkit.viewer.api import kept
from otelkit.viewer.api.calls import rates, total
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.shapes.frame import OwnCost
from otelkit.viewer.api.timing import Span

LOSSES = (semconv.DROPPED.name, semconv.OVERFLOWED.name)


def cost(context: Context, span: Span) -> OwnCost:
    """Return CPU, memory and losses."""
    return OwnCost(
        cpu=_senders_cpu(context, span),
        viewer_cpu=None if context.about.embedded else _Meter.of_process().share(),
        viewer_memory=None if context.about.embedded else resident_bytes(),
        dropped=_dropped(context, span),
    )


def _senders_cpu(context: Context, span: Span) -> float | None:
    groups = context.reader.read("sums", (semconv.CPU_TIME.name,), (), span)
    for group in groups.values():
        known = [
            each
            for each in rates([s[0] if s is not None else None for s in group.steps], span, group.last, group.first)
            if each is not None
        ]
        return round(sum(known) / len(known), 6) if known else None
    return None


def _dropped(context: Context, span: Span) -> int:
    lost = 0.0
    for group in context.reader.read("sums", LOSSES, (), span).values():
        lost += (total(group.steps) or (0.0,))[0]
    return round(lost) + kept.refused(context.store.statistics().counts)


def resident_bytes() -> int | None:
    """Return this process's resident memory; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return None


class _Meter:
    """CPU of this process between looks that are at least a second apart."""

    def __init__(self) -> None:
        self._looked, self._used, self._share = time.monotonic(), time.process_time(), 0.0

    def share(self) -> float:
        """Return CPU seconds a second."""
        now, used = time.monotonic(), time.process_time()
        if now - self._looked >= 1:
            self._share = (used - self._used) / (now - self._looked)
            self._looked, self._used = now, used
        return round(self._share, 4)

    @staticmethod
    @cache
    def of_process() -> _Meter:
        """Return the one of this process."""
        return _Meter()
