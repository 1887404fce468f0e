# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over gRPC."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otelkit.exceptions import ConfigurationError
from otelkit.viewer.ingest.compression import MAX_BODY_BYTES
from otelkit.viewer.ingest.http import export_response
from otelkit.viewer.ingest.inlet import Inlet, Signal
from otelkit.viewer.ingest.outcome import Outcome

__all__ = ("GrpcServer",)

_THREADS = 8
_CONCURRENT = 64
_METHODS: dict[str, Signal] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": "traces",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": "metrics",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_BINARY_STATUS = "grpc-status-details-bin"


class GrpcServer:
    """
    Listens until `close`.

    Args:
        port: 0 for a free one; `port` tells which.
        ingest_key: What senders must show as a bearer token, or None.

    Errors: ConfigurationError if the port is taken.
    """

    def __init__(self, inlet: Inlet, host: str, port: int, ingest_key: str | None) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otelkit-viewer-grpc"),
            maximum_concurrent_rpcs=_CONCURRENT,
            options=[("grpc.max_receive_message_length", MAX_BODY_BYTES), ("grpc.so_reuseport", 0)],
        )
        self._server.add_generic_rpc_handlers((_Handlers(inlet, ingest_key),))
        shown = f"[{host}]" if ":" in host else host
        try:
            self.port = self._server.add_insecure_port(f"{shown}:{port}")
        except RuntimeError as error:
            raise ConfigurationError(
                "a port that is free to listen on",
                f"{shown}:{port}",
                "--grpc-port, dashboard_grpc_port",
                "Something else has it, perhaps a Collector: choose another one, or 0 for any.",
            ) from error

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def close(self) -> None:
        """Let calls that are under way end, for a second, and stop."""
        self._server.stop(1.0).wait()


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, inlet: Inlet, ingest_key: str | None) -> None:
        self._inlet = inlet
        self._key = ingest_key

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        signal = _METHODS.get(handler_call_details.method)
        if signal is None:
            return None
        # Without deserializers: what came is what is queued.
        return grpc.unary_unary_rpc_method_handler(self._behaviour(signal))

    def _behaviour(self, signal: Signal) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def export(body: bytes, context: grpc.ServicerContext) -> bytes:
            if not self._admits(context):
                self._inlet.count("refused.requests.unauthorized")
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "Expected the ingest key, printed at the start.")
            outcome = self._inlet.submit(signal, body).result()
            if outcome.grpc:
                _abort(context, outcome)
            return export_response(signal, outcome).SerializeToString()

        return export

    def _admits(self, context: grpc.ServicerContext) -> bool:
        if self._key is None:
            return True
        shown = str(dict(context.invocation_metadata()).get("authorization", ""))
        scheme, _, key = shown.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(key.strip().encode(), self._key.encode())


def _abort(context: grpc.ServicerContext, outcome: Outcome) -> None:
    """End the call, with the time to wait where OTLP asks for it."""
    if outcome.retry_s:
        status = Status(code=outcome.grpc, message=outcome.message)
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=outcome.retry_s)))
        context.set_trailing_metadata(((_BINARY_STATUS, status.SerializeToString()),))
    context.abort(_CODES[outcome.grpc], outcome.message)
