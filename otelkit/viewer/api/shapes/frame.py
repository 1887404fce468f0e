# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds every page: sidebar, ribbon, own cost."""

from __future__ import annotations

from typing import Literal

import msgspec

from otelkit.viewer.api.shapes.axis import Axis


class Notch(msgspec.Struct, kw_only=True):
    """A process that started or ended, or a version that was deployed; ``label`` is what to write beside it."""

    time: float
    kind: Literal["start", "recycled", "gone", "deployment"]
    label: str


class Ribbon(msgspec.Struct, kw_only=True):
    """
    Everything that was handled over the retained time.

    Attributes:
        axis: Its own steps, not those of the page.
        caption: "all requests, 6 h".
        unit: requests, spans, jobs, items or points: what the bars count.
        counts: Per step, null before the first data.
        failed: Per step, the failed part of it.
        notches: What happened to processes.
    """

    axis: Axis
    caption: str
    unit: str
    counts: list[float | None]
    failed: list[float | None]
    notches: list[Notch]


class Counts(msgspec.Struct, kw_only=True):
    """The numbers beside the pages' names: of all that is retained."""

    services: int
    traces: int
    inference: int
    batch: int
    hosts: int
    metrics: int


class Sender(msgspec.Struct, kw_only=True):
    """
    A program that sends, with all of its processes.

    Attributes:
        name: service.name, or the script.
        detail: "4 workers", "pid 4183".
        processes: How many of them are alive.
        last_seen: When anything arrived last, Unix seconds.
        stale: Whether it is silent for longer than three of its own intervals.
        every: Seconds between its reports; null until two of them arrived.
        language: telemetry.sdk.language.
    """

    name: str
    detail: str
    processes: int
    last_seen: float
    stale: bool
    every: float | None = None
    language: str | None = None


class OwnCost(msgspec.Struct, kw_only=True):
    """
    What observing costs.

    Attributes:
        cpu: CPU that otelkit's own threads use in all senders together, as share of one core; null if not reported.
        viewer_cpu: The same of this viewer's process; null where it runs inside a program, which uses CPU itself.
        viewer_memory: Resident memory of this viewer's process, in bytes; null likewise.
        dropped: Items dropped or refused in the shown range, by senders and by the viewer.
    """

    cpu: float | None
    viewer_cpu: float | None
    viewer_memory: int | None
    dropped: int


class Frame(msgspec.Struct, kw_only=True):
    """
    The sidebar and the ribbon.

    Attributes:
        now: The server's clock, Unix seconds.
        empty: Nothing was stored yet.
        retained: Time of the oldest thing kept, Unix seconds.
        limits: "kept 30 days or 1 GiB: older than 09:02 is gone", one sentence each.
    """

    now: float
    empty: bool
    retained: float | None
    ribbon: Ribbon
    counts: Counts
    senders: list[Sender]
    own: OwnCost
    limits: list[str]
