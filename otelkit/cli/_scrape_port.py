# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Whether /metrics can be served on its port, and if not, who has it."""

from __future__ import annotations

import errno
import http.client
import socket
from base64 import b64encode

from otelkit.cli._findings import Finding, Status
from otelkit.cli._probe import SECTION
from otelkit.cli._wire import tls_context
from otelkit.config import Settings
from otelkit.masking import Masker

__all__ = ("check", "serves_otelkit")

CHECK = "endpoint.prometheus"
_TIMEOUT_S = 1.0
_OWN_METRIC = b"otelkit_"


def check(settings: Settings) -> Finding:
    """Try to bind the port of /metrics; a port that otelkit already serves is as it should be."""
    host, port = settings.prometheus_host, settings.prometheus_port
    address = f"/metrics → {host}:{port}"
    if port == 0:
        return Finding(
            SECTION, CHECK, Status.NOTE, f"{address}: a free port is taken at start; scrapers cannot know it."
        )
    try:
        _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _taken(settings, address)
        return Finding(SECTION, CHECK, Status.BROKEN, f"{address}: {error.strerror}.", _fix(error))
    return Finding(SECTION, CHECK, Status.OK, f"{address}: the port is free.")


def _bind(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as server:
        # As the server itself does: connections of a previous run that linger in TIME_WAIT do not count.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(1)


def _fix(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "Set OTEL_EXPORTER_PROMETHEUS_HOST to an address of this machine, such as localhost or 0.0.0.0."
    return "Set OTEL_EXPORTER_PROMETHEUS_PORT to a port above 1023."


def _taken(settings: Settings, address: str) -> Finding:
    owner = _owner(settings.prometheus_port)
    if serves_otelkit(settings):
        return Finding(SECTION, CHECK, Status.OK, f"{address}: served by otelkit already{owner}.")
    return Finding(
        SECTION,
        CHECK,
        Status.BROKEN,
        f"{address}: the port is taken{owner}.",
        f"Stop that program, or set OTEL_EXPORTER_PROMETHEUS_PORT, for example to {_free_port()}.",
    )


def serves_otelkit(settings: Settings) -> bool:
    """Say whether what listens there is otelkit's /metrics, asked with the credentials of this configuration."""
    host, port = settings.prometheus_host, settings.prometheus_port
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        if settings.prometheus_tls_certificate:
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=tls_context(verify=False))
        connection.request("GET", "/metrics", headers={"Accept": "text/plain", **_credentials(settings)})
        answer = connection.getresponse()
        return answer.status == 200 and _OWN_METRIC in answer.read(10_000_000)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _credentials(settings: Settings) -> dict[str, str]:
    if settings.prometheus_bearer_token:
        return {"Authorization": f"Bearer {settings.prometheus_bearer_token}"}
    if settings.prometheus_basic_auth:
        return {"Authorization": f"Basic {b64encode(settings.prometheus_basic_auth.encode()).decode()}"}
    return {}


def _owner(port: int) -> str:
    """Name the process that listens on ``port``; empty when the system does not tell, as for other users' processes."""
    import psutil

    try:
        listeners = [
            found.pid
            for found in psutil.net_connections(kind="tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
        ]
        if not listeners:
            return ""
        command = " ".join(Masker().value("command", psutil.Process(listeners[0]).cmdline())[:3])
    except (psutil.Error, OSError):
        return ""
    return f" by process {listeners[0]} ({command[:60]})"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
