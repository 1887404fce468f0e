# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Every expression of every dashboard and rule, executed on a Prometheus that has what programs send to it."""

from __future__ import annotations

import math
import urllib.error
from collections.abc import Iterator

import pytest
from support.stack_queries import Prometheus, ask, wait_for
from support.whole_vocabulary import whole_vocabulary

from otelkit.rules.expressions import Expression, expressions

pytestmark = pytest.mark.stack

WINDOW = "5m"
DEMO_S = 5

MAY_BE_EMPTY = {
    "Inference / Inside a step / Sessions": "magika's ONNX Runtime is not instrumented here",
    "System Overview / Machine, as each instance sees it / Disks": "this container may have no block device",
    "System Overview / Machine, as each instance sees it / Filesystems": "this container may have no filesystem",
    "System Overview / Machine, in detail / Disks busy": "this container may have no block device",
    "System Overview / Machine, in detail / Disk operations": "this container may have no block device",
    "System Overview / Machine, in detail / Time of disk operations": "this container may have no block device",
    "System Overview / Machine, in detail / Swap": "the kernel may not tell",
    "System Overview / Machine, in detail / CPU frequency": "virtual machines hide it",
    "System Overview / Processes / Disk": "/proc/PID/io may be closed",
}
"""What this run cannot be sure to show, and why. All others have values here, GPUs included."""

ALL = list(expressions(WINDOW))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus alone, with the committed rules; the demo, the whole vocabulary and GPUs send to it."""
    with whole_vocabulary(tmp_path_factory.mktemp("expressions"), DEMO_S) as url:
        yield Prometheus(url)


def values(prometheus: Prometheus, expression: Expression) -> list[float]:
    """Execute it; a share of nothing is no value."""
    try:
        found = prometheus.query(expression.text)
    except urllib.error.HTTPError as error:
        pytest.fail(f"{expression.where}: {expression.text}\n{error.read().decode()}")
    numbers = [float(each["value"][1]) for each in found]
    return [number for number in numbers if not math.isnan(number)]


def test_none_errs_and_none_is_empty_but_those_listed(prometheus: Prometheus) -> None:
    """Panels, choices and recording rules; rates need a second export, rules a second evaluation."""
    expected = [each for each in ALL if each.kind != "alert" and each.where not in MAY_BE_EMPTY]
    missing = expected

    def all_there() -> bool:
        nonlocal missing
        missing = [each for each in missing if not values(prometheus, each)]
        return not missing

    wait_for(all_there, said=lambda: "\n".join(f"{each.where}: {each.text}" for each in missing))
    for each in ALL:
        values(prometheus, each)


def test_what_may_be_empty_is_said_to_be(prometheus: Prometheus) -> None:
    """The dashboards give a reason for each of the list, and the list names nothing that is not there."""
    reasons = {each.where: each.may_be_empty for each in ALL}
    assert set(MAY_BE_EMPTY) <= set(reasons)
    assert all(reasons[where] for where in MAY_BE_EMPTY)


def test_prometheus_finds_nothing_wrong_with_the_rules(prometheus: Prometheus) -> None:
    """Every committed rule is evaluated without an error."""

    def rules() -> list[dict[str, str]]:
        groups = ask(f"{prometheus._url}/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    wait_for(lambda: rules() and all(rule["health"] != "unknown" for rule in rules()), said=rules)
    names = [rule["name"] for rule in rules()]
    assert sorted(names) == sorted(each.where for each in ALL if each.kind in ("recording", "alert"))
    assert [rule for rule in rules() if rule["health"] != "ok"] == []


def test_the_latency_panels_have_exemplars(prometheus: Prometheus) -> None:
    """Which Grafana draws as points, with the ids of traces."""
    for where in ("Services / Requests, errors, durations / Response time", "Inference / Steps / Duration"):
        (drawn,) = [each for each in ALL if each.where == where and each.exemplars]
        found = wait_for(lambda text=drawn.text: prometheus.exemplars(text))
        assert all(len(each.trace) == 32 for each in found)


def test_gpus_are_told_apart(prometheus: Prometheus) -> None:
    """Three devices and two instances of one of them, each once, by what identifies it."""

    def devices(where: str) -> list[str]:
        (expression,) = [each for each in ALL if each.where == where]
        return sorted(each["metric"]["hw_id"] for each in prometheus.query(expression.text))

    chosen = wait_for(lambda: devices("GPU Performance / GPU"))
    assert [each.partition("-")[0] for each in chosen] == ["GPU"] * 3 + ["MIG"] * 2
    assert devices("GPU Performance / Work / Memory in use") == chosen


def test_a_heatmap_has_one_row_for_a_bucket(prometheus: Prometheus) -> None:
    """Prometheus writes a bound in two ways, by the road that it came; the program of the test comes by both."""
    (drawn,) = [each for each in ALL if each.where == "Inference / Steps / How durations spread"]

    def bounds(text: str) -> set[str]:
        return {each["metric"]["le"] for each in prometheus.query(text)}

    wait_for(lambda: {"5", "5.0"} <= bounds("group by (le) (increase(inference_duration_seconds_bucket[1m]))"))
    assert "5" in bounds(drawn.text)
    assert "5.0" not in bounds(drawn.text)


def test_alerts_see_what_is_wrong(prometheus: Prometheus) -> None:
    """A quarter of the requests of the test's program fails, and otelkit drops what it is given wrongly."""

    def seen() -> set[str]:
        return {each["labels"]["alertname"] for each in ask(f"{prometheus._url}/api/v1/alerts")["data"]["alerts"]}

    wait_for(lambda: {"HighErrorRate", "TelemetryDropped"} <= seen(), said=seen)
    assert "HighGPUTemperature" not in seen()
