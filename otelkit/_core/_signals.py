# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Threads that leave the program's signals to the program.

The kernel gives a signal to any thread that does not block it. Python's own handlers do not mind; a server's in C runs
in whatever thread was hit: uWSGI's workers, sent SIGTERM with their whole group as systemd does, ended the interpreter
in a thread of otelkit's and then waited for ever (3 of 3 times).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# Not those of a fault, which must hit whoever made it, nor SIGPROF, with which profilers sample each thread.
_OF_THE_PROGRAM = {
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCHLD,
}


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Start threads in here that never get the program's signals; one that comes meanwhile is handled at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_PROGRAM)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
