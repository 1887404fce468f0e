# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Metrics for a Pushgateway: jobs that end before a scrape finds them.

Exemplars and ``_created`` do not travel this way: the Pushgateway reads text
0.0.4 only.
"""

from __future__ import annotations

import base64
import threading
import urllib.error
import urllib.request
import uuid
from typing import Any, Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME

from otelkit._core._fork import forks
from otelkit._core._guard import guard
from otelkit.exceptions import ConfigurationError
from otelkit.exporters._exposition import TEXT_CONTENT_TYPE
from otelkit.exporters._page_reader import PageReader, SnapshotSource

__all__ = ("PushgatewayReader", "PushgatewaySettings", "create_reader", "grouping_path")

REQUEST_TIMEOUT_S = 10.0
EXPORTER = "pushgateway"


class PushgatewaySettings(Protocol):
    """The settings that the reader looks at; `otelkit.config.Settings` has them."""

    @property
    def service_name(self) -> str | None: ...
    @property
    def pushgateway_url(self) -> str: ...
    @property
    def pushgateway_job(self) -> str | None: ...
    @property
    def export_interval_s(self) -> float: ...
    @property
    def prometheus_scope_labels(self) -> bool: ...


def grouping_path(labels: dict[str, str]) -> str:
    """
    Return ``/metrics/job/<job>/...`` for a grouping key; ``job`` must come first.

    A value with a slash, or an empty one, travels in URL-safe base64 (Pushgateway
    README, "URL").
    """
    parts = []
    for name, value in labels.items():
        if not value:
            parts.append(f"/{name}@base64/=")
        elif "/" in value:
            parts.append(f"/{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode()}")
        else:
            parts.append(f"/{name}/{quote(value, safe='')}")
    return f"/metrics{''.join(parts)}"


class PushgatewayReader(PageReader):
    """
    A reader that puts the page to a Pushgateway, periodically and at shutdown.

    The group is the job and one instance for each process, so that workers do
    not overwrite one another; a forked child pushes as an instance of its own.
    A group stays on the gateway when its process is gone: deleting it is the
    operator's decision, since the last state of a finished job is the point.

    Errors: ConfigurationError if the URL cannot be used. A push that fails is
        counted and logged, never raised.
    """

    exporter = EXPORTER

    def __init__(self, settings: PushgatewaySettings, source: SnapshotSource) -> None:
        resource = {SERVICE_NAME: settings.service_name} if settings.service_name else {}
        super().__init__(source, resource, scope_labels=settings.prometheus_scope_labels)
        self._url, self._authorization = _endpoint(settings)
        self._job = settings.pushgateway_job or settings.service_name or "otelkit"
        self._interval_s = settings.export_interval_s
        self._instance: str | None = None
        self._pushing = threading.Lock()
        self._stop = threading.Event()
        forks.in_child(self._after_fork_in_child)
        self._start()

    def push(self, timeout_s: float = REQUEST_TIMEOUT_S) -> bool:
        """
        Push now; return whether the gateway took it.

        Errors: raises none. A push that fails, or that waits out ``timeout_s``
            behind another, is counted as a failed export and logged.
        """
        with guard.shield(EXPORTER):
            try:
                self._push(timeout_s)
            except Exception:
                guard.exported(EXPORTER, "failure")
                raise
            guard.exported(EXPORTER, "success")
            return True
        return False

    def _push(self, timeout_s: float) -> None:
        if not self._pushing.acquire(timeout=max(timeout_s, 0.0)):
            raise TimeoutError(f"another push has not ended within {timeout_s:g} s")
        try:
            self._put(self.page(openmetrics=False), timeout_s)
        finally:
            self._pushing.release()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Push now."""
        return self.push(min(timeout_millis / 1_000, REQUEST_TIMEOUT_S))

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Push a last time and end; again is harmless."""
        if self._stop.is_set():
            return
        self._stop.set()
        self.push(min(timeout_millis / 1_000, REQUEST_TIMEOUT_S))

    def _put(self, page: bytes, timeout_s: float) -> None:
        if self._instance is None:
            self._instance = self._target.get(SERVICE_INSTANCE_ID) or str(uuid.uuid4())
        url = self._url + grouping_path({"job": self._job, "instance": self._instance})
        headers = {"Content-Type": TEXT_CONTENT_TYPE, "User-Agent": "otelkit"} | self._authorization
        request = urllib.request.Request(url, page, headers, method="PUT")  # noqa: S310 - checked in _endpoint
        try:
            with suppress_instrumentation():
                urllib.request.urlopen(request, timeout=timeout_s).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            with error:
                detail = error.read(200).decode("utf-8", "replace").strip()
            raise RuntimeError(f"{self._url} answered {error.code} {error.reason}: {detail}") from None

    def _start(self) -> None:
        threading.Thread(target=self._run, args=(self._stop,), name="otelkit-pushgateway", daemon=True).start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._interval_s):
            with guard.shield(EXPORTER):
                self.push()

    def _after_fork_in_child(self) -> None:
        self._restart_after_fork()
        self._pushing = threading.Lock()
        # The parent's id: the SDK makes a new one for this process, and hands it over with its data.
        self._target = {key: value for key, value in self._target.items() if key != SERVICE_INSTANCE_ID}
        self._instance = None
        if not self._stop.is_set():
            self._stop = threading.Event()
            self._start()


def create_reader(settings: PushgatewaySettings, registry: SnapshotSource) -> PushgatewayReader:
    """
    Start to push and return the reader to give to a MeterProvider.

    Errors: ConfigurationError if the URL cannot be used.
    """
    return PushgatewayReader(settings, registry)


def _endpoint(settings: PushgatewaySettings) -> tuple[str, dict[str, str]]:
    """Return the base URL without user info, and the header that the user info stands for."""
    source = getattr(settings, "source", None)
    where = f"pushgateway_url ({source('pushgateway_url')})" if source is not None else "pushgateway_url"
    parts = urlsplit(settings.pushgateway_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not _port_is_valid(parts):
        shown = settings.pushgateway_url.rpartition("@")[2]
        raise ConfigurationError("an http or https URL", shown, where, "Write it like http://localhost:9091.")
    base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    if parts.username is None:
        return base, {}
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return base, {"Authorization": f"Basic {base64.b64encode(secret).decode()}"}


def _port_is_valid(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
