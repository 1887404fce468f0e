# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Where otelkit's own mishaps end: counted, logged at most once a minute, never raised.

The user's code runs on whatever happens in here. What is dropped is counted,
so that nothing is lost silently; `tallies` is what the self-metrics read.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from traceback import format_exception

_logger = logging.getLogger("otelkit")

LOG_INTERVAL_S = 60.0

Labels = tuple[tuple[str, str], ...]


class Guard:
    """
    Counts and logs what went wrong.

    Thread-safe, and safe to enter again from a signal handler or a finaliser:
    the lock is re-entrant and held only around dictionary work.

    Attributes:
        strict: Raise instead of swallowing; for otelkit's own tests only.
        mask: Takes credentials out of what is logged; exceptions of others may quote anything.
    """

    def __init__(self) -> None:
        self.strict = False
        self.mask: Callable[[str], str] = str
        self.reset()

    def reset(self) -> None:
        """Start from zero with a fresh lock, as a forked child must."""
        self._lock = threading.RLock()
        self._tallies: dict[tuple[str, Labels], int] = {}
        self._logged_at: dict[str, float] = {}

    def tally(self, what: str, labels: Labels, items: int = 1) -> None:
        """Add ``items`` to the self-metric ``what`` (dropped, overflowed, failures, exports)."""
        with self._lock:
            key = (what, labels)
            self._tallies[key] = self._tallies.get(key, 0) + items

    def tallies(self) -> list[tuple[str, Labels, int]]:
        """Return all tallies since the start of this process."""
        with self._lock:
            return [(what, labels, items) for (what, labels), items in self._tallies.items()]

    def dropped(self, metric: str, reason: str, items: int = 1, *, detail: str = "") -> None:
        """Count ``items`` that could not be kept for ``metric``, and say so once a minute."""
        self.tally("dropped", (("otelkit.metric", metric), ("otelkit.reason", reason)), items)
        self.warn(f"dropped {metric} {reason}", f"otelkit dropped data of {metric!r}: {reason}. {detail}".rstrip())

    def failed(self, where: str, error: BaseException) -> None:
        """Count a failure inside otelkit (or in a callback given to it) and log it once a minute."""
        kind = type(error).__name__
        self.tally("failures", (("otelkit.where", where), ("error.type", kind)))
        if self.strict:
            raise error
        self.warn(f"failed {where} {kind}", f"otelkit failed in {where}: {kind}: {error}. The program goes on.", error)

    def exported(self, exporter: str, outcome: str, items: int = 1) -> None:
        """Count one export; ``outcome`` is success, failure, rejected or dropped."""
        self.tally("exports", (("otelkit.exporter", exporter), ("otelkit.outcome", outcome)), items)

    def warn(self, key: str, text: str, error: BaseException | None = None) -> None:
        """Log ``text`` as a warning, at most once a minute for one ``key``."""
        now = time.monotonic()
        with self._lock:
            if now - self._logged_at.get(key, -LOG_INTERVAL_S) < LOG_INTERVAL_S:
                return
            if len(self._logged_at) > 1_000:
                self._logged_at.clear()
            self._logged_at[key] = now
        with suppress(Exception):  # a log handler of the program's that raises must not break the program here
            if error is not None and _logger.isEnabledFor(logging.DEBUG):
                # As text, not as exc_info, which the program's formatter would print as it is.
                text = "\n".join((text, *format_exception(error)))
            _logger.warning("%s", self.mask(text))

    @contextmanager
    def shield(self, where: str) -> Iterator[None]:
        """Keep any exception of the block from the caller; counts and logs it instead."""
        try:
            yield
        except Exception as error:
            self.failed(where, error)


guard = Guard()
