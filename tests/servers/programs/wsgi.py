# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A WSGI application that is configured where it is imported, as most are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from recording import record


def application(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer, and count requests of work."""
    if environ["PATH_INFO"] == "/work":
        record()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
