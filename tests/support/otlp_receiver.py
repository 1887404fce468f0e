# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
An OTLP receiver for tests: real HTTP and gRPC servers on a loopback port.

    with OtlpReceiver() as receiver:                 # or OtlpReceiver("grpc")
        receiver.answers += [UNAVAILABLE, STORED_THEN_ERROR]   # for the next two requests, then OK
        otelkit.configure(otlp_endpoint=receiver.endpoint)
        ...
        assert receiver.total("shop.orders") == 3
"""

from __future__ import annotations

import gzip
import ssl
import tempfile
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

DELTA = 1
CUMULATIVE = 2


@dataclass(frozen=True)
class Answer:
    """
    How one request is answered.

    Attributes:
        code: HTTP's; gRPC's is made from it. 0 means that no answer ever comes, -1 that the connection is cut.
        stored: Whether the receiver keeps what came.
        rejected: Partial success: spans or points that it did not keep, as it says.
        message: That goes with it; alone, it is a warning.
        retry_after_s: Header Retry-After, or gRPC's RetryInfo.
        delay_s: Time until the answer.
        headers: Further headers.
        body: In place of OTLP's answer; HTTP only.
        status: gRPC's status, where ``code`` cannot say it.
    """

    code: int = 200
    stored: bool = True
    rejected: int = 0
    message: str = ""
    retry_after_s: float | str | None = None
    delay_s: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    status: grpc.StatusCode | None = None


OK = Answer()
UNAVAILABLE = Answer(503, stored=False)
TOO_MANY = Answer(429, stored=False)
BAD_REQUEST = Answer(400, stored=False)
STORED_THEN_ERROR = Answer(500)
NEVER = Answer(0, stored=False)
CUT = Answer(-1, stored=False)


def partial(rejected: int) -> Answer:
    """Accept the request and say that ``rejected`` points or spans of it were not."""
    return Answer(rejected=rejected, message="told to reject")


_GRPC_CODES = {
    503: grpc.StatusCode.UNAVAILABLE,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    -1: grpc.StatusCode.UNAVAILABLE,
    400: grpc.StatusCode.INVALID_ARGUMENT,
    500: grpc.StatusCode.INTERNAL,
}


class Request(NamedTuple):
    """One request that came in, stored or not; header names are in lower case."""

    signal: str
    message: Any
    headers: dict[str, str]
    size: int
    stored: bool


class Series(NamedTuple):
    """One data point with what it belongs to; ``kind`` is sum, gauge, histogram, exponential_histogram or summary."""

    resource: dict[str, Any]
    scope: str
    name: str
    unit: str
    kind: str
    temporality: int
    monotonic: bool
    attributes: dict[str, Any]
    point: Any


def _value(any_value: Any) -> Any:
    which = any_value.WhichOneof("value")
    if which == "array_value":
        return [_value(item) for item in any_value.array_value.values]
    return getattr(any_value, which) if which else None


def attributes_of(pairs: Any) -> dict[str, Any]:
    """Return OTLP's key-value pairs as a dictionary."""
    return {pair.key: _value(pair.value) for pair in pairs}


