# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Which metrics make which rows: the families of calls, found by the names that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from otelkit import semconv

Source = Literal["service", "function", "named", "event", "publisher", "http", "rpc", "spans"]

SERVICE_NAME = "service.name"

HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
RPC_SERVICE = "rpc.service"
RPC_METHOD = "rpc.method"

FAILED_STATUS = 500


@dataclass(frozen=True, slots=True)
class Family:
    """
    Metrics that are about the same calls.

    Attributes:
        labels: What tells the calls apart.
        requests, errors, active: Names, or empty where there is none.
        duration: Name of the histogram, or empty.
        failing: Labels of the histogram that tell failed calls: with ``errors`` empty they are counted by them.
    """

    source: Source
    labels: tuple[str, ...]
    requests: str = ""
    errors: str = ""
    active: str = ""
    duration: str = ""
    failing: tuple[str, ...] = field(default=(semconv.ERROR_TYPE,))

    @property
    def names(self) -> tuple[str, ...]:
        """All of its metrics."""
        return tuple(name for name in (self.requests, self.errors, self.active, self.duration) if name)


_KNOWN: tuple[Family, ...] = (
    Family(
        "service",
        (semconv.SERVICE, semconv.ACTION),
        semconv.SERVICE_REQUESTS.name,
        semconv.SERVICE_ERRORS.name,
        semconv.SERVICE_ACTIVE_REQUESTS.name,
        semconv.SERVICE_RESPONSE_TIME.name,
    ),
    Family(
        "event",
        (SERVICE_NAME, semconv.EVENT),
        semconv.EVENT_RECEIVED.name,
        semconv.EVENT_FAILURES.name,
        semconv.EVENT_ACTIVE.name,
        semconv.EVENT_PROCESSING_TIME.name,
    ),
    Family(
        "publisher",
        (SERVICE_NAME, semconv.EVENT),
        semconv.EVENT_PUBLISHED.name,
        semconv.EVENT_PUBLISH_FAILURES.name,
        semconv.EVENT_PUBLISHING.name,
        semconv.EVENT_PUBLISH_TIME.name,
    ),
)
"""Families of otelkit, which may have a prefix."""

_CONVENTIONS: tuple[Family, ...] = (
    Family(
        "http",
        (SERVICE_NAME, HTTP_METHOD, HTTP_ROUTE),
        active="http.server.active_requests",
        duration="http.server.request.duration",
        failing=(semconv.ERROR_TYPE, HTTP_STATUS),
    ),
    Family("rpc", (SERVICE_NAME, RPC_SERVICE, RPC_METHOD), duration="rpc.server.call.duration"),
    Family("rpc", (SERVICE_NAME, RPC_SERVICE, RPC_METHOD), duration="rpc.server.duration"),
)
"""Of the semantic conventions, as plain OpenTelemetry SDKs and instrumentations send them."""


def find(names: Iterable[str]) -> list[Family]:
    """Return the families whose metrics are among ``names``."""
    there = set(names)
    found = [each for family in _KNOWN for each in _with_prefixes(family, there)]
    found += [_present(family, there) for family in _CONVENTIONS if family.duration in there]
    return found + _called(there)


def _with_prefixes(family: Family, there: set[str]) -> list[Family]:
    found = []
    for name in sorted(there):
        if name == family.requests or name.endswith(f".{family.requests}"):
            prefix = name.removesuffix(family.requests)
            found.append(_present(_renamed(family, lambda each, prefix=prefix: prefix + each), there))
    return found


def _called(there: set[str]) -> list[Family]:
    """Functions, and what was given a name of its own: the same four metrics behind any name."""
    found = []
    for name in sorted(there):
        stem = name.removesuffix(".calls")
        if stem == name or f"{stem}.duration" not in there:
            continue
        calls, active, errors, duration = (each.name for each in semconv.call_metrics(stem))
        function = stem == semconv.FUNCTION or stem.endswith(f".{semconv.FUNCTION}")
        labels = (semconv.CODE_FUNCTION_NAME,) if function else (SERVICE_NAME,)
        source: Source = "function" if function else "named"
        found.append(_present(Family(source, labels, calls, errors, active, duration), there))
    return found


def _present(family: Family, there: set[str]) -> Family:
    """Leave out the metrics that nobody sent: errors that never came, for one."""
    return _renamed(family, lambda name: name if name in there else "")


def _renamed(family: Family, rename: Callable[[str], str]) -> Family:
    return replace(
        family,
        requests=rename(family.requests),
        errors=rename(family.errors),
        active=rename(family.active),
        duration=rename(family.duration),
    )


def named_after(family: Family, key: tuple[str, ...]) -> tuple[str, str, str]:
    """Return service, action and how to write the action, from the values of ``family.labels``."""
    if family.source == "function":
        module, _, function = key[0].rpartition(".")
        return module or "functions", function, function
    if family.source == "named":
        stem = family.duration.removesuffix(".duration")
        return key[0] or "unknown", stem, stem
    service, *rest = key
    service = service or "unknown"
    if family.source == "event":
        return service, f"on {rest[0]}", f"on {rest[0]}"
    if family.source == "publisher":
        return service, f"publish {rest[0]}", f"publish {rest[0]}"
    action = "/".join(part for part in rest if part) if family.source == "rpc" else " ".join(p for p in rest if p)
    return service, action or "all", action or "all"
