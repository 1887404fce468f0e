# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""All machines."""

from __future__ import annotations

from otelkit.viewer.analysis import wording
from otelkit.viewer.api import machines
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.findings import verdict
from otelkit.viewer.api.parameters import Window
from otelkit.viewer.api.shapes.finding import Finding, Headline, Status
from otelkit.viewer.api.shapes.host import HostRow, Hosts
from otelkit.viewer.api.timing import SECOND


def answer(context: Context, window: Window) -> Hosts:
    """Return the machines that report themselves."""
    span = context.span(window, 60)
    findings = [each for each in verdict.find(context, span) if each.about in ("host", "gpu")]
    rows = []
    for source in machines.sources(context).values():
        silent = span.now - source.last_ns / SECOND > machines.SILENT_S
        rows.append(
            HostRow(
                machine=machines.read(context, span, source),
                processes=len(source.instances),
                status=status(findings, source.host),
                last_seen=source.last_ns / SECOND,
                stale=span.live and silent,
            )
        )
    rows.sort(key=lambda row: (row.status == "ok", row.stale, row.machine.host))
    return Hosts(range=context.range(span), headline=headline(len(rows), findings), hosts=rows)


def status(findings: list[Finding], host: str) -> Status:
    """Return the worst finding about a host."""
    severities = {each.severity for each in findings if each.subject == host}
    return "err" if "err" in severities else "warn" if severities else "ok"


def headline(count: int, findings: list[Finding]) -> Headline:
    """Return the sentence over the page."""
    if not count:
        note = "no process reports its machine: otelkit does once metrics of the host are on"
        return Headline(text="No machine reports itself", note=note, state="empty")
    if findings:
        return Headline(
            text=wording.plural(count, "machine"), note=f"{findings[0].subject}: see below", state="findings"
        )
    return Headline(text=wording.plural(count, "machine"), note="", state="usual", judged=count)