class OtlpReceiver:
    """
    Records what is sent to it.

    Args:
        protocol: ``http`` (protobuf over HTTP) or ``grpc``.
        port: Loopback port; 0 lets the system choose.
        max_bytes: Larger requests get 413, or gRPC's "larger than max".
        certificates: (certificate and key of the server, authority of the clients or None), PEM, for TLS.

    Attributes:
        answers: Answers to the coming requests, used up one by one.
        always: The answer when `answers` is empty.
        requests: All requests, in the order they came.
    """

    def __init__(
        self,
        protocol: str = "http",
        port: int = 0,
        *,
        max_bytes: int = 4 << 20,
        certificates: tuple[bytes, bytes, bytes | None] | None = None,
    ) -> None:
        self.protocol = protocol
        self.max_bytes = max_bytes
        self.answers: deque[Answer] = deque()
        self.always = OK
        self.requests: list[Request] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        make = _http_server if protocol == "http" else _GrpcServer
        self._server: Any = make(self, port, certificates)
        self.port: int = self._server.port
        self.endpoint = f"http{'s' if certificates else ''}://127.0.0.1:{self.port}"

    def __enter__(self) -> OtlpReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close the port; requests that were waiting for ever end with an error."""
        self._stopping.set()
        self._server.stop()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    # -- what came in ---------------------------------------------------------

    def series(self, name: str | None = None) -> list[Series]:
        """Return every stored data point in order of arrival, of metric ``name`` only if it is given."""
        found = [series for message in self._stored("metrics") for series in _series(message)]
        return found if name is None else [series for series in found if series.name == name]

    def metric_names(self) -> set[str]:
        """Return the names of all stored metrics."""
        return {series.name for series in self.series()}

    def spans(self, instance: str | None = None) -> list[Any]:
        """Return every stored span in order of arrival, of one service.instance.id only if it is given."""
        return [
            span
            for message in self._stored("traces")
            for resource in message.resource_spans
            if instance in (None, attributes_of(resource.resource.attributes).get("service.instance.id"))
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def instances(self) -> list[str]:
        """Return every service.instance.id that metrics came from, in order of arrival."""
        return list(dict.fromkeys(series.resource["service.instance.id"] for series in self.series()))

    def total(self, name: str, instance: str | None = None) -> float:
        """Return the sum of `totals`, or that of one instance."""
        totals = self.totals(name)
        return sum(totals.values()) if instance is None else totals.get(instance, 0)

    def totals(self, name: str) -> dict[str, float]:
        """
        Return what has arrived of a counter's value or a histogram's count, by service.instance.id.

        Delta points are added up; of a cumulative series the last point counts.
        """
        last: dict[tuple, float] = {}
        for series in self.series(name):
            key = (tuple(sorted(series.resource.items(), key=str)), tuple(sorted(series.attributes.items())))
            point = series.point
            value = point.count if hasattr(point, "count") else point.as_double or point.as_int
            last[key] = last.get(key, 0) + value if series.temporality == DELTA else value
        totals: dict[str, float] = {}
        for (resource, _), value in last.items():
            instance = dict(resource).get("service.instance.id", "")
            totals[instance] = totals.get(instance, 0) + value
        return totals

    def wait_for(self, condition: Callable[[OtlpReceiver], object], timeout_s: float = 10.0) -> bool:
        """Wait until ``condition(self)`` is true after some request; False if it is not in time."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while not condition(self):
                if not self._changed.wait(max(0.0, end - time.monotonic())):
                    return bool(condition(self))
        return True

    def _stored(self, signal: str) -> Iterator[Any]:
        return (request.message for request in list(self.requests) if request.stored and request.signal == signal)

    # -- what the servers call ------------------------------------------------

    def receive(self, signal: str, message: Any, headers: dict[str, str], size: int) -> Answer:
        """Record one request and return its answer; blocks until `stop` if there is to be none."""
        with self._changed:
            answer = self.answers.popleft() if self.answers else self.always
            self.requests.append(Request(signal, message, headers, size, answer.stored))
            self._changed.notify_all()
        if answer.code == 0 or answer.delay_s:
            self._stopping.wait(answer.delay_s or None)
        return answer


def _series(message: Any) -> Iterator[Series]:
    for resource_metrics in message.resource_metrics:
        resource = attributes_of(resource_metrics.resource.attributes)
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                for point in data.data_points:
                    yield Series(
                        resource,
                        scope_metrics.scope.name,
                        metric.name,
                        metric.unit,
                        kind,
                        getattr(data, "aggregation_temporality", 0),
                        getattr(data, "is_monotonic", False),
                        attributes_of(point.attributes),
                        point,
                    )


