# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A Starlette application that is configured where it is imported, as most are."""

from __future__ import annotations

import os

from recording import record
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def answer(request: Request) -> PlainTextResponse:
    """Answer with the process's id, and count requests of work."""
    if request.url.path == "/work":
        record()
    return PlainTextResponse(str(os.getpid()))


application = Starlette(routes=[Route("/", answer), Route("/work", answer)])
