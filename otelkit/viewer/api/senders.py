# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that send, with their processes."""

from __future__ import annotations

from otelkit.viewer.api.context import Context
from otelkit.viewer.api.shapes.frame import Sender as Shown
from otelkit.viewer.api.timing import SECOND
from otelkit.viewer.store import Sender

GONE_S = 900.0
"""A program that is silent for longer is not listed any more."""
UNKNOWN_INTERVAL_S = 60.0


def read(context: Context) -> list[Shown]:
    """Return the programs heard of in the last quarter of an hour, those with most processes first."""
    now = context.reader.clock()
    programs: dict[str, list[Sender]] = {}
    for each in context.store.senders():
        if now - each.latest_ns / SECOND < GONE_S:
            programs.setdefault(name_of(each.resource), []).append(each)
    shown = [_shown(name, processes, now) for name, processes in programs.items()]
    return sorted(shown, key=lambda each: (each.stale, -each.processes, each.name))


def name_of(resource: dict[str, object]) -> str:
    """Return service.name, or what else tells what it is."""
    for key in ("service.name", "process.command", "process.executable.name", "host.name"):
        if value := resource.get(key):
            return str(value)
    return "unknown"


def is_stale(sender: Sender, now: float) -> bool:
    """Tell whether three reports in a row are missing."""
    return now - sender.latest_ns / SECOND > 3 * (sender.interval_s or UNKNOWN_INTERVAL_S)


def _shown(name: str, processes: list[Sender], now: float) -> Shown:
    alive = [each for each in processes if not is_stale(each, now)]
    latest = max(processes, key=lambda each: each.latest_ns)
    return Shown(
        name=name,
        detail=_detail(alive or processes[:1]),
        processes=len(alive),
        last_seen=latest.latest_ns / SECOND,
        stale=not alive,
        every=latest.interval_s or None,
        language=_text(latest.resource.get("telemetry.sdk.language")),
    )


def _detail(processes: list[Sender]) -> str:
    if len(processes) > 1:
        return f"{len(processes)} processes"
    pid = processes[0].resource.get("process.pid")
    return f"pid {pid}" if pid is not None else "1 process"


def _text(value: object) -> str | None:
    return str(value) if value else None
