# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Ask an OTLP endpoint whether it takes telemetry: one export request with nothing in it, over HTTP or gRPC.

An empty request is valid OTLP (a protobuf message of zero bytes), leaves no
trace at the server, and passes through the same path, headers and TLS as a
full one.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from otelkit.cli._findings import Finding, Status
from otelkit.cli._wire import Deadline, Target, Wire, connect, identify, tls_context

__all__ = ("Endpoint", "probe")

SECTION = "Endpoints"
TIMEOUT_S = 2.0
# What the export itself may take of it; the rest is for finding out what answered instead.
_EXPORT_S = 1.2
_TWINS = {4317: 4318, 4318: 4317}
_GRPC_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}


class Endpoint(NamedTuple):
    """
    Where one signal goes.

    Attributes:
        signal: ``traces`` or ``metrics``.
        protocol: ``grpc`` or ``http/protobuf``.
        url: For HTTP the full address with its path; for gRPC scheme, host and port.
        headers: As configured, secrets included; only their names are shown.
        ca_file: PEM file to verify the server with; None for the system's.
        client: PEM files of the client's certificate and key, for mutual TLS.
        variable: The setting that holds the address, named in fixes.
    """

    signal: str
    protocol: str
    url: str
    headers: Mapping[str, str]
    ca_file: str | None
    client: tuple[str, str] | None
    variable: str

    @property
    def tls(self) -> bool:
        """Whether the exporter will use TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def shown(self) -> str:
        """The address without a user and password that it may hold."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def target(self) -> Target:
        """The server's address; raises ValueError when the address has no host or no proper port."""
        parts = urlsplit(self.url)
        if not parts.hostname:
            raise ValueError("it names no host")
        return Target(parts.hostname, parts.port or (443 if self.tls else 80))


class _Answer(NamedTuple):
    status: Status
    message: str
    fix: str = ""


def probe(endpoint: Endpoint, timeout_s: float = TIMEOUT_S) -> Finding:
    """Send an empty export request to ``endpoint``; ends within ``timeout_s``, but for a slow name server."""
    deadline = Deadline(timeout_s)
    try:
        answer = _unreachable(endpoint, deadline) or _ask(endpoint, deadline)
    except OSError as error:
        answer = _Answer(
            Status.BROKEN,
            f"the TLS files cannot be used: {error}.",
            "Correct OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY.",
        )
    except ValueError as error:
        answer = _Answer(
            Status.BROKEN,
            f"this is no address: {error}.",
            f"Set {endpoint.variable} to something like http://localhost:4318.",
        )
    message = f"{endpoint.signal} → {endpoint.shown} ({endpoint.protocol}): {answer.message}"
    return Finding(SECTION, f"endpoint.{endpoint.signal}", answer.status, message, answer.fix)


def _ask(endpoint: Endpoint, deadline: Deadline) -> _Answer:
    step = Deadline(min(_EXPORT_S, deadline.left_s()))
    return (_ask_grpc if endpoint.protocol == "grpc" else _ask_http)(endpoint, step, deadline)


# -- reaching it ------------------------------------------------------------------------------------------------------


def _unreachable(endpoint: Endpoint, deadline: Deadline) -> _Answer | None:
    """Say why no connection can be made, or return None when one can."""
    target = endpoint.target
    try:
        connect(target, deadline).close()
    except socket.gaierror as error:
        return _Answer(
            Status.BROKEN,
            f"the host name {target.host!r} is not known ({error.strerror}).",
            f"Correct the host in {endpoint.variable}, or the name service of this machine.",
        )
    except ConnectionRefusedError:
        return _refused(endpoint, target, deadline)
    except TimeoutError:
        return _Answer(
            Status.BROKEN,
            f"no connection within {TIMEOUT_S:g} s.",
            f"Check host and port in {endpoint.variable}, and firewalls on the way to {target}.",
        )
    except OSError as error:
        return _Answer(Status.BROKEN, f"cannot be reached: {error}.", f"Check host and port in {endpoint.variable}.")
    return None


def _refused(endpoint: Endpoint, target: Target, deadline: Deadline) -> _Answer:
    twin = Target(target.host, _TWINS.get(target.port, 0))
    if twin.port and (wire := _identify_if_open(twin, deadline)):
        protocol = "grpc" if wire.grpc else "http/protobuf"
        return _Answer(
            Status.BROKEN,
            f"nothing listens at {target}, but {twin} speaks {wire.value}.",
            f"Set OTEL_EXPORTER_OTLP_PROTOCOL={protocol} and {endpoint.variable}="
            f"{'https' if wire.tls else 'http'}://{twin}.",
        )
    return _Answer(
        Status.BROKEN,
        f"nothing listens at {target}.",
        f"Start a Collector there, or set {endpoint.variable} to where yours listens, "
        f"or send no {endpoint.signal}: OTEL_{endpoint.signal.upper()}_EXPORTER=none.",
    )


