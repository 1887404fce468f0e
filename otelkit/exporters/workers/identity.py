# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Which processes are one server.

Two programs that were given the same port by mistake must hear of it; the
workers of one server must not. A server is the topmost process from which this
one descends without another program in between: by a fork (gunicorn), or by
multiprocessing's spawn and forkserver (uvicorn).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ("ServerProcess", "is_running", "server_process")

_MAX_DEPTH = 16
# In the fields after the command's name, which may hold spaces and parentheses: proc_pid_stat(5).
_PARENT, _START_TIME, _STACK_START = 1, 19, 25
_SPAWNED = (b"--multiprocessing-fork", b"from multiprocessing.spawn import", b"from multiprocessing.forkserver import")


class ServerProcess(NamedTuple):
    """A process, told apart from an earlier one of the same id by its start, in clock ticks since boot."""

    pid: int
    start: int


def server_process(pid: int = 0) -> ServerProcess:
    """Return the process that the server of ``pid`` (this process's, by default) is known by; without /proc, itself."""
    pid = pid or os.getpid()
    for _ in range(_MAX_DEPTH):
        parent = _parent(pid)
        if parent <= 1 or not _same_program(pid, parent):
            break
        pid = parent
    return ServerProcess(pid, _start(pid))


def is_running(process: ServerProcess) -> bool:
    """Tell whether ``process`` runs, as far as this process can see."""
    return _start(process.pid) == process.start != 0


def _same_program(child: int, parent: int) -> bool:
    command = _command(child)
    if any(mark in command for mark in _SPAWNED):
        return True
    # A fork keeps its parent's stack, whose address is random for each program that is executed.
    stack, parents = _field(child, _STACK_START), _field(parent, _STACK_START)
    if parents:
        return stack == parents
    # It is hidden where the worker has changed its user.
    return command != b"" and command == _command(parent)


def _parent(pid: int) -> int:
    return _field(pid, _PARENT)


def _start(pid: int) -> int:
    return _field(pid, _START_TIME)


def _field(pid: int, index: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[index])
    return 0


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
