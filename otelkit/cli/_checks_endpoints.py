# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the configured telemetry goes, and whether it is taken there."""

from __future__ import annotations

import http.client
import os
import socket
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from otelkit.cli import _scrape_port
from otelkit.cli._findings import Finding, Status
from otelkit.cli._probe import SECTION, TIMEOUT_S, Endpoint, probe
from otelkit.config import Settings
from otelkit.pipeline.dashboard import named

__all__ = ("checks",)

Check = Callable[[], list[Finding]]
Signal = Literal["metrics", "traces"]
_FILE_EXPORTERS = {"json", "csv", "otlp_file"}


def checks(settings: Settings) -> list[Check]:
    """Return one check for each destination; each takes two seconds at most and may run in a thread of its own."""
    found: list[Check] = []
    for signal, exporters in _exporters(settings).items():
        if "otlp" in exporters:
            found.append(lambda signal=signal: _check_otlp(settings, signal))
    exporters = set().union(*_exporters(settings).values())
    if "prometheus" in exporters:
        found.append(lambda: [_scrape_port.check(settings)])
    if "pushgateway" in exporters:
        found.append(lambda: [_check_pushgateway(settings)])
    if "statsd" in exporters:
        found.append(lambda: [_check_statsd(settings)])
    if exporters & _FILE_EXPORTERS:
        found.append(lambda: [_check_folder(settings)])
    return found


def _exporters(settings: Settings) -> dict[Signal, tuple[str, ...]]:
    return {
        "traces": named("traces", settings) if settings.traces_enabled else (),
        "metrics": named("metrics", settings) if settings.metrics_enabled else (),
    }


# -- OTLP -------------------------------------------------------------------------------------------------------------


def _check_otlp(settings: Settings, signal: Signal) -> list[Finding]:
    otlp = settings.otlp(signal)
    source = otlp.sources["otlp_endpoint"]
    client = (otlp.client_certificate, otlp.client_key) if otlp.client_certificate and otlp.client_key else None
    url = _with_scheme(otlp.endpoint, otlp.insecure) if otlp.protocol == "grpc" else otlp.endpoint
    # Name the place to change: where the value stands now, or OpenTelemetry's variable if it is the default.
    variable = source if source not in ("default", "argument") else "OTEL_EXPORTER_OTLP_ENDPOINT"
    endpoint = Endpoint(signal, otlp.protocol, url, otlp.headers, otlp.certificate, client, variable)
    return [probe(endpoint), *_proxy_notes(endpoint)]


def _with_scheme(endpoint: str, insecure: bool | None) -> str:
    # As the gRPC exporter reads it: https wins over insecure, and without a scheme the default is TLS.
    scheme, separator, rest = endpoint.rpartition("://")
    if scheme == "https" or not (insecure if insecure is not None else scheme == "http"):
        return f"https://{rest}"
    return f"http://{rest}" if separator else f"http://{endpoint}"


def _proxy_notes(endpoint: Endpoint) -> list[Finding]:
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    if (
        endpoint.protocol == "grpc"
        or parts.scheme not in urllib.request.getproxies()
        or urllib.request.proxy_bypass(host)
    ):
        return []
    return [
        Finding(
            SECTION,
            f"endpoint.{endpoint.signal}.proxy",
            Status.WARNING,
            f"{parts.scheme.upper()}_PROXY is set: {endpoint.signal} go through the proxy, this check went direct.",
            f"If the receiver is inside your network: NO_PROXY={host}.",
        )
    ]


# -- the others -------------------------------------------------------------------------------------------------------


def _check_pushgateway(settings: Settings) -> Finding:
    parts = urlsplit(settings.pushgateway_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path.rstrip("/") + "/-/ready")
        code = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Finding(
            SECTION,
            "endpoint.pushgateway",
            Status.BROKEN,
            f"Pushgateway → {settings.pushgateway_url}: {error}.",
            "Start it, or set OTELKIT_PUSHGATEWAY_URL to where it listens.",
        )
    finally:
        connection.close()
    status = Status.OK if code == 200 else Status.BROKEN
    return Finding(
        SECTION,
        "endpoint.pushgateway",
        status,
        f"Pushgateway → {settings.pushgateway_url}: answers {code} to /-/ready.",
        "" if status is Status.OK else "Check OTELKIT_PUSHGATEWAY_URL: something else may listen there.",
    )


def _check_statsd(settings: Settings) -> Finding:
    address = f"{settings.statsd_host}:{settings.statsd_port}"
    try:
        socket.getaddrinfo(settings.statsd_host, settings.statsd_port, type=socket.SOCK_DGRAM)
    except OSError as error:
        return Finding(
            SECTION,
            "endpoint.statsd",
            Status.BROKEN,
            f"StatsD → {address}: the host name is not known ({error.strerror}).",
            "Correct OTELKIT_STATSD_HOST.",
        )
    return Finding(
        SECTION, "endpoint.statsd", Status.NOTE, f"StatsD → {address}: UDP; whether anybody listens cannot be told."
    )


def _check_folder(settings: Settings) -> Finding:
    folder = Path(settings.data_folder).absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        if not existing.is_dir():
            raise NotADirectoryError(20, "it is a file", str(existing))
        # os.access knows nothing of full disks, quotas and read-only mounts.
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"otelkit doctor")
    except OSError as error:
        return Finding(
            SECTION,
            "folder.data",
            Status.BROKEN,
            f"Data folder {folder}: cannot write in {existing}: {error.strerror}.",
            f"Make it writable for {_user()}, or set OTELKIT_DATA_FOLDER to another.",
        )
    made = "is writable" if existing == folder else "will be made"
    return Finding(SECTION, "folder.data", Status.OK, f"Data folder {folder}: {made}.")


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
