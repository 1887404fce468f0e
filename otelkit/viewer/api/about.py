# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the server knows about itself, and pages show."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """
    The viewer's surroundings.

    Attributes:
        listening: What is listened on, where, and why not if it is not.
        access: "loopback, with token".
        endpoint: What to set OTEL_EXPORTER_OTLP_ENDPOINT to.
        headers: What to set OTEL_EXPORTER_OTLP_HEADERS to; empty if nothing.
        replayed: Returns the recording that is shown, or None.
        folder: Of the store.
        embedded: Whether it runs inside a program, whose own CPU and memory cannot be told from the viewer's.
    """

    listening: tuple[tuple[str, str, str], ...] = ()
    access: str = "loopback, with token"
    endpoint: str = ""
    headers: str = ""
    replayed: Callable[[], str | None] = lambda: None
    folder: str | None = None
    embedded: bool = False
    started: float = field(default_factory=time.time)
