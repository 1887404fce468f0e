# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks side by side, within one time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from otelkit.cli._findings import Finding, Status

__all__ = ("run_all",)

Check = Callable[[], list[Finding]]


def run_all(checks: Sequence[Check], timeout_s: float) -> list[Finding]:
    """
    Run all ``checks``, each in a thread, and return their findings in the order of the checks.

    A check that raises becomes a finding, and so does one that is not done in
    ``timeout_s`` (a name server that does not answer cannot be interrupted):
    its thread is left behind and does not keep the process alive.
    """
    done: queue.SimpleQueue[tuple[int, list[Finding]]] = queue.SimpleQueue()
    for index, check in enumerate(checks):
        threading.Thread(target=lambda i=index, c=check: done.put((i, _caught(c))), daemon=True).start()
    end = time.monotonic() + timeout_s
    results: dict[int, list[Finding]] = {}
    while len(results) < len(checks):
        try:
            index, findings = done.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        results[index] = findings
    return [finding for index in range(len(checks)) for finding in results.get(index, _TIMED_OUT)]


_TIMED_OUT = [
    Finding(
        "Endpoints",
        "timeout",
        Status.BROKEN,
        "A check did not end in time: the name server may not be answering.",
        "Check the host names of the endpoints above with `getent hosts NAME`.",
    )
]


def _caught(check: Check) -> list[Finding]:
    try:
        return check()
    except Exception as error:
        text = f"A check failed itself: {type(error).__name__}: {error}."
        return [Finding("Doctor", "check.failed", Status.WARNING, text, "Please report this.")]
