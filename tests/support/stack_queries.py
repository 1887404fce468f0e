# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Ask Jaeger and Prometheus over their APIs, as Grafana does."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from support.prometheus_pages import Series

T = TypeVar("T")

TIMEOUT_S = 90.0
"""Of what takes a second on a machine that has nothing else to do."""


def wait_for(what: Callable[[], T], *, said: Callable[[], object] | None = None) -> T:
    """Ask until the answer is true, and return it; fails with what ``said`` returns."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (answer := what()):
        assert time.monotonic() < deadline, said() if said else answer
        time.sleep(0.1)
    return answer


def ask(url: str, **parameters: object) -> Any:
    """Return the JSON that a URL answers."""
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}?{query}" if query else url, timeout=30) as answer:
        return json.load(answer)


class Span(NamedTuple):
    """A span as Jaeger knows it; ``parent`` is empty for a root."""

    trace: str
    id: str
    parent: str
    name: str
    service: str
    error: bool


class Jaeger:
    """
    Jaeger's query API.

    Args:
        url: ``http://host:port``.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def services(self) -> set[str]:
        """Return the names of all services it has spans of."""
        return set(ask(f"{self._url}/api/services")["data"] or ())

    def traces(self, service: str) -> dict[str, list[Span]]:
        """Return every trace that has a span of ``service``, by id; a span that was delivered twice is there once."""
        found = ask(f"{self._url}/api/traces", service=service, limit=20_000, lookback="2d")["data"]
        return {trace["traceID"]: _spans(trace) for trace in found}

    def knows(self, trace: str) -> bool:
        """Say whether it has a trace."""
        try:
            return bool(ask(f"{self._url}/api/traces/{trace}")["data"])
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return False


def _spans(trace: dict[str, Any]) -> list[Span]:
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    spans = {}
    for span in trace["spans"]:
        parents = [each["spanID"] for each in span["references"] if each["refType"] == "CHILD_OF"]
        failed = any(tag["key"] == "error" and tag["value"] is True for tag in span["tags"])
        spans[span["spanID"]] = Span(
            span["traceID"],
            span["spanID"],
            parents[0] if parents else "",
            span["operationName"],
            services[span["processID"]],
            failed,
        )
    return list(spans.values())


class Exemplar(NamedTuple):
    """An exemplar, and the sample's name it stands at."""

    metric: str
    trace: str
    value: float


class Prometheus:
    """
    Prometheus' query API.

    Args:
        url: ``http://host:port``.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query, now."""
        return ask(f"{self._url}/api/v1/query", query=expression)["data"]["result"]

    def total(self, expression: str) -> float:
        """Return the sum over the result."""
        return sum(float(each["value"][1]) for each in self.query(expression))

    def samples(self, selector: str, *without: str) -> dict[Series, float]:
        """Return the samples of a selector now, without some of their labels."""
        return {_series(each["metric"], without): float(each["value"][1]) for each in self.query(selector)}

    def names(self, selector: str) -> set[str]:
        """Return the names of all metrics that a selector ever found."""
        return set(ask(f"{self._url}/api/v1/label/__name__/values", **{"match[]": selector})["data"])

    def exemplars(self, selector: str) -> list[Exemplar]:
        """Return the exemplars of the last hour."""
        now = time.time()
        found = ask(f"{self._url}/api/v1/query_exemplars", query=selector, start=now - 3600, end=now + 60)["data"]
        return [
            Exemplar(series["seriesLabels"]["__name__"], each["labels"]["trace_id"], float(each["value"]))
            for series in found
            for each in series["exemplars"]
        ]


def _series(metric: dict[str, str], without: tuple[str, ...]) -> Series:
    labels = {key: value for key, value in metric.items() if key != "__name__" and key not in without}
    return Series(metric["__name__"], frozenset(labels.items()))
