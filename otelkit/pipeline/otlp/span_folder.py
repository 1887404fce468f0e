# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where spans wait for their receiver."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otelkit.config import Settings

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def span_folder(settings: Settings) -> Path:
    """
    Return the folder that the processes of one service share.

    One per receiver: what was meant for one must not reach another.
    """
    otlp = settings.otlp("traces")
    receiver = hashlib.sha256(f"{otlp.protocol} {otlp.endpoint}".encode()).hexdigest()[:12]
    parts = (settings.service_namespace, settings.service_name or "unknown_service")
    service = _NOT_IN_A_NAME.sub("_", ".".join(filter(None, parts))).lstrip(".")[:80]
    base = Path(settings.span_buffer_folder) if settings.span_buffer_folder else default_folder()
    return base / f"{service}-{receiver}"


def default_folder() -> Path:
    """Return this user's own folder: of state, or, for users without a home, of temporary files."""
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        home = os.path.expanduser("~")
        state = os.path.join(home, ".local", "state") if os.access(home, os.W_OK) and home != "/" else ""
    if not state:
        return Path(tempfile.gettempdir()) / f"otelkit-{os.getuid()}" / "spans"
    return Path(state) / "otelkit" / "spans"
