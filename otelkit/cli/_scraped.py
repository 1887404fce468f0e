# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A page of metrics, asked of a running program and read."""

from __future__ import annotations

import http.client
from base64 import b64encode
from http import HTTPStatus
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from otelkit._core._snapshot import Kind, Metric
from otelkit.cli._wire import tls_context
from otelkit.config import Settings
from otelkit.exporters._prometheus_names import label_name, metric_name

__all__ = ("Sample", "Scraped", "scrape")

TIMEOUT_S = 3.0
MOST_BYTES = 200_000_000


class Sample(NamedTuple):
    """One line of the page."""

    name: str
    labels: dict[str, str]
    value: float


class Scraped:
    """
    What was on a page.

    Args:
        text: The page, in Prometheus' text format.

    Raises:
        ValueError: It is no such text.
    """

    def __init__(self, text: str) -> None:
        from prometheus_client.parser import text_string_to_metric_families

        self.families = list(text_string_to_metric_families(text))

    def samples(self, metric: Metric) -> list[Sample]:
        """Return the samples of a counter or gauge."""
        wanted = metric_name(metric)
        return [
            Sample(sample.name, sample.labels, sample.value)
            for family in self.families
            for sample in family.samples
            if sample.name == wanted
        ]

    def total(self, metric: Metric) -> float:
        """Return the sum over all samples of a counter or gauge."""
        return sum(sample.value for sample in self.samples(metric))

    def calls(self) -> float:
        """Return how many calls, requests, events and runs the decorators have counted."""
        return sum(
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name.endswith(_CALLS) and sample.labels.get("otel_scope_name", "otelkit") == "otelkit"
        )

    def values(self, otel_name: str, label: str) -> set[str]:
        """Return the different values of a label, of the metric with this OpenTelemetry name."""
        stem, label = metric_name(Metric(otel_name, Kind.GAUGE, "", "")), label_name(label)
        return {
            sample.labels[label]
            for family in self.families
            if family.name == stem or family.name.startswith(f"{stem}_")
            for sample in family.samples
            if label in sample.labels
        }


_CALLS = ("_calls_total", "service_requests_total", "event_received_total", "event_published_total", "job_runs_total")


def scrape(url: str, settings: Settings | None) -> Scraped:
    """
    Ask for the page at ``url``.

    The user and password in the URL are sent, else, to this machine and to the configured host only, the configured
    credentials.

    Raises:
        OSError, http.client.HTTPException: Nothing answers, or not properly.
        ValueError: What answers is no page of metrics, or the URL is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a URL such as http://localhost:9464/metrics")
    host, local = parts.hostname, _is_local(parts.hostname)
    if parts.scheme == "https":
        context = tls_context(verify=not local)
        connection = http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_S)
    path = (parts.path or "/metrics") + (f"?{parts.query}" if parts.query else "")
    headers = {"Accept": "text/plain;version=0.0.4"}
    if parts.username is not None:
        headers["Authorization"] = _basic(f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    elif settings is not None and (local or host == settings.prometheus_host):
        if settings.prometheus_bearer_token:
            headers["Authorization"] = f"Bearer {settings.prometheus_bearer_token}"
        elif settings.prometheus_basic_auth:
            headers["Authorization"] = _basic(settings.prometheus_basic_auth)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise http.client.HTTPException(f"it answers {answer.status} {answer.reason}")
        return Scraped(answer.read(MOST_BYTES).decode("utf-8"))
    finally:
        connection.close()


def _basic(user_and_password: str) -> str:
    return f"Basic {b64encode(user_and_password.encode()).decode()}"


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
