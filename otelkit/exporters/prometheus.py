# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Metrics for a Prometheus that scrapes: ``/metrics`` in text and OpenMetrics.

A program that exposes a prometheus_client registry already adds
`OtelkitCollector` to it instead.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk.resources import SERVICE_NAME

from otelkit._core._fork import forks
from otelkit.exceptions import ConfigurationError
from otelkit.exporters._metrics_server import Credentials, MetricsServer, server_url
from otelkit.exporters._page_reader import PageReader, ScopedGroups, SnapshotSource
from otelkit.exporters.workers.sharing import Workers

if TYPE_CHECKING:
    from otelkit.exporters.prometheus_collector import OtelkitCollector

__all__ = ("OtelkitCollector", "PrometheusReader", "PrometheusSettings", "create_reader")


class PrometheusSettings(Protocol):
    """The settings that the reader looks at; `otelkit.config.Settings` has them."""

    @property
    def service_name(self) -> str | None: ...
    @property
    def prometheus_host(self) -> str: ...
    @property
    def prometheus_port(self) -> int: ...
    @property
    def prometheus_tls_certificate(self) -> str | None: ...
    @property
    def prometheus_tls_key(self) -> str | None: ...
    @property
    def prometheus_tls_client_ca(self) -> str | None: ...
    @property
    def prometheus_basic_auth(self) -> str | None: ...
    @property
    def prometheus_bearer_token(self) -> str | None: ...
    @property
    def prometheus_scope_labels(self) -> bool: ...
    @property
    def workers_folder(self) -> str | None: ...


class PrometheusReader(PageReader):
    """
    A reader whose server answers ``GET /metrics``, for all workers of its server.

    Processes that descend from one server, or are given one ``workers_folder``,
    share service, host and port: one of them answers, and when it ends the next
    one does. Alone it leaves nothing anywhere.

    Attributes:
        port: The port of the page.
        url: Where the page is.

    Errors: ConfigurationError if address, TLS files or ``workers_folder`` cannot be used.
    """

    def __init__(self, settings: PrometheusSettings, source: SnapshotSource) -> None:
        resource = {SERVICE_NAME: settings.service_name} if settings.service_name else {}
        super().__init__(source, resource, scope_labels=settings.prometheus_scope_labels)
        credentials = credentials_of(settings)
        tls = tls_context(settings)
        host, port = settings.prometheus_host, settings.prometheus_port

        def bind() -> MetricsServer:
            server = MetricsServer(
                host, port, lambda openmetrics: self.page(openmetrics=openmetrics), credentials=credentials, tls=tls
            )
            server.start()
            return server

        try:
            self._workers = Workers(settings, bind, self._collect_snapshot, getattr(source, "across_workers", {}))
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                "an address that is free to listen on",
                f"{host}:{port} ({error})",
                f"{_where(settings, 'prometheus_host')}, {_where(settings, 'prometheus_port')}",
                "Stop what listens there, or set prometheus_port to another port, or to 0 for any free one.",
            ) from error
        self.port = self._workers.port
        self.url = server_url(host, self.port, tls=tls is not None)
        forks.in_child(self._after_fork_in_child)
        self._workers.start()

    def _gathered(self) -> tuple[ScopedGroups, dict[str, str]]:
        return self._workers.together() or super()._gathered()

    def _collect_snapshot(self) -> tuple[ScopedGroups, dict[str, str]]:
        return self._collect_all(), self._target

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Leave what was recorded for the other workers, if there are any."""
        self._workers.write()
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Stop serving and free the port; again is harmless."""
        self._workers.close()

    def _after_fork_in_child(self) -> None:
        self._restart_after_fork()
        self._workers.after_fork_in_child()


def create_reader(settings: PrometheusSettings, registry: SnapshotSource) -> PrometheusReader:
    """
    Start to serve ``/metrics`` and return the reader to give to a MeterProvider.

    Errors: ConfigurationError if address or TLS files cannot be used.
    """
    return PrometheusReader(settings, registry)


def credentials_of(settings: PrometheusSettings) -> Credentials:
    """Return what a scraper must show."""
    return Credentials(settings.prometheus_basic_auth or None, settings.prometheus_bearer_token or None)


def tls_context(settings: PrometheusSettings) -> ssl.SSLContext | None:
    """
    Return the TLS that the settings ask for, None if they ask for none.

    Errors: ConfigurationError if the files cannot be used.
    """
    certificate = settings.prometheus_tls_certificate
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    name = "prometheus_tls_certificate"
    try:
        context.load_cert_chain(certificate, settings.prometheus_tls_key or None)
        if settings.prometheus_tls_client_ca:
            name = "prometheus_tls_client_ca"
            context.load_verify_locations(settings.prometheus_tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "readable PEM files that belong together",
            f"{getattr(settings, name)} ({error})",
            _where(settings, name),
            f"Check {name} and the key that goes with it.",
        ) from error
    return context


def _where(settings: PrometheusSettings, name: str) -> str:
    source = getattr(settings, "source", None)
    return f"{name} ({source(name)})" if source is not None else name


def __getattr__(name: str) -> Any:
    if name == "OtelkitCollector":  # here alone prometheus_client is needed, and it takes long to import
        from otelkit.exporters.prometheus_collector import OtelkitCollector

        return OtelkitCollector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
