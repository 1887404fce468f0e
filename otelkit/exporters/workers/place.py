# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Where the folder of a server is.

Without ``workers_folder`` it is in this user's runtime or temporary directory,
under a name that holds the server's process: a restarted server begins anew,
and what the one before left is removed. With it, all processes that are given
that folder, service, host and port are one server, restarts included.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from hashlib import blake2s
from pathlib import Path

from otelkit._core._guard import guard
from otelkit.exporters.workers.folder import Folder
from otelkit.exporters.workers.identity import ServerProcess, is_running, server_process
from otelkit.exporters.workers.wire import VERSION

__all__ = ("default_base", "find_folders", "given_folder", "own_folder")

_NAME = re.compile(r".+-[0-9a-f]{8}(?:-(\d+)-(\d+))?")
_LEAVE_S = 60.0
"""Age before which a folder that nobody uses is left alone: its processes may just be starting."""


def default_base() -> Path:
    """Return the directory of this user's servers; it need not exist."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    usable = runtime and os.path.isabs(runtime) and os.access(runtime, os.W_OK)
    return Path(runtime if usable else tempfile.gettempdir()) / f"otelkit-{os.geteuid()}"


def own_folder(service: str, host: str, port: int, server: ServerProcess | None = None) -> Folder:
    """
    Return the folder of the server that this process belongs to, created; abandoned ones are removed.

    Raises:
        OSError: It cannot be made, or its directory is open to other users.
    """
    base = default_base()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(base)
    server = server or server_process()
    _remove_abandoned(base)
    # A process id says nothing beyond its namespace, and containers may share a directory.
    folder = Folder(base / f"{_name(service, host, port, _namespace())}-{server.pid}-{server.start}")
    folder.create()
    return folder


def given_folder(base: Path, service: str, host: str, port: int) -> Folder:
    """
    Return the folder in ``workers_folder``, created.

    Raises:
        OSError: It cannot be made or written to.
    """
    folder = Folder(base / _name(service, host, port, ""))
    folder.create()
    return folder


def find_folders(base: Path) -> list[Path]:
    """Return the servers' folders in ``base``, or ``base`` if it is one itself."""
    if _NAME.fullmatch(base.name) and (base / "lock").exists():
        return [base]
    with suppress(OSError):
        return sorted(path for path in base.iterdir() if _NAME.fullmatch(path.name) and path.is_dir())
    return []


def _name(service: str, host: str, port: int, namespace: str) -> str:
    digest = blake2s(repr((VERSION, service, host, port, namespace)).encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '_', service)[:40] or 'service'}-{port}-{digest}"


def _namespace() -> str:
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")
    return ""


def _check_private(base: Path) -> None:
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(0, "not a directory of this user alone", str(base))


def _remove_abandoned(base: Path) -> None:
    for path in find_folders(base):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] is None or is_running(ServerProcess(int(match[1]), int(match[2]))):
            continue
        with guard.shield("workers: abandoned folder"), suppress(FileNotFoundError):
            # The process may be one that cannot be seen from here: whether somebody is there, the locks tell.
            if time.time() - path.stat().st_mtime > _LEAVE_S and not Folder(path).in_use():
                shutil.rmtree(path)
