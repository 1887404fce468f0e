# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What answers on a port: which protocol, with or without TLS.

Told by the bytes that come back, not by the port's number: 4317 and 4318 are
habits, and a proxy in front of either may speak something else.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from enum import Enum
from typing import NamedTuple

__all__ = ("Deadline", "Target", "Wire", "connect", "identify", "tls_context")


class Wire(Enum):
    """What a server speaks."""

    HTTP1 = "HTTP/1.1"
    HTTP2 = "HTTP/2 (gRPC)"
    HTTP1_TLS = "HTTP/1.1 over TLS"
    HTTP2_TLS = "HTTP/2 (gRPC) over TLS"
    UNKNOWN = "something that is neither HTTP nor gRPC"

    @property
    def tls(self) -> bool:
        """Whether the server expects TLS."""
        return self in (Wire.HTTP1_TLS, Wire.HTTP2_TLS)

    @property
    def grpc(self) -> bool:
        """Whether the server speaks HTTP/2, on which gRPC runs."""
        return self in (Wire.HTTP2, Wire.HTTP2_TLS)


class Target(NamedTuple):
    """A server's address."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Deadline:
    """A moment by which all steps of a probe must be done."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """Return the seconds left, at least a millisecond: sockets read 0 as "do not wait at all"."""
        return max(0.001, self._end - time.monotonic())


def connect(target: Target, deadline: Deadline) -> socket.socket:
    """Open a TCP connection; raises what `socket.create_connection` raises."""
    return socket.create_connection(target, timeout=deadline.left_s())


def tls_context(ca_file: str | None = None, *, verify: bool = True) -> ssl.SSLContext:
    """Return a client's TLS context that offers HTTP/2 and HTTP/1.1; raises OSError for an unreadable ``ca_file``."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def identify(target: Target, deadline: Deadline) -> Wire:
    """Find out what the server at ``target`` speaks; UNKNOWN when nothing fits or the time is up."""
    reply = _reply(target, deadline, _HTTP2_HELLO)
    if len(reply) >= 9 and reply[3] == _SETTINGS:
        return Wire.HTTP2
    if reply.startswith(_HTTP1_REPLY):
        return Wire.HTTP1
    protocol = _tls_protocol(target, deadline)
    if protocol is not None:
        return Wire.HTTP2_TLS if protocol == "h2" else Wire.HTTP1_TLS
    # http.server answers an HTTP/2 preface with a bare page, without a status line: ask again in its own tongue.
    return Wire.HTTP1 if _reply(target, deadline, _HTTP1_HELLO).startswith(_HTTP1_REPLY) else Wire.UNKNOWN


# RFC 9113 3.4: the client's preface, then an empty SETTINGS frame; the server answers with a SETTINGS frame of its own.
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_SETTINGS = 4
_HTTP1_HELLO = b"GET / HTTP/1.0\r\n\r\n"
_HTTP1_REPLY = b"HTTP/1."
_STEP_S = 0.5


def _reply(target: Target, deadline: Deadline, hello: bytes) -> bytes:
    """Return the first bytes that the server answers ``hello`` with; none when it closes or keeps silent."""
    reply = b""
    with contextlib.suppress(OSError), _connect_for_a_step(target, deadline) as connection:
        connection.sendall(hello)
        while len(reply) < 9 and (more := connection.recv(64)):
            reply += more
    return reply


def _tls_protocol(target: Target, deadline: Deadline) -> str | None:
    """Return the protocol that a TLS handshake settles on, or None when there is no handshake."""
    context = tls_context(verify=False)
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        # No server_hostname: a server that refuses an unknown name would look as if it spoke no TLS at all.
        with _connect_for_a_step(target, deadline) as plain, context.wrap_socket(plain) as secured:
            return secured.selected_alpn_protocol() or "http/1.1"
    except OSError:
        return None


def _connect_for_a_step(target: Target, deadline: Deadline) -> socket.socket:
    return connect(target, Deadline(min(_STEP_S, deadline.left_s())))