def _identify_if_open(target: Target, deadline: Deadline) -> Wire | None:
    try:
        connect(target, deadline).close()
    except OSError:
        return None
    wire = identify(target, deadline)
    return None if wire is Wire.UNKNOWN else wire


# -- HTTP -------------------------------------------------------------------------------------------------------------


def _ask_http(endpoint: Endpoint, step: Deadline, deadline: Deadline) -> _Answer:
    try:
        code, kind, location = _post_nothing(endpoint, step)
    except ssl.SSLCertVerificationError as error:
        return _untrusted(endpoint, error.verify_message)
    except FileNotFoundError:
        raise
    except (OSError, http.client.HTTPException) as error:
        return _misunderstood(endpoint, error, deadline)
    if 200 <= code < 300:
        return _http_success(endpoint, kind)
    if 300 <= code < 400:
        return _Answer(
            Status.BROKEN,
            f"answers {code}, a redirection to {location or 'elsewhere'}; the exporter takes that for success and "
            "the data is lost.",
            f"Set {endpoint.variable} to the address it redirects to.",
        )
    return _http_failure(endpoint, code, deadline)


def _post_nothing(endpoint: Endpoint, step: Deadline) -> tuple[int, str, str]:
    target, parts = endpoint.target, urlsplit(endpoint.url)
    if endpoint.tls:
        context = tls_context(endpoint.ca_file)
        if endpoint.client:
            context.load_cert_chain(*endpoint.client)
        connection = http.client.HTTPSConnection(*target, timeout=step.left_s(), context=context)
    else:
        connection = http.client.HTTPConnection(*target, timeout=step.left_s())
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {**endpoint.headers, "Content-Type": "application/x-protobuf", "User-Agent": "otelkit-doctor"}
        connection.request("POST", path, b"", headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.getheader("Location", "")
    finally:
        connection.close()


def _http_success(endpoint: Endpoint, kind: str) -> _Answer:
    if kind and not kind.startswith(("application/x-protobuf", "application/json", "application/octet-stream")):
        return _Answer(
            Status.WARNING,
            f"answers, but with {kind}: this is perhaps a web site, not an OTLP receiver.",
            f"Check host, port and path in {endpoint.variable}; OTLP over HTTP is usually port 4318.",
        )
    return _Answer(Status.OK, "accepts OTLP over HTTP.")


def _http_failure(endpoint: Endpoint, code: int, deadline: Deadline) -> _Answer:
    if code in (401, 403):
        return _denied(endpoint, f"answers {code}")
    if code in (404, 405):
        wanted = f"/v1/{endpoint.signal}"
        return _Answer(
            Status.BROKEN,
            f"answers {code}: no OTLP receiver at the path {urlsplit(endpoint.url).path or '/'!r}.",
            f"A receiver's path ends in {wanted}. OTEL_EXPORTER_OTLP_ENDPOINT is a base to which {wanted} is added; "
            f"OTEL_EXPORTER_OTLP_{endpoint.signal.upper()}_ENDPOINT is taken as it stands.",
        )
    if code == 400 and not endpoint.tls and identify(endpoint.target, deadline).tls:
        return _wrong_scheme(endpoint, "https")
    if code in (429, 502, 503, 504):
        return _Answer(
            Status.WARNING,
            f"speaks HTTP, but answers {code}: it, or what stands behind it, is overloaded or not ready.",
            "Look at the receiver's own log; the exporter tries again and drops what is older.",
        )
    return _Answer(
        Status.BROKEN,
        f"answers {code} to an empty export request.",
        f"Check that {endpoint.variable} is an OTLP receiver for {endpoint.signal}, and look at its log.",
    )


# -- gRPC -------------------------------------------------------------------------------------------------------------


def _ask_grpc(endpoint: Endpoint, step: Deadline, deadline: Deadline) -> _Answer:
    # Its core writes handshake failures to stderr by itself; they are told below, with the fix.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc

    # gRPC metadata keys are lower case by specification; the exporter lowers them too.
    metadata = [(key.lower(), value) for key, value in endpoint.headers.items()]
    with _grpc_channel(endpoint) as channel:
        try:
            channel.unary_unary(_GRPC_METHODS[endpoint.signal])(b"", timeout=step.left_s(), metadata=metadata)
        except grpc.RpcError as error:
            return _grpc_failure(endpoint, error, deadline)
    return _Answer(Status.OK, "accepts OTLP over gRPC.")


def _grpc_channel(endpoint: Endpoint) -> Any:
    import grpc

    if not endpoint.tls:
        return grpc.insecure_channel(str(endpoint.target))
    roots = Path(endpoint.ca_file).read_bytes() if endpoint.ca_file else None
    certificate, key = (Path(file).read_bytes() for file in endpoint.client) if endpoint.client else (None, None)
    return grpc.secure_channel(str(endpoint.target), grpc.ssl_channel_credentials(roots, key, certificate))


def _grpc_failure(endpoint: Endpoint, error: Any, deadline: Deadline) -> _Answer:
    import grpc

    code, details = error.code(), error.details() or ""
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return _denied(endpoint, f"answers {code.name}")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return _Answer(
            Status.WARNING,
            f"speaks gRPC, but answers {code.name}: it is overloaded.",
            "Look at the receiver's own log.",
        )
    if "CERTIFICATE_VERIFY_FAILED" in details or "certificate verify failed" in details:
        return _untrusted(endpoint, "certificate verify failed")
    wire = identify(endpoint.target, deadline)
    if wire.grpc and wire.tls == endpoint.tls:
        return _grpc_without_otlp(endpoint, code.name, details)
    return _wrong_wire(endpoint, wire, f"{code.name}: {details}")


def _grpc_without_otlp(endpoint: Endpoint, code: str, details: str) -> _Answer:
    if code == "UNIMPLEMENTED":
        return _Answer(
            Status.BROKEN,
            f"speaks gRPC, but has no OTLP service for {endpoint.signal}.",
            f"Check host and port in {endpoint.variable}; in a Collector, that a {endpoint.signal} pipeline has the "
            "otlp receiver.",
        )
    return _Answer(
        Status.BROKEN if code != "UNAVAILABLE" else Status.WARNING,
        f"speaks gRPC, but answers {code} {details}".rstrip() + ".",
        "Look at the receiver's own log.",
    )


# -- what both have in common -----------------------------------------------------------------------------------------


def _misunderstood(endpoint: Endpoint, error: Exception, deadline: Deadline) -> _Answer:
    wire = identify(endpoint.target, deadline)
    if wire in (Wire.HTTP1, Wire.HTTP1_TLS) and wire.tls == endpoint.tls:
        return _Answer(
            Status.BROKEN,
            f"speaks HTTP, but did not answer within {_EXPORT_S:g} s ({type(error).__name__}).",
            "Look at the receiver's own log; a proxy on the way may hold the request back.",
        )
    return _wrong_wire(endpoint, wire, f"{type(error).__name__}: {error}")


def _wrong_wire(endpoint: Endpoint, wire: Wire, detail: str) -> _Answer:
    if wire is Wire.UNKNOWN:
        return _Answer(
            Status.BROKEN,
            f"accepts connections, but answers neither HTTP nor gRPC ({detail}).",
            f"Check host and port in {endpoint.variable}.",
        )
    if wire.grpc == (endpoint.protocol == "grpc"):
        return _wrong_scheme(endpoint, "https" if wire.tls else "http")
    target = endpoint.target
    other, habit = ("grpc", 4317) if wire.grpc else ("http/protobuf", 4318)
    remedy = f"Set OTEL_EXPORTER_OTLP_PROTOCOL={other}"
    if wire.tls != endpoint.tls:
        remedy += f" and {endpoint.variable}={'https' if wire.tls else 'http'}://{target}"
    twin = _TWINS.get(target.port)
    if twin and twin != habit:
        remedy += f", or keep {endpoint.protocol} and use port {twin}: {endpoint.variable}=http://{target.host}:{twin}"
    return _Answer(
        Status.BROKEN,
        f"port {target.port} speaks {wire.value}, but {endpoint.protocol} is configured.",
        f"{remedy}.",
    )


def _wrong_scheme(endpoint: Endpoint, scheme: str) -> _Answer:
    speaks, asked = ("TLS", "plain text") if scheme == "https" else ("plain text", "TLS")
    return _Answer(
        Status.BROKEN,
        f"the server speaks {speaks}, but {asked} is configured.",
        f"Set {endpoint.variable}={scheme}://{endpoint.target}.",
    )


def _untrusted(endpoint: Endpoint, why: str) -> _Answer:
    return _Answer(
        Status.BROKEN,
        f"the server's certificate is not trusted: {why}.",
        "Set OTEL_EXPORTER_OTLP_CERTIFICATE to the PEM file of the authority that signed it"
        + (f" (now {endpoint.ca_file})." if endpoint.ca_file else "."),
    )


def _denied(endpoint: Endpoint, answer: str) -> _Answer:
    sent = ", ".join(sorted(endpoint.headers)) or "none"
    return _Answer(
        Status.BROKEN,
        f"{answer}: access is denied (headers sent: {sent}).",
        "Set OTEL_EXPORTER_OTLP_HEADERS, for example authorization=Bearer%20<token>; values are URL-encoded.",
    )
