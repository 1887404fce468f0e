# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether anything arrives."""

from __future__ import annotations

from otelkit import __version__
from otelkit.viewer.api import kept, senders
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.parameters import Nothing
from otelkit.viewer.api.shapes.health import Listening, Status
from otelkit.viewer.api.timing import SECOND


def answer(context: Context, _asked: Nothing) -> Status:
    """Return what is listened on, what arrived, and what was refused."""
    store, about = context.store, context.about
    statistics = store.statistics()
    return Status(
        version=__version__,
        now=context.reader.clock(),
        started=about.started,
        listening=[Listening(what=what, where=where, problem=problem) for what, where, problem in about.listening],
        access=about.access,
        empty=context.is_empty,
        first=statistics.oldest_ns / SECOND or None,
        last=statistics.latest_ns / SECOND or None,
        arrived={
            name.removeprefix("received."): count
            for name, count in statistics.counts.items()
            if name.startswith("received.")
        },
        refused=kept.refusals(statistics.counts),
        senders=senders.read(context),
        endpoint=about.endpoint,
        headers=about.headers,
        kept=kept.read(context),
        replayed=about.replayed(),
    )
