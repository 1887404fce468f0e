# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What needs a look, as sentences made of measurements."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.line import Line

Severity = Literal["err", "warn"]
Status = Literal["ok", "warn", "err"]


class Part(msgspec.Struct, kw_only=True):
    """A piece of a sentence; ``strong`` ones are its numbers and names."""

    text: str
    strong: bool = False


class Link(msgspec.Struct, kw_only=True):
    """Where the evidence is: the text to click and the page's route, ``#/traces/7f…``."""

    text: str
    route: str


class Finding(msgspec.Struct, kw_only=True):
    """
    One thing outside of what is usual.

    Attributes:
        id: The same for as long as the same thing lasts; what muting remembers.
        kind: slow, failing, stragglers, late, stuck, throughput, hot, throttled, full, crash_loop, gone or lost.
        severity: err when users or results suffer, else warn.
        subject: What it is about: a service, a job, a model, a device.
        about: The kind of subject: service, batch, inference, host, gpu, sender or otelkit.
        since: Unix seconds at which it began, to a window's length.
        sentence: Its parts in order; joined they are plain text.
        line: The measurement behind it, with its usual range.
        link: One place to look at.
        factor: How far outside, as a multiple of the edge of usual; null where that has no meaning.
        sample: Observations in the windows that it was found in.
    """

    id: str
    kind: str
    severity: Severity
    subject: str
    about: str
    since: float
    sentence: list[Part]
    line: Line | None
    link: Link
    factor: float | None = None
    sample: int = 0


class Headline(msgspec.Struct, kw_only=True):
    """
    The verdict over a page.

    Attributes:
        text: "Three things need a look", "All as usual", "Too young to judge: 4 min of history", "Nothing yet"; on a
            page about one thing what is to be said beside its name.
        note: The half sentence beside it.
        state: findings, usual, young or empty.
        judged: How many signals were compared with what is usual for them.
        unjudged: How many could not be, because there is too little data.
    """

    text: str
    note: str
    state: Literal["findings", "usual", "young", "empty"]
    judged: int = 0
    unjudged: int = 0
