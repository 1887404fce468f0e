# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Ports on the loopback."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"

FREE = range(15_000, 32_000)
"""Below the range from which Linux gives outgoing connections their ports: none of those takes one meanwhile."""


class PortTakenError(Exception):
    """Something else listens there."""


class Ports:
    """
    Hands out addresses: the usual ones, or free ones.

    Args:
        free: Whether to take any free port instead of the usual one.
    """

    def __init__(self, *, free: bool = False) -> None:
        self._free = free
        self._given: set[int] = set()
        self._random = random.SystemRandom()

    def address(self, usual: int) -> str:
        """Return ``127.0.0.1:port``; raises PortTakenError if the usual port is not free."""
        port = self._any() if self._free else usual
        if not _is_free(port):
            raise PortTakenError(
                f"{HOST}:{port} is taken. End what listens there, or take free ports: make stack ARGS=--free-ports"
            )
        self._given.add(port)
        return f"{HOST}:{port}"

    def _any(self) -> int:
        while True:
            port = self._random.choice(FREE)
            if port not in self._given and _is_free(port):
                return port


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            # As the servers do: the connections that a program left behind do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1 if kind == socket.SOCK_STREAM else 0)
            try:
                probe.bind((HOST, port))
            except OSError:
                return False
    return True
