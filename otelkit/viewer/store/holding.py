# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Who holds a data folder: one dashboard at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path

from otelkit.exceptions import ConfigurationError

__all__ = ("Holding", "holder_of")

_FILE = "viewer.lock"


class Holding:
    """
    A folder that is ours until `release`, or until this process is gone: the kernel lets go of the lock then.

    Errors: ConfigurationError that names who holds it; OSError where the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _describe(os.pread(self._file, 4_096, 0))
            os.close(self._file)
            raise ConfigurationError(
                "a data folder that no other dashboard has open",
                f"{folder}, held by {holder}",
                "--data, dashboard_folder",
                "Open that one, end it, or choose another folder.",
            ) from None
        self.tell("")

    def tell(self, url: str) -> None:
        """Leave word of who holds the folder, and at what address."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)

    def release(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            os.close(self._file)


def holder_of(folder: Path) -> str:
    """Return the address of the dashboard that holds a folder just now, or an empty text."""
    try:
        file = os.open(folder / _FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return ""
    except BlockingIOError:
        return _address(os.pread(file, 4_096, 0))
    finally:
        os.close(file)


def _address(written: bytes) -> str:
    try:
        return str(json.loads(written)["url"])
    except (ValueError, KeyError, TypeError):
        return ""


def _describe(written: bytes) -> str:
    try:
        holder = json.loads(written)
        return f"process {holder['pid']}" + (f" at {holder['url']}" if holder["url"] else "")
    except (ValueError, KeyError, TypeError):
        return "another process"
