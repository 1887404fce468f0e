# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Work that must be over by a given time, whatever a network does.

The SDK's own shutdown waits for requests under way (6.5 s were measured with
a collector that never answers). Here each job has a daemon thread, all share
one deadline, and who is late is left behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from otelkit._core._guard import guard

Job = Callable[[float], object]
"""Takes the seconds it has; False or an exception means that it failed."""


class Jobs:
    """Jobs under way. Any number of threads may `wait` for them, none beyond the one deadline."""

    def __init__(self, jobs: Mapping[str, Job], timeout_s: float) -> None:
        self._deadline = time.monotonic() + timeout_s
        self._failed: list[str] = []
        self._threads = {name: self._start(name, job, timeout_s) for name, job in jobs.items()}

    def _start(self, name: str, job: Job, timeout_s: float) -> threading.Thread | None:
        thread = threading.Thread(target=self._run, args=(name, job, timeout_s), name=f"otelkit {name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads any more at interpreter shutdown (3.12 and newer)
            self._run(name, job, timeout_s)
            return None
        return thread

    def _run(self, name: str, job: Job, timeout_s: float) -> None:
        done: object = False
        with guard.shield(name):
            done = job(timeout_s)
        if done is False:
            self._failed.append(name)

    def wait(self, timeout_s: float) -> list[str]:
        """Wait until all have ended, and return the names of those that failed or are late."""
        end = min(time.monotonic() + timeout_s, self._deadline)
        for thread in self._threads.values():
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))
        late = [name for name, thread in self._threads.items() if thread is not None and thread.is_alive()]
        return [*self._failed, *late]