_MESSAGES: dict[str, tuple[type, type]] = {
    "metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse),
    "traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse),
}


def _response(signal: str, answer: Answer) -> Any:
    response = _MESSAGES[signal][1]()
    if answer.rejected:
        field = "rejected_data_points" if signal == "metrics" else "rejected_spans"
        setattr(response.partial_success, field, answer.rejected)
    if answer.message:
        response.partial_success.error_message = answer.message
    return response


# -- HTTP ---------------------------------------------------------------------

_DECODERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}


Certificates = tuple[bytes, bytes, bytes | None]


def _tls(certificates: Certificates) -> ssl.SSLContext:
    certificate, key, clients = certificates
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as chain:
        chain.write(key + certificate)
        chain.flush()
        context.load_cert_chain(chain.name)
    if clients:
        context.load_verify_locations(cadata=clients.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    @property
    def port(self) -> int:
        return self.server_address[1]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away, as they do when told to wait for ever."""


def _http_server(receiver: OtlpReceiver, port: int, certificates: Certificates | None) -> _HttpServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            body = self.rfile.read(size)
            if receiver.stopped:  # a connection that was kept
                self.close_connection = True
                return
            if size > receiver.max_bytes:
                self._answer(Answer(413), b"")
                return
            signal = self.path.removeprefix("/v1/")
            if signal not in _MESSAGES:
                self._answer(Answer(404), b"")
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            message = _MESSAGES[signal][0].FromString(_DECODERS[headers.get("content-encoding", "")](body))
            answer = receiver.receive(signal, message, headers, len(body))
            if answer.code <= 0:
                self.close_connection = True
                return
            body = _response(signal, answer).SerializeToString() if answer.code == 200 else b""
            self._answer(answer, body if answer.body is None else answer.body)

        def _answer(self, answer: Answer, body: bytes) -> None:
            self.send_response(answer.code)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            if answer.retry_after_s is not None:
                self.send_header("Retry-After", str(answer.retry_after_s))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Keep the test's output clean."""

    server = _HttpServer(("127.0.0.1", port), Handler)
    if certificates:
        server.socket = _tls(certificates).wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


# -- gRPC ---------------------------------------------------------------------


class _GrpcServer:
    def __init__(self, receiver: OtlpReceiver, port: int, certificates: Certificates | None) -> None:
        options = [("grpc.max_receive_message_length", receiver.max_bytes), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_GrpcService(receiver, "metrics"), self._server)
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_GrpcService(receiver, "traces"), self._server)
        address = f"127.0.0.1:{port}"
        if certificates:
            certificate, key, clients = certificates
            credentials = grpc.ssl_server_credentials([(key, certificate)], clients, clients is not None)
            self.port = self._server.add_secure_port(address, credentials)
        else:
            self.port = self._server.add_insecure_port(address)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait()


class _GrpcService:
    def __init__(self, receiver: OtlpReceiver, signal: str) -> None:
        self._receiver = receiver
        self._signal = signal

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:
        pairs: Sequence[Any] = context.invocation_metadata() or ()
        headers = {str(key).lower(): value for key, value in pairs}
        answer = self._receiver.receive(self._signal, request, headers, request.ByteSize())
        if answer.code != 200 or answer.status:
            code = answer.status or _GRPC_CODES.get(answer.code, grpc.StatusCode.UNKNOWN)
            if answer.retry_after_s is not None:
                context.set_trailing_metadata((("grpc-status-details-bin", _retry_info(code, answer)),))
            context.abort(code, answer.message or "told to fail")
        return _response(self._signal, answer)


def _retry_info(code: grpc.StatusCode, answer: Answer) -> bytes:
    status = Status(code=code.value[0], message="told to fail")
    info = RetryInfo()
    info.retry_delay.FromNanoseconds(int(float(answer.retry_after_s or 0) * 1e9))
    status.details.add().Pack(info)
    return status.SerializeToString()
