# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs without otelkit: the semantic conventions' metrics, traces alone, other kinds of points."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from support.viewer import SECOND_NS, Viewer, histogram, metrics, number, set_attributes, span, traces

STEP_S = 5


class Asked:
    """A viewer that is sent reports of the past, and asked for pages."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.end_ns = time.time_ns()

    def at(self, ago_s: float) -> int:
        """Return the time of so many seconds ago."""
        return self.end_ns - int(ago_s * SECOND_NS)

    def send(self, *given: Metric, name: str = "legacy") -> None:
        """Send metrics."""
        resource = {"service.name": name, "service.instance.id": f"{name}-1", "telemetry.sdk.language": "java"}
        assert self.viewer.post("/v1/metrics", metrics(*given, resource=resource)).status == 200

    def json(self, path: str) -> Any:
        """Ask for a page."""
        token = self.viewer.dashboard.access.token
        answer = self.viewer.get(f"/api/v1/{path}", {"Authorization": f"Bearer {token}"})
        assert answer.status == 200, answer.body
        return json.loads(answer.body)


@pytest.fixture
def asked(viewer: Viewer) -> Asked:
    """Nothing was sent yet."""
    return Asked(viewer)


def test_nothing_yet_says_so(asked: Asked) -> None:
    """On every page, without an error."""
    assert asked.json("overview")["headline"]["text"] == "Nothing yet"
    assert asked.json("frame")["empty"]
    assert asked.json("status")["empty"]
    for path, field in (("services", "services"), ("traces", "rows"), ("inference", "models"), ("batch", "jobs")):
        assert asked.json(path)[field] == []
    assert asked.json("hosts")["headline"]["state"] == "empty"
    assert asked.json("metrics")["total"] == 0


def test_http_servers_are_services(asked: Asked) -> None:
    """Method and route are the action; what answered 500 failed."""
    base = {"http.request.method": "GET", "http.route": "/orders"}
    for step in range(1, 13):
        times = {"time_ns": asked.at(60 - step * STEP_S), "start_ns": asked.at(60)}
        asked.send(
            histogram(
                "http.server.request.duration",
                (0.1, 1.0),
                [9 * step, 0, 0],
                {**base, "http.response.status_code": 200},
                **times,
            ),
            histogram(
                "http.server.request.duration",
                (0.1, 1.0),
                [0, step, 0],
                {**base, "http.response.status_code": 500},
                **times,
            ),
        )
    (row,) = asked.json("services")["services"]
    assert (row["name"], row["source"], row["calls"], row["error_share"]) == ("legacy", "http", 120, 0.1)
    page = asked.json("services/legacy?failures=true")
    assert page["chosen"]["label"] == "GET /orders"
    assert page["chosen"]["error_types"] == [{"type": "500", "count": 12}]
    assert sum(sum(column) for column in page["chosen"]["heatmap"]["counts"] if column) == 12


def test_a_program_with_traces_alone_is_a_service(asked: Asked) -> None:
    """Its root spans are its requests."""
    roots = [span("GET /", start_ns=asked.at(each + 1), duration_ns=50_000_000, failed=each == 0) for each in range(20)]
    assert asked.viewer.post("/v1/traces", traces(*roots, resource={"service.name": "edge"})).status == 200
    (row,) = asked.json("services?from=-5m")["services"]
    assert (row["name"], row["source"], row["calls"]) == ("edge", "spans", 20)
    assert row["error_share"] == 0.05
    assert row["p50"]["value"] == pytest.approx(0.05)
    assert asked.json("services/edge")["headline"]["text"].startswith("Traces only")


def test_deltas_count_like_totals(asked: Asked) -> None:
    """What each report says was since the one before."""
    for step in range(1, 13):
        times = {"time_ns": asked.at(60 - step * STEP_S), "start_ns": asked.at(60 - (step - 1) * STEP_S)}
        asked.send(number("signups", 10, {"source": "web"}, temporality=1, **times))
    page = asked.json("metrics/signups?view=increase&from=-5m")
    assert page["temporality"] == "delta"
    assert sum(each or 0 for each in page["lines"][0]["values"]) == pytest.approx(120)


def test_exponential_histograms_are_heatmaps(asked: Asked) -> None:
    """Brought to fixed bounds; the median lies where it was."""
    for step in range(1, 13):
        metric = Metric(name="wait", unit="s")
        metric.exponential_histogram.aggregation_temporality = 2
        point = metric.exponential_histogram.data_points.add(
            time_unix_nano=asked.at(60 - step * STEP_S), start_time_unix_nano=asked.at(60)
        )
        point.count, point.sum, point.scale = 10 * step, 15.0 * step, 3
        point.positive.offset = 0  # bucket 4 is (2 ** (4 / 8), 2 ** (5 / 8)]
        point.positive.bucket_counts.extend([0, 0, 0, 0, 10 * step])
        set_attributes(point.attributes, {"queue": "a"})
        asked.send(metric)
    page = asked.json("metrics/wait?from=-5m")
    assert page["kind"] == "exponential_histogram"
    assert sum(sum(column) for column in page["heatmap"]["counts"] if column) == 120
    assert 2**0.5 <= page["quantiles"]["p50"]["value"] <= 2**0.75
    assert not page["quantiles"]["p50"]["approximate"]


def test_a_restart_is_no_negative_rate(asked: Asked) -> None:
    """The counter begins anew."""
    for step in range(1, 13):
        value = 100 * step if step < 7 else 100 * (step - 6)
        start = asked.at(60) if step < 7 else asked.at(60 - 6 * STEP_S)
        asked.send(number("orders", value, time_ns=asked.at(60 - step * STEP_S), start_ns=start))
    (line,) = asked.json("metrics/orders?from=-5m&step=5")["lines"]
    known = [each for each in line["values"] if each is not None]
    assert all(each == pytest.approx(20, rel=0.01) for each in known)
    assert len(known) >= 11


def test_names_are_text_wherever_they_stand(asked: Asked) -> None:
    """Slashes, line feeds, markup: names of anybody may be asked for."""
    name = "a/b\n<script>*bold*</script>"
    asked.send(
        number("service.requests", 5, {"service": name, "action": "x"}, time_ns=asked.at(1), start_ns=asked.at(6))
    )
    (row,) = asked.json("services")["services"]
    assert row["name"] == name
    assert asked.json("services/a%2Fb%0A%3Cscript%3E*bold*%3C%2Fscript%3E")["name"] == name


def test_what_a_machine_did_since_it_was_started_is_no_rate(asked: Asked) -> None:
    """A counter of the system's is not taken to have been zero when its meter began, one of a program's is."""
    for step in range(12):
        times = {"time_ns": asked.at(60 - step * STEP_S), "start_ns": asked.at(62)}
        asked.send(
            number("system.disk.io", 2**40 + 1_000 * STEP_S * step, {"disk.io.direction": "read"}, **times),
            number("orders", 20 + 10 * STEP_S * step, **times),
        )
    for name, expected in (("system.disk.io", {1_000}), ("orders", {10})):
        (line,) = asked.json(f"metrics/{name}?from=-2m&view=rate")["lines"]
        assert {round(rate) for rate in line["values"] if rate is not None} == expected, name
