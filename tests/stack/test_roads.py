# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Three roads lead to Prometheus: its scrape of /metrics, a Collector, its own OTLP endpoint. A dashboard fits them all.

``job`` and ``instance`` are the scrape's on the first, service.name and service.instance.id on the others.
``_created`` is what OpenMetrics has beside each counter and histogram; OTLP has it inside them. Prometheus spells
bounds ``le="1.0"`` when it scrapes and ``le="1"`` when it is sent them; its functions take both for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stack.ports import Ports
from stack.stack import Stack
from support.prometheus_pages import Series
from support.stack_queries import Prometheus, wait_for
from support.talking_program import TalkingProgram

pytestmark = pytest.mark.stack

PROGRAM = Path(__file__).with_name("programs") / "roads.py"
OF_THE_SCRAPE = ("up", "scrape_")
MOVING = ("otelkit_", "system_", "process_", "cpython_", "hw_", "target_info", "otel_")
JOBS = {"scrape": "programs", "collector": "by-collector", "otlp": "by-otlp"}

Roads = dict[str, dict[Series, float]]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """The same program three times, and a Prometheus that has had it from each."""
    folder, ports = tmp_path_factory.mktemp("roads"), Ports(free=True)
    page = ports.address(9464)
    with Stack(folder, ports, scrape_s=1, programs=[page]) as stack:
        collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.entry.url("otlp_http")}
        scraped = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1"}
        scraped["OTEL_EXPORTER_PROMETHEUS_PORT"] = page.rpartition(":")[2]
        direct = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": stack.prometheus.url("web", "/api/v1/otlp/v1/metrics")}
        with (
            TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="by-scrape", **collector, **scraped),
            TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="by-collector", **collector) as first,
            TalkingProgram(PROGRAM, folder, OTEL_SERVICE_NAME="by-otlp", **collector, **direct) as second,
        ):
            assert (first.say("flush"), second.say("flush")) == ("True", "True")
            yield Prometheus(stack.prometheus.url("web"))


def roads(prometheus: Prometheus) -> Roads:
    """Return what came by each road, without what moves or is a scrape's own."""
    return {
        road: {
            with_bound_as_number(series): value
            for series, value in prometheus.samples(f'{{job="{job}"}}', "job", "instance").items()
            if not series.name.startswith((*OF_THE_SCRAPE, *MOVING, "traces_")) and not series.name.endswith("_created")
        }
        for road, job in JOBS.items()
    }


def with_bound_as_number(series: Series) -> Series:
    """Return the series with its bucket's bound spelled in one way."""
    labels = dict(series.labels)
    return Series(series.name, frozenset((labels | {"le": repr(float(labels.get("le", "nan")))}).items()))


def test_series_are_the_same(prometheus: Prometheus) -> None:
    """Name for name and label for label, scope included; and there are many."""

    def differences() -> dict[str, set[Series]]:
        found = roads(prometheus)
        every = set().union(*found.values())
        return {road: every - set(series) for road, series in found.items()}

    wait_for(lambda: len(roads(prometheus)["scrape"]) > 150)
    wait_for(lambda: not any(differences().values()), said=differences)


def test_counts_are_the_same(prometheus: Prometheus) -> None:
    """Counters, and how often histograms were recorded to: only times differ from run to run."""

    def counts() -> list[dict[Series, float]]:
        return [
            {series: value for series, value in found.items() if series.name.endswith(("_total", "_count"))}
            for found in roads(prometheus).values()
        ]

    wait_for(lambda: len(counts()[0]) > 15)
    wait_for(lambda: counts()[0] == counts()[1] == counts()[2], said=counts)
    orders = {dict(series.labels)["tier"]: value for series, value in counts()[0].items() if "orders" in series.name}
    assert orders == {"gold": 3, "free": 1}


def test_names_of_the_machine_are_the_same(prometheus: Prometheus) -> None:
    """Host, process and runtime."""

    def names(job: str) -> set[str]:
        found = prometheus.names(f'{{job="{job}"}}')
        machine = {name for name in found if name.startswith(("system_", "process_", "cpython_"))}
        return {name for name in machine if not name.endswith("_created")}

    wait_for(lambda: len(names("programs")) > 20)
    wait_for(
        lambda: names("programs") == names("by-collector") == names("by-otlp"),
        said=lambda: list(map(names, JOBS.values())),
    )


def test_exemplars_come_by_each_road(prometheus: Prometheus) -> None:
    """Each has those of a function that made spans."""
    for job in JOBS.values():
        selector = f'function_duration_seconds_bucket{{job="{job}"}}'
        wait_for(lambda selector=selector: prometheus.exemplars(selector), said=lambda job=job: job)
