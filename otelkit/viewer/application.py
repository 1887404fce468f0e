# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI application: pages, API and OTLP's endpoints, behind the gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from otelkit.viewer import recordings
from otelkit.viewer.ingest.http import routes as ingest_routes
from otelkit.viewer.security import Access, Gate

if TYPE_CHECKING:
    from starlette.requests import Request

    from otelkit.viewer.ingest.inlet import Inlet

__all__ = ("create_application",)

STATIC = Path(__file__).parent / "static"


def create_application(api: Sequence[BaseRoute], inlet: Inlet, access: Access, port: int) -> ASGIApp:
    """
    Put the viewer together.

    ``/`` is the page, ``/static`` its files, ``/api/v1`` the API, ``/v1/traces`` and ``/v1/metrics`` are OTLP's.
    """
    application = Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", StaticFiles(directory=STATIC)),
            recordings.route(inlet),
            *api,
            *ingest_routes(inlet),
        ]
    )
    return Gate(application, access, port)


def _page(_request: Request) -> FileResponse:
    return FileResponse(STATIC / "index.html", media_type="text/html")
