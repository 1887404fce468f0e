# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every name of the metric vocabulary, one by one, as it stands on `/metrics`."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support.metrics import forget, fresh

import otelkit
from otelkit._core._guard import guard
from otelkit.exporters._exposition import render
from otelkit.instruments.registry import default_registry


@otelkit.metered
def function(fails: bool) -> None:
    """The family ``function``."""
    if fails:
        raise KeyError


@otelkit.metered(name="peer_discovery", prefix="vocabulary_", labels=["tier"])
def named(tier: str, fails: bool) -> None:
    """The family of a name of its own."""
    if fails:
        raise KeyError


@otelkit.service(name="vocabulary")
class Service:
    """The family ``service``."""

    def get(self, fails: bool) -> None:
        if fails:
            raise KeyError


@otelkit.service(name="gateway", prefix="api_gateway_")
class Gateway:
    """The same with a prefix."""

    def get(self) -> None: ...


@otelkit.event_handler("vocabulary.event")
def handler(event: dict[str, Any]) -> None:
    """The family ``event``."""
    if event.get("fails"):
        raise KeyError


@otelkit.publisher
class Publisher:
    """The publisher's part of it."""

    def publish(self, event: str, fails: bool = False) -> None:
        if fails:
            raise KeyError


@otelkit.job(name="vocabulary_job")
def job(fails: bool) -> None:
    """The family ``job``."""
    if fails:
        raise KeyError


@pytest.fixture(scope="module")
def samples() -> list[Any]:
    """Use everything once well and once badly, and read the page with prometheus_client's own strict parser."""
    for fails in (False, True):
        for call in (
            lambda fails=fails: function(fails),
            lambda fails=fails: named("gold", fails),
            lambda fails=fails: Service().get(fails),
            lambda: Gateway().get(),
            lambda fails=fails: handler({"timestamp": time.time(), "fails": fails}),
            lambda fails=fails: Publisher().publish("vocabulary.published", fails),
            lambda fails=fails: job(fails),
        ):
            try:
                call()
            except KeyError:
                assert fails
    name = fresh("vocabulary")
    otelkit.increment(name, -1)
    otelkit.gauge(f"{name}.broken", callback=lambda: 1 / 0)
    guard.exported("vocabulary", "success")
    limited = otelkit.counter(f"{name}.limited", labels=["a"])
    for value in range(2_001):
        limited.increment(a=value)
    default_registry.snapshot()
    forget(f"{name}.limited")
    page = render(default_registry.snapshot(), openmetrics=True).decode()
    return [sample for family in text_string_to_metric_families(page) for sample in family.samples]


FUNCTION = {"code_function_name": f"{__name__}.function"}
SERVICE = {"service": "vocabulary", "action": "get"}
EVENT = {"event": "vocabulary.event"}
PUBLISHED = {"event": "vocabulary.published"}
ERROR = {"error_type": "KeyError"}

VOCABULARY = [
    ("service_requests_total", SERVICE, 2),
    ("service_active_requests", SERVICE, 0),
    ("service_errors_total", {**SERVICE, **ERROR}, 1),
    ("service_response_time_seconds_count", SERVICE, 1),
    ("service_response_time_seconds_count", {**SERVICE, **ERROR}, 1),
    ("api_gateway_service_requests_total", {"service": "gateway", "action": "get"}, 2),
    ("api_gateway_service_response_time_seconds_count", {"service": "gateway", "action": "get"}, 2),
    ("function_calls_total", FUNCTION, 2),
    ("function_active_calls", FUNCTION, 0),
    ("function_errors_total", {**FUNCTION, **ERROR}, 1),
    ("function_duration_seconds_count", FUNCTION, 1),
    ("function_duration_seconds_count", {**FUNCTION, **ERROR}, 1),
    ("vocabulary_peer_discovery_calls_total", {"tier": "gold"}, 2),
    ("vocabulary_peer_discovery_active_calls", {"tier": "gold"}, 0),
    ("vocabulary_peer_discovery_errors_total", {"tier": "gold", **ERROR}, 1),
    ("vocabulary_peer_discovery_duration_seconds_count", {"tier": "gold"}, 1),
    ("event_received_total", EVENT, 2),
    ("event_active", EVENT, 0),
    ("event_failures_total", {**EVENT, **ERROR}, 1),
    ("event_processing_time_seconds_count", EVENT, 1),
    ("event_latency_seconds_count", EVENT, 2),
    ("event_published_total", PUBLISHED, 2),
    ("event_publishing", PUBLISHED, 0),
    ("event_publish_failures_total", {**PUBLISHED, **ERROR}, 1),
    ("event_publish_time_seconds_count", PUBLISHED, 1),
]


@pytest.mark.parametrize(("name", "labels", "value"), VOCABULARY, ids=[each[0] for each in VOCABULARY])
def test_each_name_of_the_vocabulary_is_on_the_page(
    samples: list[Any], name: str, labels: dict[str, str], value: float
) -> None:
    """With exactly its labels, and the value that was made."""
    found = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
    assert found == [value]


@pytest.mark.parametrize(
    ("name", "more", "value"),
    [
        ("job_runs_total", {}, 2),
        ("job_active", {}, 0),
        ("job_failures_total", ERROR, 1),
        ("job_duration_seconds_count", {}, 1),
        ("job_last_success_seconds", {}, None),
    ],
)
def test_each_name_of_jobs_is_on_the_page(
    samples: list[Any], name: str, more: dict[str, str], value: float | None
) -> None:
    """The label is the one that semconv names: Prometheus' own ``job`` would clash with it."""
    from otelkit import semconv

    labels = {semconv.JOB.replace(".", "_"): "vocabulary_job", **more}
    (found,) = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
    assert found == value if value is not None else found > 1e9


@pytest.mark.parametrize(
    "name", ["otelkit_dropped_total", "otelkit_overflowed_total", "otelkit_failures_total", "otelkit_exports_total"]
)
def test_each_name_of_its_own_health_is_on_the_page(samples: list[Any], name: str) -> None:
    """What otelkit drops, overflows, fails at and exports."""
    assert any(sample.name == name and sample.value >= 1 for sample in samples)


def test_no_name_says_total_twice_or_carries_its_unit_twice(samples: list[Any]) -> None:
    """The translation to Prometheus adds suffixes once."""
    for sample in samples:
        assert "total_total" not in sample.name
        assert "seconds_seconds" not in sample.name
