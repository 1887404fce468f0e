# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP: /v1/traces and /v1/metrics, protobuf and JSON, gzip and deflate."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING

import anyio.to_thread
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.responses import Response
from starlette.routing import Route

from otelkit.viewer.ingest.compression import MAX_BODY_BYTES, TooLargeError, inflate
from otelkit.viewer.ingest.inlet import Inlet, Signal
from otelkit.viewer.ingest.otlp_json import to_protobuf
from otelkit.viewer.ingest.outcome import MALFORMED, TOO_LARGE, Outcome

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ("export_response", "routes")

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
_INLINE_BYTES = 8_192
"""What is smaller is unpacked in the event loop: going to another thread costs more."""


def routes(inlet: Inlet) -> list[Route]:
    """Return OTLP's endpoints, the one for logs included: it says that there is none."""

    async def traces(request: Request) -> Response:
        return await _export("traces", request, inlet)

    async def metrics(request: Request) -> Response:
        return await _export("metrics", request, inlet)

    async def logs(request: Request) -> Response:
        inlet.count("refused.requests.logs")
        text = "The viewer takes traces and metrics, no logs: set OTEL_LOGS_EXPORTER=none."
        return _answer(Outcome(404, 12, message=text), _content_type(request) or PROTOBUF, "traces")

    return [
        Route("/v1/traces", traces, methods=["POST"]),
        Route("/v1/metrics", metrics, methods=["POST"]),
        Route("/v1/logs", logs, methods=["POST"]),
    ]


async def _export(signal: Signal, request: Request, inlet: Inlet) -> Response:
    kind = _content_type(request)
    if kind is None:
        inlet.count("refused.requests.content_type")
        return Response(f"Expected {PROTOBUF} or {JSON}.\n", 415)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "deflate"):
        inlet.count("refused.requests.content_encoding")
        return Response("Expected gzip, deflate or no compression.\n", 415)
    try:
        body = await _read(request)
        if encoding in ("", "identity") and kind == PROTOBUF:
            plain = body
        elif len(body) <= _INLINE_BYTES and kind == PROTOBUF:
            plain = _unpack(signal, body, encoding, kind)
        else:
            plain = await anyio.to_thread.run_sync(_unpack, signal, body, encoding, kind)
    except TooLargeError:
        inlet.count("refused.requests.too_large")
        return _answer(TOO_LARGE, kind, signal)
    except (ValueError, zlib.error):
        inlet.count("refused.requests.malformed")
        return _answer(MALFORMED, kind, signal)
    return _answer(await asyncio.wrap_future(inlet.submit(signal, plain)), kind, signal)


def _content_type(request: Request) -> str | None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind if kind in (PROTOBUF, JSON) else None


async def _read(request: Request) -> bytes:
    """Read the body; one that is too large is not read to its end."""
    if int(request.headers.get("content-length", "0") or 0) > MAX_BODY_BYTES:
        raise TooLargeError
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise TooLargeError
        parts.append(part)
    return b"".join(parts)


def _unpack(signal: Signal, body: bytes, encoding: str, kind: str) -> bytes:
    plain = body if encoding in ("", "identity") else inflate(body)
    return plain if kind == PROTOBUF else to_protobuf(signal, plain)


def export_response(signal: Signal, outcome: Outcome) -> Message:
    """Return OTLP's response to a request that was taken, in full or in part."""
    if signal == "metrics":
        response = ExportMetricsServiceResponse()
        response.partial_success.rejected_data_points = outcome.refused
    else:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = outcome.refused
    if not outcome.refused:
        response.ClearField("partial_success")
    else:
        response.partial_success.error_message = outcome.message
    return response


def _answer(outcome: Outcome, kind: str, signal: Signal) -> Response:
    """Answer in the encoding that was asked in, as OTLP prescribes."""
    headers = {"Retry-After": str(outcome.retry_s)} if outcome.retry_s else None
    if outcome.http != 200:
        status = Status(code=outcome.grpc, message=outcome.message)
        body = status.SerializeToString() if kind == PROTOBUF else _json_status(outcome)
        return Response(body, outcome.http, headers, kind)
    message = export_response(signal, outcome)
    if kind == PROTOBUF:
        return Response(message.SerializeToString(), media_type=kind)
    return Response(_json_success(signal, outcome), media_type=kind)


def _json_status(outcome: Outcome) -> bytes:
    return json.dumps({"code": outcome.grpc, "message": outcome.message}).encode()


def _json_success(signal: Signal, outcome: Outcome) -> bytes:
    if not outcome.refused:
        return b"{}"
    # 64-bit integers are text in protobuf's JSON.
    rejected = "rejectedDataPoints" if signal == "metrics" else "rejectedSpans"
    success = {rejected: str(outcome.refused), "errorMessage": outcome.message}
    return json.dumps({"partialSuccess": success}).encode()
