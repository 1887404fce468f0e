# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What the configuration switches off or changes before the first import; each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DECLARE = """
import json, otelkit
from otelkit.instruments.registry import default_registry

def plain(tier="gold"):
    otelkit.add_label("late", "x")
    return tier

class Plain:
    def act(self): return 1

def number_of(point):
    return point.value if hasattr(point, "value") else point.count

def found():
    return {
        metric.name: [
            [dict(point.attributes), number_of(point), len(getattr(point, "bounds", ()))] for point in points
        ]
        for metric, points in default_registry.snapshot()
    }
"""


def run(code: str, folder: Path, toml: str = "", **variables: str) -> Any:
    """Run ``code`` after `DECLARE` in ``folder`` with that otelkit.toml; return what it prints as JSON."""
    (folder / "otelkit.toml").write_text(toml, "utf-8")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **variables}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DECLARE + code],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [*json.loads(done.stdout), done.stderr]


@pytest.mark.parametrize(("toml", "variables"), [("enabled = false", {}), ("", {"OTEL_SDK_DISABLED": "true"})])
def test_off_gives_the_plain_function_back(tmp_path: Path, toml: str, variables: dict[str, str]) -> None:
    """The very same object, of every decorator; and add_label says nothing."""
    code = """
decorators = [
    otelkit.metered, otelkit.metered(name="a", labels=["tier"]), otelkit.traced, otelkit.observed,
    otelkit.observed(labels=["late"]), otelkit.job, otelkit.event_handler("e"), otelkit.action(name="b"),
]
same = [decorator(plain) is plain for decorator in decorators]
act = Plain.__dict__["act"]
same += [otelkit.service(Plain) is Plain, otelkit.publisher(Plain) is Plain, Plain.__dict__["act"] is act]
plain()
print(json.dumps([same, found()]))
"""
    same, found, log = run(code, tmp_path, toml, **variables)
    assert same == [True] * 11
    assert found == {}
    assert log == ""


def test_metrics_off_leaves_the_spans_and_traces_off_the_metrics(tmp_path: Path) -> None:
    """Each switch takes away its signal only."""
    code = """
metered, traced = otelkit.metered(name="m")(plain), otelkit.traced(plain)
observed = otelkit.observed(name="o", labels=["late"])(plain)
from otelkit import testing
with testing.capture() as telemetry:
    metered(); traced(); observed()
print(json.dumps([
    metered is plain, traced is plain,
    [[span.name, dict(span.attributes).get("late")] for span in telemetry.spans],
    found().get("o.calls"),
]))
"""
    assert run(code, tmp_path, "metrics_enabled = false") == [True, False, [["plain", None], ["o", "x"]], None, ""]
    metered, traced, spans, calls, _ = run(code, tmp_path, "traces_enabled = false")
    assert (metered, traced, spans) == (False, True, [])
    assert calls == [[{"late": "x"}, 1, 0]]


RULES = """
[metrics."shop.*"]
drop_labels = ["user"]
rename_labels = { tier = "plan" }

[metrics."hidden.calls"]
enabled = false

[metrics."hidden.duration"]
buckets = [1, 2, 3]

[metrics.small]
cardinality_limit = 2
"""


def test_rules_drop_rename_hide_and_limit(tmp_path: Path) -> None:
    """From the file, they hold for what is declared and bound when a module is imported."""
    code = """
shop = otelkit.counter("shop.orders", labels=["user", "tier"])
bound = shop.labels(user="a", tier="gold")
bound.increment()
shop.increment(2, user="b", tier="gold")
@otelkit.metered(name="shop.call", labels=["user", "tier"])
def call(user, tier): pass
call("a", "gold"); call("b", "gold"); call("c", 1)
hidden = otelkit.metered(name="hidden")(plain)
hidden()
small = otelkit.counter("small", labels=["a"])
for a in "abcde": small.increment(a=a)
print(json.dumps([found()]))
"""
    found, log = run(code, tmp_path, RULES)
    assert found["shop.orders"] == [[{"plan": "gold"}, 3, 0]]
    for part in ("calls", "active_calls", "duration"):
        values = {each[0]["plan"]: each[1] for each in found[f"shop.call.{part}"]}
        assert values == ({"gold": 0, "1": 0} if part == "active_calls" else {"gold": 2, "1": 1}), part
    assert "hidden.calls" not in found
    assert found["hidden.duration"] == [[{}, 1, 3]]
    assert found["hidden.active_calls"] == [[{}, 0, 0]]
    assert sorted(map(str, found["small"])) == [
        "[{'a': 'a'}, 1, 0]",
        "[{'a': 'b'}, 1, 0]",
        "[{'otel.metric.overflow': 'true'}, 3, 0]",
    ]
    assert "limit of 2 label sets" in log


def test_exponential_histograms_by_configuration(tmp_path: Path) -> None:
    """Durations and histograms without bounds of their own become exponential; others stay explicit."""
    code = """
otelkit.metered(name="call")(plain)()
otelkit.histogram("own", buckets=[1]).observe(1)
otelkit.histogram("none").observe(1)
print(json.dumps([{metric.name: metric.kind.value for metric, _ in default_registry.snapshot()}]))
"""
    kinds, _ = run(code, tmp_path, 'histogram = "exponential"')
    assert kinds["call.duration"] == kinds["none"] == "exponential_histogram"
    assert kinds["own"] == "histogram"


def test_configure_after_recording_loses_nothing(tmp_path: Path) -> None:
    """Counters keep their totals; histograms that hold data keep their buckets, with a warning."""
    code = """
counter = otelkit.counter("c", unit="s"); gauge = otelkit.gauge("g"); labelled = otelkit.counter("l", labels=["a"])
early, unused = otelkit.histogram("early"), otelkit.histogram("unused")
for _ in range(300): counter.increment(); gauge.set(5); labelled.increment(a="x"); early.observe(1)
default_registry.snapshot()
otelkit.configure(
    metrics_exporters=["none"], traces_exporters=["none"], machine=[], histogram="exponential",
    metrics={"l": {"drop_labels": ["a"]}},
)
labelled.increment(a="y"); early.observe(2); unused.observe(3); counter.increment()
kinds = {metric.name: metric.kind.value for metric, _ in default_registry.snapshot()}
print(json.dumps([found(), kinds]))
"""
    found, kinds, log = run(code, tmp_path)
    assert found["c"] == [[{}, 301, 0]]
    assert found["g"] == [[{}, 5.0, 0]]
    assert sorted(map(str, found["l"])) == ["[{'a': 'x'}, 300, 0]", "[{'a': 'y'}, 1, 0]"]
    assert found["early"][0][1] == 301
    assert (kinds["early"], kinds["unused"]) == ("histogram", "exponential_histogram")
    assert "Configuration of 'early' came after its first observation" in log
    assert "'c'" not in log
