# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A WSGI application that is configured where it is imported, as most are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from recording import record


def application(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer with the process's id, and count requests of work."""
    if environ["PATH_INFO"] == "/work":
        record()
    body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
