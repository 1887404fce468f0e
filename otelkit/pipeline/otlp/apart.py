# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Calls of gRPC's and forks, kept apart.

A child can use gRPC, with channels of its own, unless some thread of the
parent's was calling into it at the fork: gRPC then skips its fork handlers, and
no call of the child's ever ends (of children forked beside a thread that
exported without a pause, every fifth).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from otelkit._core._fork import forks
from otelkit._core._guard import guard

PATIENCE_S = 0.25
"""How long a fork waits for calls under way. A receiver that does not answer must not stop a program from forking."""


class Apart:
    """Lets calls wait for forks and forks wait for calls. Thread-safe."""

    def __init__(self) -> None:
        self._begin_anew()
        forks.in_child(self._in_child)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._before_fork, after_in_parent=self._in_parent)

    def _begin_anew(self) -> None:
        self._changed = threading.Condition()
        self._calls = 0
        self._forks = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Run the block while nobody forks."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forks, PATIENCE_S)
            self._calls += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()

    def _before_fork(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._calls, PATIENCE_S)

    def _in_parent(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def _in_child(self) -> None:
        amid_a_call = self._calls
        self._begin_anew()
        if amid_a_call:
            guard.warn(
                "fork amid a call",
                "This process was forked while its parent was calling gRPC, and cannot deliver by gRPC itself. "
                "Set otlp_protocol to http/protobuf where programs fork while they report.",
            )


apart = Apart()
