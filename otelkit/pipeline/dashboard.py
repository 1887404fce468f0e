# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Sending to otelkit's own dashboard, which this program or another one serves.

Over OTLP on the loopback, like anybody: so a forked child, which does not serve, goes on to send to its parent's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

if TYPE_CHECKING:
    from otelkit.config import Settings

DASHBOARD = "dashboard"
"""The name under which what is sent there is counted."""

_EXPORT_INTERVAL_S = 2.0
_SPAN_DELAY_S = 1.0
"""Live means that one sees it while it happens."""


def destinations(
    signal: Literal["metrics", "traces"], settings: Settings, *, others: bool
) -> Iterator[tuple[str, Settings]]:
    """
    Yield the name of each destination, with the settings to make it with.

    Args:
        others: Whether those that the settings name are wanted, besides the dashboard.
    """
    url = _start(settings) if settings.dashboard else ""  # first: its mistakes are told before anything is made
    if others:
        yield from ((name, settings) for name in named(signal, settings))
    if url:
        yield DASHBOARD, _towards(url, settings)


def named(signal: Literal["metrics", "traces"], settings: Settings) -> tuple[str, ...]:
    """Return the destinations that the settings name; who asks for the dashboard only, and names none, has none."""
    setting = f"{signal}_exporters"
    by_default = settings.source(setting) == "default" and settings.otlp(signal).sources["otlp_endpoint"] == "default"
    if settings.dashboard and by_default:
        return ()
    return tuple(name for name in getattr(settings, setting) if name != "none")


def stop() -> None:
    """Stop serving, if this process does."""
    embedded = sys.modules.get("otelkit.viewer.embedded")
    if embedded is not None:
        embedded.stop()


def _start(settings: Settings) -> str:
    from otelkit.viewer.embedded import ensure

    return ensure(settings)


def _towards(url: str, settings: Settings) -> Settings:
    """Return the settings with the dashboard as OTLP's receiver; nothing that is meant for another one goes there."""
    return replace(
        settings,
        otlp_endpoint=url,
        otlp_protocol="http/protobuf",
        otlp_headers={},
        otlp_compression="none",
        otlp_certificate=None,
        otlp_client_key=None,
        otlp_client_certificate=None,
        otlp_request_bytes=4 << 20,
        signals={},
        metrics_temporality="cumulative",
        export_interval_s=min(settings.export_interval_s, _EXPORT_INTERVAL_S),
        span_delay_s=min(settings.span_delay_s, _SPAN_DELAY_S),
        # What the dashboard of this process does not take, nobody will.
        span_buffer_bytes=0,
    )
