# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A file of OTLP-JSON lines, loaded as if it arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import msgspec

from otelkit.exceptions import ConfigurationError
from otelkit.viewer.ingest.inlet import Inlet, Signal
from otelkit.viewer.ingest.otlp_json import to_protobuf
from otelkit.viewer.ingest.outcome import Outcome

__all__ = ("replay",)

_IN_FLIGHT = 16


def replay(path: Path, inlet: Inlet) -> str:
    """
    Load a file that the Collector's file exporter or otelkit's otlp_file wrote; times stay what they are.

    Returns:
        What became of it, in one line.

    Errors: ConfigurationError for a file that cannot be read, or holds not one line of OTLP.
    """
    taken = broken = refused = 0
    waiting: deque[Future[Outcome]] = deque()

    def settle() -> None:
        nonlocal taken, refused
        outcome = waiting.popleft().result()
        taken += outcome.http == 200
        refused += outcome.refused

    try:
        for line in _lines(path):
            request = _request_of(line)
            if request is None:
                broken += 1
                continue
            waiting.append(inlet.submit(*request))
            if len(waiting) >= _IN_FLIGHT:
                settle()
        while waiting:
            settle()
    except OSError as error:
        raise ConfigurationError("a readable file", f"{path} ({error.strerror})", "--replay") from error
    if broken and not taken:
        raise ConfigurationError("lines of OTLP-JSON", f"{path}, which has none", "--replay")
    notes = [f"{broken} lines are no OTLP"] if broken else []
    notes += [f"{refused} points or spans are older than what is retained, or wrong"] if refused else []
    return f"Loaded {taken} lines of {path}" + (f" ({', '.join(notes)})." if notes else ".")


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield line


def _request_of(line: bytes) -> tuple[Signal, bytes] | None:
    try:
        keys = msgspec.json.decode(line, type=dict[str, msgspec.Raw]).keys()
        signal: Signal = "traces" if "resourceSpans" in keys else "metrics"
        if signal == "metrics" and "resourceMetrics" not in keys:
            return None
        return signal, to_protobuf(signal, line)
    except (ValueError, msgspec.DecodeError):
        return None
