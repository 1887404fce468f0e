# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Sidebar and ribbon."""

from __future__ import annotations

from otelkit.viewer.api import kept, own, ribbon, senders, subjects
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import FrameWindow
from otelkit.viewer.api.shapes.frame import Frame
from otelkit.viewer.api.timing import SECOND, resolve


def answer(context: Context, asked: FrameWindow) -> Frame:
    """Return what surrounds every page."""
    now = context.reader.clock()
    statistics = context.store.statistics()
    oldest = statistics.oldest_ns / SECOND
    span = resolve(asked.from_, asked.to, now, None, None, 60)
    return Frame(
        now=now,
        empty=context.is_empty,
        retained=oldest or None,
        ribbon=ribbon.read(context, asked, now, oldest),
        counts=subjects.counts(context),
        senders=senders.read(context),
        own=own.cost(context, span),
        limits=kept.limits(context),
    )
