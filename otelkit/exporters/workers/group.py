# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What one process does in its group: leave its snapshot, answer for all, and wait for the port.

A process that is alone writes nothing and has no thread. As soon as there are
several, each writes its snapshot

- when a scrape asks for it: the page is as fresh as that of a single process;
- before it shows it: what a page once said is never lost;
- every second (less often, where that would cost more than a two-hundredth of
  a CPU): what a process that is killed loses;
- at its end.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from otelkit._core._guard import guard
from otelkit._core._snapshot import MetricSnapshot
from otelkit.exporters._prometheus_text import Scope
from otelkit.exporters.workers import merge
from otelkit.exporters.workers.folder import Folder
from otelkit.exporters.workers.member import ask, member_of, ring
from otelkit.exporters.workers.wire import Snapshot

__all__ = ("Group", "page_of")

WRITE_INTERVAL_S = 1.0
COST_LIMIT = 1 / 200
"""Share of one CPU that regular writing may take; the interval grows as needed."""
ANSWER_TIMEOUT_S = 0.5
"""How long a scrape waits for a worker that is busy; then its last snapshot counts."""
TIDY_INTERVAL_S = 10.0
"""How often whoever has the port folds the dead, where no scrape does."""
PORT_POLL_S = 0.25
"""How often a worker looks whether the port has become free."""

# In a child this thread starts while other libraries' hooks may not have run: the SDK's renew the locks that a
# collection needs.
_HOOKS_S = 0.02

Scoped = list[tuple[Scope | None, list[MetricSnapshot]]]


def page_of(folder: Folder, own: Snapshot | None = None, name: str = "") -> tuple[Scoped, dict[str, str]]:
    """Return metrics and target of all members; ``own`` instead of what the member ``name`` has left."""
    ask(folder, [member for member in folder.members() if member != name], ANSWER_TIMEOUT_S)
    live, dead = folder.read(without=name)
    live = [own, *live] if own else live
    return merge.merged([*live, *dead]), merge.common_target(live or dead)


class Group:
    """
    One process in a group of workers.

    Args:
        folder: The group's, created.
        snapshot: Collects this process's metrics; called from any thread, one at a time.
        take_port: Tries to begin serving; true if this process does so now.
        alone: Whether this process may have to share with nobody: it then waits until another one shows up.
    """

    def __init__(
        self, folder: Folder, snapshot: Callable[[], Snapshot], take_port: Callable[[], bool], *, alone: bool
    ) -> None:
        self.folder = folder
        self._snapshot = snapshot
        self._take_port = take_port
        self._alone = alone
        self._forked = False
        self._begin()
        _groups.add(self)
        self._write_when_multiprocessing_ends()

    def _begin(self) -> None:
        self.member = member_of(self.folder)
        self._scraping = threading.Lock()
        self._writing = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._cost_s = 0.0

    def start(self) -> None:
        """Begin to write regularly and to wait for the port, unless this process is alone."""
        if not self.is_alone():
            self._run_thread()

    def together(self) -> tuple[Scoped, dict[str, str]] | None:
        """Return metrics and target of all workers; None if this process is the only one. Never raises."""
        with guard.shield("workers: scrape"):
            if self.is_alone():
                return None
            with self._scraping:
                self._run_thread()
                return page_of(self.folder, self._write(), self.member.name)
        return None

    def write(self) -> None:
        """Leave a snapshot, if there is anybody to leave it to. Never raises."""
        with guard.shield("workers: writing"):
            if not self.is_alone():
                self._write()

    def close(self, *, wake_others: bool) -> None:
        """Leave the last snapshot and stop; again is harmless. Others that are woken try to take the port."""
        if self._closed:
            return
        self._closed = True
        thread, self._thread = self._thread, None
        with guard.shield("workers: end"):
            for name in self.folder.members() if wake_others else ():
                if name != self.member.name:
                    ring(self.folder, name)
            if thread is not None:
                self.member.wake()
                if thread is not threading.current_thread():
                    thread.join(WRITE_INTERVAL_S)
            self.write()

    def is_alone(self) -> bool:
        """Tell whether there has never been another worker."""
        self._alone = self._alone and self.folder.is_alone(self.member.name)
        return self._alone

    def _write(self) -> Snapshot:
        with self._writing:
            began = time.thread_time()
            snapshot = self._snapshot()
            with guard.shield("workers: writing"):
                self.member.write(snapshot)
            self._cost_s = time.thread_time() - began
            return snapshot

    # -- the thread ---------------------------------------------------------------

    def _run_thread(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="otelkit-workers", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        if self._forked:
            time.sleep(_HOOKS_S)
        serving = False
        written_at = tidied_at = time.monotonic()
        with guard.shield("workers: entering"):
            self.member.enter()
        while not self._closed:
            interval_s = max(WRITE_INTERVAL_S, self._cost_s / COST_LIMIT)
            left_s = max(0.0, written_at + interval_s - time.monotonic())
            asked = self.member.wait(left_s if serving else min(left_s, PORT_POLL_S))
            if self._closed:
                return
            if not serving:
                with guard.shield("workers: port"):
                    serving = self._take_port()
            if asked or time.monotonic() - written_at >= interval_s:
                with guard.shield("workers: collection"):
                    self._write()
                written_at = time.monotonic()
            if serving and time.monotonic() - tidied_at >= TIDY_INTERVAL_S:
                with guard.shield("workers: folding of the dead"):
                    self.folder.tidy()
                tidied_at = time.monotonic()

    # -- other processes ----------------------------------------------------------

    def _write_when_multiprocessing_ends(self) -> None:
        """Have the last snapshot written in children of multiprocessing, which skip atexit."""
        util: Any = sys.modules.get("multiprocessing.util")
        if util is None:
            return
        # A child begins by forgetting its finalizers and running what was registered here.
        util.register_after_fork(self, _finalize)
        _finalize(self)

    def after_fork_in_parent(self) -> None:
        """Expect others from now on."""
        self._alone = False

    def after_fork_in_child(self) -> None:
        """Be another member, which starts from nothing; to be called when this process's metrics have done so."""
        closed = self._closed
        self._alone = False
        self._forked = True
        self._begin()
        self._closed = closed
        self._write_when_multiprocessing_ends()
        with guard.shield("workers: entering"):
            if not closed:
                # At once, not in the thread: a scrape that comes now waits for this process's values.
                self.member.enter()
        with suppress(RuntimeError):  # the interpreter is ending
            self.start()


def _finalize(group: Group) -> None:
    reference = weakref.ref(group)

    def write() -> None:
        group = reference()
        if group is not None and not group._closed:
            group.write()

    sys.modules["multiprocessing.util"].Finalize(None, write, exitpriority=-100)


_groups: weakref.WeakSet[Group] = weakref.WeakSet()


def _after_fork_in_parent() -> None:
    for group in list(_groups):
        group.after_fork_in_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_after_fork_in_parent)
