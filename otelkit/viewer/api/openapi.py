# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document, made of `endpoints`."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

import msgspec

from otelkit import __version__
from otelkit.viewer.api import parameters as ask
from otelkit.viewer.api.endpoints import ENDPOINTS, PREFIX, Endpoint
from otelkit.viewer.api.shapes.health import Loaded, Problem

_REFERENCE = "#/components/schemas/{name}"

_PATH_SCHEMAS: dict[str, dict[str, Any]] = {"trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}
_PATH_DEFAULT = {"type": "string", "minLength": 1, "maxLength": 500}

_UNAUTHORIZED = {"description": "The token is missing.", "content": {"text/plain": {"schema": {"type": "string"}}}}

_ABOUT = """\
Times are Unix seconds, durations seconds, shares 0 to 1, units UCUM. Everything with a time lies on the axis of its
answer: equal steps, null for a gap. With `format=csv` a page answers what it draws as rows.

`/api/v1/stream` sends server-sent events: `frame` (a Frame) and `step` (the page's own shape). In both, arrays on an
axis hold the new steps only, which the axis says; all the rest is whole. The last of the steps before comes again,
because it was not over. `reload` says: ask for the page anew.
"""


@functools.cache
def document() -> dict[str, Any]:
    """Return the document; do not change it."""
    shapes = [endpoint.response for endpoint in ENDPOINTS] + [Loaded, Problem]
    _, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    for name, schema in components.items():
        _describe(schema, name)
    return {
        "openapi": "3.1.0",
        "info": {"title": "otelkit viewer", "version": __version__, "description": _ABOUT},
        "paths": {PREFIX + each.path: {"get": _operation(each)} for each in ENDPOINTS} | _others(),
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The token printed at the start."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "otelkit_viewer"},
            },
        },
        "security": [{"bearer": []}, {"cookie": []}],
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parameters = [
        {
            "name": endpoint.path_parameter,
            "in": "path",
            "required": True,
            "schema": _PATH_SCHEMAS.get(endpoint.path_parameter, _PATH_DEFAULT),
        }
        for _ in range(bool(endpoint.path_parameter))
    ]
    parameters += query_parameters(endpoint.parameters)
    content: dict[str, Any] = {"application/json": {"schema": _reference(endpoint.response)}}
    if any(each["name"] == "format" for each in parameters):
        content["text/csv"] = {"schema": {"type": "string"}}
    responses: dict[str, Any] = {"200": {"description": endpoint.summary, "content": content}}
    responses |= {"400": _problem("A parameter is not as it should be."), "401": _UNAUTHORIZED}
    if endpoint.missing:
        responses["404"] = _problem(f"There is no such {endpoint.missing}.")
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": responses,
    }


def _others() -> dict[str, Any]:
    events = {"text/event-stream": {"schema": {"type": "string"}}}
    return {
        f"{PREFIX}/stream": {
            "get": {
                "operationId": "stream",
                "summary": "New steps of a page and of the frame, as server-sent events.",
                "parameters": query_parameters(ask.StreamPage),
                "responses": {
                    "200": {"description": "Until the client goes.", "content": events},
                    "400": _problem("A parameter is not as it should be."),
                    "401": _UNAUTHORIZED,
                },
            }
        },
        f"{PREFIX}/recordings": {
            "post": {
                "operationId": "load",
                "summary": "Load a recording: lines of OTLP-JSON, 256 MiB at most.",
                "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
                "responses": {
                    "200": {
                        "description": "It is stored.",
                        "content": {"application/json": {"schema": _reference(Loaded)}},
                    },
                    "400": _problem("It holds no line of OTLP."),
                    "401": _UNAUTHORIZED,
                    "413": _problem("It is too large."),
                    "429": _problem("Another one is being loaded."),
                    "503": _problem("It could not be written."),
                },
            }
        },
    }


@functools.cache
def query_parameters(of: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Return the parameters of a class, as OpenAPI has them; not to be changed."""
    schema = _resolved(of)
    about = _attribute_texts(of)
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": {key: value for key, value in _without_null(each).items() if key != "description"},
        }
        | ({"description": text} if (text := about.get(name) or each.get("description", "")) else {})
        for name, each in schema["properties"].items()
    ]


def _resolved(of: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([of])
    return components[of.__name__]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An absent parameter is how a query says null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key != "anyOf" and not (key == "default" and value is None)}
    return rest | kinds[0] if kinds else schema


def _describe(schema: dict[str, Any], name: str) -> None:
    """Move the sentences below ``Attributes:`` of a docstring to the properties that they are about."""
    text = inspect.cleandoc(schema.get("description", ""))
    schema["description"] = text.partition("\n\nAttributes:")[0].strip()
    for attribute, about in _parse_attributes(text).items():
        if attribute in schema.get("properties", {}):
            schema["properties"][attribute].setdefault("description", about)


def _attribute_texts(of: type[msgspec.Struct]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for base in reversed(of.__mro__):
        if base.__doc__ and issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            texts |= _parse_attributes(inspect.cleandoc(base.__doc__))
    return {name.rstrip("_"): about for name, about in texts.items()}


def _parse_attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    section = text.partition("Attributes:\n")[2]
    for match in re.finditer(r"^ {4}(\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE):
        about = " ".join(match[2].replace("``", "`").split())
        found |= dict.fromkeys(re.split(r",\s*", match[1]), about)
    return found


def _reference(of: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=of.__name__)}


def _problem(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _reference(Problem)}}}
