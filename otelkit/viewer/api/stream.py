# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What is new, as server-sent events.

The page is asked anew at most every ``every`` seconds, and only once something has arrived. Of arrays on an axis
only the new steps are sent, with the last one before them, because that was not over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from otelkit._core._guard import guard
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from otelkit.viewer.api.parameters import FrameWindow, StreamPage
from otelkit.viewer.api.problems import Invalid, Refused
from otelkit.viewer.api.tail import cut

PING_S = 15.0
"""Proxies close what is silent for a minute."""

_FOLLOWED = {
    "overview",
    "services",
    "service",
    "models",
    "model",
    "jobs",
    "job",
    "hosts",
    "host",
    "metric",
    "health",
    "traces",
}
_ENDPOINTS = {each.name: each for each in ENDPOINTS}


def route(context: Context) -> Route:
    """Return /stream."""

    async def handle(request: Request) -> Response:
        from otelkit.viewer.api.routing import JSON

        try:
            asked = msgspec.convert(dict(request.query_params), StreamPage, strict=False)
            followed = await run_in_threadpool(_Followed, context, asked)
        except (Refused, msgspec.ValidationError) as error:
            refused = error if isinstance(error, Refused) else Invalid(str(error))
            return Response(msgspec.json.encode(refused.problem), refused.status, media_type=JSON)
        return StreamingResponse(
            _events(context, followed, asked.every),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    return Route(f"{PREFIX}/stream", handle)


class _Followed:
    """The page that one client follows, and how far it has it."""

    def __init__(self, context: Context, asked: StreamPage) -> None:
        self._context = context
        self._asked = asked
        self._endpoint, self._name, self._window = _page(asked.page) if asked.page else (None, None, None)
        self._page_end: int | None = None
        self._ribbon_end: int | None = None
        self._step: float | None = None
        if self._endpoint is not None:
            self._answer()  # a mistake in the page is told before the stream begins

    def events(self) -> list[bytes]:
        """Return what is new."""
        out = [self._frame()]
        if self._endpoint is not None:
            out.append(self._page())
        return out

    def _frame(self) -> bytes:
        from otelkit.viewer.api.queries.frame import answer

        frame = answer(self._context, FrameWindow(columns=self._asked.columns))
        axis = frame.ribbon.axis
        known, self._ribbon_end = self._ribbon_end, round(axis.start / axis.step) + axis.count
        if known is not None:
            frame = cut(frame, axis, min(axis.count, self._ribbon_end - known + 1))
        return _event("frame", frame)

    def _page(self) -> bytes:
        answer: Any = self._answer()
        axis = answer.range.axis
        end = round(axis.start / axis.step) + axis.count
        known, self._page_end = self._page_end, end
        if self._step is not None and axis.step != self._step:
            self._step, self._page_end = axis.step, None
            return b"event: reload\ndata: {}\n\n"
        self._step = axis.step
        fresh = 2 if known is None else max(1, end - known + 1)
        return _event("step", cut(answer, axis, min(axis.count, fresh)))

    def _answer(self) -> msgspec.Struct:
        from otelkit.viewer.api.routing import answer_of

        assert self._endpoint is not None
        return answer_of(self._context, self._endpoint, self._window, self._name)


def _page(page: str) -> tuple[Endpoint, str | None, Any]:
    """Return the endpoint, the name in its path, and the parameters, of "services/checkout?from=-15m"."""
    from otelkit.viewer.api.routing import parse

    parts = urlsplit(page)
    path = parts.path.strip("/")
    for endpoint in ENDPOINTS:
        stem, _, parameter = endpoint.path.strip("/").partition("{")
        if endpoint.name in _FOLLOWED and (path.startswith(stem) and path != stem if parameter else path == stem):
            window = parse(endpoint, parse_qsl(parts.query, keep_blank_values=True))
            return endpoint, unquote(path.removeprefix(stem)) if parameter else None, window
    raise Invalid(
        f"Expected a page to follow, got {page!r} - at page.", f"One of {', '.join(sorted(_FOLLOWED))}, with its query."
    )


def _event(name: str, data: msgspec.Struct) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


async def _events(context: Context, followed: _Followed, every: float) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    # The writer's thread calls this: it may only leave a note.
    unsubscribe = context.store.subscribe(lambda _: _note(loop, arrived))
    sent = time.monotonic()
    try:
        yield b"retry: 2000\n\n"
        while True:
            try:
                await asyncio.wait_for(arrived.wait(), timeout=every)
            except TimeoutError:
                if time.monotonic() - sent < PING_S:
                    continue
                # Silence is news, too: a sender that is stale, a line that ends.
            # What comes in one burst makes one step.
            await asyncio.sleep(max(0.0, min(0.2, every / 4)))
            arrived.clear()
            began = time.monotonic()
            for event in await run_in_threadpool(_safely, followed):
                yield event
            sent = time.monotonic()
            # A page that takes long is asked for less often: watching takes a fifth of a core at most.
            await asyncio.sleep(max(every - (sent - began), 4 * (sent - began)))
    finally:
        unsubscribe()


def _note(loop: asyncio.AbstractEventLoop, arrived: asyncio.Event) -> None:
    loop.call_soon_threadsafe(arrived.set)


def _safely(followed: _Followed) -> list[bytes]:
    try:
        return followed.events()
    except Refused as refused:
        return [_event("problem", refused.problem)]
    except Exception as error:
        guard.failed("viewer stream", error)
        return [b": failed\n\n"]
