# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where a dashboard keeps its data, and how it is run, by the settings."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from otelkit.viewer.server import Options
from otelkit.viewer.store.limits import Limits

if TYPE_CHECKING:
    from otelkit.config import Settings

__all__ = ("default_folder", "options_of")

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_PORT = 4_318
_GRPC_PORT = 4_317


def options_of(settings: Settings, *, embedded: bool) -> Options:
    """Return how these settings run a dashboard; ``embedded`` is one inside of a program that does something else."""
    port, grpc_port = settings.dashboard_port, settings.dashboard_grpc_port
    if port is None:
        port = 0 if embedded else _PORT
    if grpc_port is None:
        grpc_port = -1 if embedded else _GRPC_PORT
    folder = settings.dashboard_folder
    return Options(
        folder=Path(folder) if folder else default_folder(settings.service_name if embedded else None, embedded),
        host=settings.dashboard_host,
        port=port,
        grpc_port=None if grpc_port < 0 else grpc_port,
        hosts=settings.dashboard_hosts,
        token=settings.dashboard_token,
        embedded=embedded,
        limits=Limits(held_bytes=settings.dashboard_bytes, retention_s=settings.dashboard_retention_s),
    )


def default_folder(service: str | None, embedded: bool) -> Path:
    """Return a folder of this user's: of state, or, for users without a home, of temporary files."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        home = os.path.expanduser("~")
        state = os.path.join(home, ".local", "state") if os.access(home, os.W_OK) and home != "/" else ""
    base = Path(state) / "otelkit" if state else Path(tempfile.gettempdir()) / f"otelkit-{os.getuid()}"
    if not embedded:
        return base / "dashboard"
    name = _NOT_IN_A_NAME.sub("_", service or "unknown_service").lstrip(".")[:80]
    return base / f"dashboard-{name}"
