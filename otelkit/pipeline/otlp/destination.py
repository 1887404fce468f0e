# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a receiver takes what it is sent: one line in the log when it stops to, one when it is back."""

from __future__ import annotations

import threading
import time
import weakref
from urllib.parse import urlsplit

from otelkit._core._fork import forks
from otelkit._core._guard import LOG_INTERVAL_S, guard
from otelkit.pipeline.otlp.reply import Signal


class Destination:
    """
    One receiver, as all signals that go there find it.

    A receiver that fails now and then is announced once a minute at most. Thread-safe.

    Args:
        name: For people: scheme, host and port.
        log_interval_s: Least seconds between two announcements of a failure.

    Attributes:
        hint: What happens meanwhile to what cannot be delivered; a sentence for the log.
    """

    def __init__(self, name: str, log_interval_s: float = LOG_INTERVAL_S) -> None:
        self.name = name
        self.hint = ""
        self._log_interval_s = log_interval_s
        self._announced_at = -log_interval_s
        self.start_afresh()
        forks.in_child(self.start_afresh)

    def start_afresh(self) -> None:
        """Begin as if nothing had failed, with a fresh lock, as a forked child must."""
        self._lock = threading.Lock()
        self._failing: set[Signal] = set()
        self._failures = 0
        self._dropped: dict[str, int] = {}
        self._since = 0.0
        self._announced = False

    def failing(self, signal: Signal) -> bool:
        """Say whether the last request with that signal failed."""
        return signal in self._failing

    def failed(self, signal: Signal, reason: str) -> None:
        """Take note of a request that was not delivered."""
        now = time.monotonic()
        with self._lock:
            if not self._failing:
                self._since = now
                self._failures = 0
                self._dropped = {}
                self._announced = now - self._announced_at >= self._log_interval_s
                first = self._announced
            else:
                first = False
            self._failing.add(signal)
            self._failures += 1
            if first:
                self._announced_at = now
        if first:
            # The key is unique: how often is decided here, so that a line "is back" has its line "is gone".
            text = f"otelkit cannot deliver {signal} to {self.name}: {reason}. {self.hint}"
            guard.warn(f"destination {id(self)} down {now}", text.rstrip())

    def dropped(self, signal: Signal, items: int) -> None:
        """Take note of what was lost, for the line that says that the receiver is back."""
        with self._lock:
            self._dropped[signal] = self._dropped.get(signal, 0) + items

    def delivered(self, signal: Signal) -> None:
        """Take note of a request that was delivered."""
        if not self._failing:
            return
        with self._lock:
            self._failing.discard(signal)
            if self._failing or not self._announced:
                return
            self._announced = False
            lost = ", ".join(f"{items} {_ITEMS[of]} were lost" for of, items in self._dropped.items())
            seconds, failures = time.monotonic() - self._since, self._failures
        text = f"otelkit delivers to {self.name} again, after {seconds:.0f} s and {failures} failed requests"
        guard.warn(f"destination {id(self)} up {time.monotonic()}", f"{text}; {lost}." if lost else f"{text}.")


_ITEMS: dict[str, str] = {"traces": "spans", "metrics": "data points"}

_known: weakref.WeakValueDictionary[str, Destination] = weakref.WeakValueDictionary()


def destination_of(endpoint: str) -> Destination:
    """Return the one that all who send to that host and port share."""
    parts = urlsplit(endpoint)
    host = parts.netloc.rpartition("@")[2]
    name = f"{parts.scheme}://{host}" if host else endpoint
    destination = _known.get(name)
    if destination is None:
        destination = _known[name] = Destination(name)
    return destination
