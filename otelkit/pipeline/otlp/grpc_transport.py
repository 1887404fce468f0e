# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""OTLP over gRPC: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

# Or else gRPC's core writes "Got goaway" to stderr when a receiver goes; it reads this once, when it is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otelkit.pipeline.otlp.apart import apart
from otelkit.pipeline.otlp.credentials import load_credentials
from otelkit.pipeline.otlp.reply import Reply, Signal

if TYPE_CHECKING:
    from otelkit.config import OtlpSettings

RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

_METHODS: dict[Signal, str] = {
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}
_COMPRESSION = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
_LONGEST_WAIT_S = 600.0


class GrpcTransport:
    """
    Calls one service with bytes that are serialized already.

    A channel of gRPC's waits up to two minutes before it tries to connect again; here it is five seconds, because the
    pauses between attempts are ours.
    """

    def __init__(self, otlp: OtlpSettings, signal: Signal, user_agent: str) -> None:
        parts = urlsplit(otlp.endpoint)
        self._target = parts.netloc or otlp.endpoint
        self._method = _METHODS[signal]
        self._metadata = tuple((name.lower(), value) for name, value in otlp.headers.items()) or None
        self._compression = _COMPRESSION[otlp.compression]
        self._options = (
            ("grpc.primary_user_agent", user_agent),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 5_000),
        )
        # The scheme decides; "insecure" is for endpoints without one. Specification, "OpenTelemetry Protocol Exporter".
        insecure = otlp.insecure if parts.scheme not in ("http", "https") else parts.scheme == "http"
        self._credentials = None if insecure else _credentials(otlp, signal)
        self._channel: grpc.Channel | None = None
        self._call: Any = None
        self._of_parent: list[object] = []

    def _connect(self) -> Any:
        if self._channel is None:
            self._channel = (
                grpc.secure_channel(self._target, self._credentials, self._options, self._compression)
                if self._credentials
                else grpc.insecure_channel(self._target, self._options, self._compression)
            )
            self._call = self._channel.unary_unary(self._method)
        return self._call

    def send(self, body: bytes, timeout_s: float) -> Reply:
        try:
            with apart.call():
                return Reply("delivered", body=self._connect()(body, timeout=timeout_s, metadata=self._metadata))
        except grpc.RpcError as error:
            return _reply(error)
        except Exception as error:  # a channel that was closed meanwhile is a ValueError
            return Reply("retry", f"{type(error).__name__}: {error}")

    def reset(self) -> None:
        # The parent's channel is kept: its destructor would close the connection, with threads that are not there.
        self._of_parent.append((self._channel, self._call))
        self._channel = self._call = None

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()


def _credentials(otlp: OtlpSettings, signal: Signal) -> grpc.ChannelCredentials:
    files = (otlp.certificate, otlp.client_key, otlp.client_certificate)
    if not any(files) and (provided := load_credentials("GRPC", signal, grpc.ChannelCredentials)):
        return provided
    return grpc.ssl_channel_credentials(*map(_read, files))


def _read(file: str | None) -> bytes | None:
    if file is None:
        return None
    with open(file, "rb") as opened:
        return opened.read()


def _reply(error: Any) -> Reply:
    code = error.code()
    details = error.details() or ""
    reason = f"{code.name}: {details}"[:300]
    wait_s = _retry_after_s(error)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        if wait_s is not None:
            return Reply("retry", reason, retry_after_s=wait_s)
        # grpc-go: "grpc: received message larger than max (5242880 vs. 4194304)"; C core: "Received message larger…",
        # "CLIENT: Sent message larger than max".
        return Reply("too_large" if "larger than max" in details.lower() else "refused", reason)
    if code in RETRYABLE:
        return Reply("retry", reason, retry_after_s=wait_s)
    return Reply("refused", reason)


def _retry_after_s(error: Any) -> float | None:
    """Return what the RetryInfo among the status's details says, in seconds, or None without one."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        try:
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Unpack(info):
                    seconds = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
                    return min(max(0.0, seconds), _LONGEST_WAIT_S)
        except Exception:  # noqa: S112 - details that cannot be read say nothing
            continue
    return None
