# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The API behind Starlette: one route per endpoint, answered in threads."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from otelkit._core._guard import guard
from otelkit.viewer.api import openapi, table
from otelkit.viewer.api.context import Context
from otelkit.viewer.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from otelkit.viewer.api.problems import Invalid, Missing, Refused
from otelkit.viewer.api.shapes.health import Problem

Answering = Callable[..., msgspec.Struct]

JSON, CSV = "application/json", "text/csv; charset=utf-8"


class _Anything(Convertor[str]):
    """The rest of a path: names hold slashes, and even line feeds, at which Starlette's own one ends."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", _Anything())


def create(context: Context) -> list[BaseRoute]:
    """
    Return the routes, with their whole paths.

    They are not to be mounted: Starlette's Mount ends at a line feed, too.
    """
    from otelkit.viewer.api.stream import route as stream_route

    routes: list[BaseRoute] = [Route(f"{PREFIX}/openapi.json", _openapi), stream_route(context)]
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("}", ":anything}") if endpoint.path_parameter else endpoint.path
        routes.append(Route(PREFIX + path, _handler(context, endpoint)))
    routes.append(Route(PREFIX + "/{rest:anything}", _nowhere))
    return routes


def _handler(context: Context, endpoint: Endpoint) -> Callable[[Request], Any]:
    async def handle(request: Request) -> Response:
        given = list(request.query_params.multi_items())
        name = request.path_params.get(endpoint.path_parameter, "") if endpoint.path_parameter else None
        # Answering reads files and computes: in a thread, so that ingest and other pages go on.
        return await run_in_threadpool(respond, context, endpoint, given, name)

    return handle


def respond(context: Context, endpoint: Endpoint, given: list[tuple[str, str]], name: str | None) -> Response:
    """Answer one request; never raises."""
    try:
        asked = parse(endpoint, given)
        answer = answer_of(context, endpoint, asked, name)
        if getattr(asked, "format", "json") == "csv":
            return Response(table.render(answer, getattr(asked, "part", "")), media_type=CSV)
        return Response(msgspec.json.encode(answer), media_type=JSON)
    except Refused as refused:
        return _problem(refused.status, refused.problem)
    except Exception as error:
        guard.failed(f"viewer {endpoint.name}", error)
        text = "The viewer failed to answer this; its log says why."
        return _problem(500, Problem(error="failed", message=text, remedy="Please report it with the log."))


def parse(endpoint: Endpoint, given: list[tuple[str, str]]) -> Any:
    """Return the parameters, checked."""
    values = dict(given)
    if len(values) < len(given):
        names = [name for name, _ in given]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Invalid(f"Expected each parameter once, got {', '.join(twice)} several times.")
    # msgspec reads "null" as "not given" where that is possible; in a query it is a mistake like any other word.
    for each in openapi.query_parameters(endpoint.parameters):
        if values.get(each["name"], "").lower() == "null" and each["schema"].get("type") != "string":
            raise Invalid(f"Expected {each['schema'].get('type', 'a value')}, got 'null' - at {each['name']}.")
    try:
        return msgspec.convert(values, endpoint.parameters, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(_readable(str(error), values), "The parameters are in /api/v1/openapi.json.") from None


def _readable(message: str, values: dict[str, str]) -> str:
    """Return msgspec's message with the value that came, and without the pattern of a time."""
    text, _, path = message.partition(" - at `$.")
    name = path.rstrip("`")
    if "matching regex" in text:
        text = 'Expected "now", "-15m", Unix seconds, or ISO 8601 with a zone' if name in ("from", "to") else text
    return f"{text}, got {values[name][:100]!r} - at {name}." if name in values else f"{message}."


def answer_of(context: Context, endpoint: Endpoint, asked: Any, name: str | None) -> msgspec.Struct:
    """Ask the endpoint's module."""
    answering: Answering = import_module(f"otelkit.viewer.api.queries.{endpoint.name}").answer
    if name is None:
        return answering(context, asked)
    if not name:
        raise Missing(f"There is no {endpoint.missing} without a name.")
    return answering(context, asked, name)


def _problem(status: int, problem: Problem) -> Response:
    return Response(msgspec.json.encode(problem), status, media_type=JSON)


async def _openapi(_request: Request) -> Response:
    return Response(msgspec.json.encode(openapi.document()), media_type=JSON)


async def _nowhere(request: Request) -> Response:
    text = f"There is nothing at {request.url.path}."
    return _problem(404, Problem(error="not_found", message=text, remedy="All paths are in /api/v1/openapi.json."))
