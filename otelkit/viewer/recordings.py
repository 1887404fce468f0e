# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A recording that somebody drops on the page: POST /api/v1/recordings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from starlette.responses import Response
from starlette.routing import Route

from otelkit.viewer.api.shapes.health import Loaded, Problem
from otelkit.viewer.ingest.compression import MAX_BODY_BYTES
from otelkit.viewer.ingest.inlet import Inlet
from otelkit.viewer.replay import Loading

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ("MAX_RECORDING_BYTES", "route")

MAX_RECORDING_BYTES = 256 << 20
"""Decoding JSON takes a second of CPU for some 4 MiB: what is larger is better loaded at the start."""

_JSON = "application/json"
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")


class _Unfit(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, name: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.status, self.problem = status, Problem(error=name, message=message, remedy=remedy)


def route(inlet: Inlet) -> Route:
    """Return the end point; it lies behind the gate, which asks for the token."""
    busy = asyncio.Lock()

    async def load(request: Request) -> Response:
        try:
            if busy.locked():
                raise _Unfit(429, "busy", "Another recording is being loaded.", "Try again when it is done.")
            async with busy:
                answer = await _load(request, inlet)
        except _Unfit as unfit:
            return Response(msgspec.json.encode(unfit.problem), unfit.status, media_type=_JSON)
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    return Route("/api/v1/recordings", load, methods=["POST"])


async def _load(request: Request, inlet: Inlet) -> Loaded:
    if int(request.headers.get("content-length", "0") or 0) > MAX_RECORDING_BYTES:
        raise _too_large()
    loading = Loading(inlet)
    rest, size = b"", 0
    async for part in request.stream():
        if size == 0 and part.startswith(_PACKED):
            raise _Unfit(400, "invalid", "Expected lines of OTLP-JSON, got a compressed file.", "Unpack it first.")
        size += len(part)
        if size > MAX_RECORDING_BYTES:
            raise _too_large()
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > MAX_BODY_BYTES or any(len(line) > MAX_BODY_BYTES for line in lines):
            text = "Expected lines of OTLP-JSON, got one of more than 16 MiB."
            raise _Unfit(400, "invalid", text, "The lines before it are loaded." if size > len(part) else "")
        await anyio.to_thread.run_sync(_take, loading, lines)
    await anyio.to_thread.run_sync(_take, loading, [rest])
    await anyio.to_thread.run_sync(loading.finish)
    if not loading.taken:
        raise _nothing(loading)
    return Loaded(
        lines=loading.taken,
        start=loading.first_ns / 1e9 or None,
        end=loading.last_ns / 1e9 or None,
        notes=loading.notes(),
    )


def _take(loading: Loading, lines: list[bytes]) -> None:
    for line in lines:
        loading.take(line)


def _nothing(loading: Loading) -> _Unfit:
    if loading.failed:
        return _Unfit(503, "storage", f"Nothing could be written: {loading.reason}")
    remedy = "The Collector's file exporter and otelkit's otlp_file write them."
    return _Unfit(400, "invalid", "Expected lines of OTLP-JSON, and there is not one.", remedy)


def _too_large() -> _Unfit:
    most = f"{MAX_RECORDING_BYTES >> 20} MiB"
    remedy = "Load it at the start: otelkit dashboard --replay FILE.jsonl"
    return _Unfit(413, "too_large", f"A recording may have {most}, this one has more.", remedy)
