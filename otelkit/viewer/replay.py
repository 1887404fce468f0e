# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Lines of OTLP-JSON, loaded as if they arrived."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec

from otelkit.exceptions import ConfigurationError
from otelkit.viewer.ingest.inlet import Inlet, Signal
from otelkit.viewer.ingest.otlp_json import to_protobuf
from otelkit.viewer.ingest.outcome import Outcome

__all__ = ("Loading", "replay")

_IN_FLIGHT, _BYTES_IN_FLIGHT = 16, 8 << 20
# Of points, spans' ends and events; a point's start is that of its process.
_TIME = re.compile(rb'"(?:t|startT|endT)imeUnixNano"\s*:\s*"?(\d{18,19})"?')


class Loading:
    """
    A recording on its way into the store, line by line; times stay what they are.

    Not thread-safe. A line waits where the store is behind.

    Attributes:
        taken, broken, failed: Lines that were written, that are no OTLP, that could not be written.
        refused: Points and spans that the store did not take.
        reason: Why the last of them were not, or could not be written.
        first_ns, last_ns: Times in what was taken, Unix nanoseconds; 0 before the first.
    """

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._waiting: deque[tuple[Future[Outcome], int]] = deque()
        self._bytes = 0
        self.taken = self.broken = self.failed = self.refused = 0
        self.reason = ""
        self.first_ns = self.last_ns = 0

    def take(self, line: bytes) -> None:
        """Load one line; an empty one is nothing."""
        if not line.strip():
            return
        request = _request_of(line)
        if request is None:
            self.broken += 1
            return
        self._note_times(request[0], line)
        self._waiting.append((self._inlet.submit(*request), len(request[1])))
        self._bytes += len(request[1])
        while len(self._waiting) >= _IN_FLIGHT or self._bytes > _BYTES_IN_FLIGHT:
            self._settle()

    def finish(self) -> None:
        """Wait until all is written."""
        while self._waiting:
            self._settle()

    def notes(self) -> list[str]:
        """Return what was not loaded, in half sentences."""
        notes = [f"{self.broken} lines are no OTLP"] if self.broken else []
        if self.refused:
            notes.append(f"{self.refused} points or spans are older than what is retained, or wrong")
        return notes + ([f"{self.failed} lines could not be written: {self.reason}"] if self.failed else [])

    def _settle(self) -> None:
        answer, size = self._waiting.popleft()
        outcome = answer.result()
        self._bytes -= size
        self.taken += outcome.http == 200
        self.failed += outcome.http != 200
        self.refused += outcome.refused
        self.reason = outcome.message or self.reason

    def _note_times(self, signal: Signal, line: bytes) -> None:
        times = [int(each[1]) for each in _TIME.finditer(line) if signal == "traces" or each[0].startswith(b'"time')]
        if times:
            self.first_ns = min(self.first_ns or times[0], *times)
            self.last_ns = max(self.last_ns, *times)


def replay(path: Path, inlet: Inlet) -> str:
    """
    Load a file that the Collector's file exporter or otelkit's otlp_file wrote.

    Returns:
        What became of it, in one line.

    Errors: ConfigurationError for a file that cannot be read, or holds not one line of OTLP.
    """
    loading = Loading(inlet)
    try:
        for line in _lines(path):
            loading.take(line)
        loading.finish()
    except OSError as error:
        raise ConfigurationError("a readable file", f"{path} ({error.strerror})", "--replay") from error
    if loading.broken and not loading.taken:
        raise ConfigurationError("lines of OTLP-JSON", f"{path}, which has none", "--replay")
    notes = loading.notes()
    return f"Loaded {loading.taken} lines of {path}" + (f" ({', '.join(notes)})." if notes else ".")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _request_of(line: bytes) -> tuple[Signal, bytes] | None:
    try:
        keys = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
        signal: Signal = "traces" if "resourceSpans" in keys else "metrics"
        if signal == "metrics" and "resourceMetrics" not in keys:
            return None
        return signal, to_protobuf(signal, line)
    except (ValueError, msgspec.DecodeError):
        return None
