# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Decorated functions, cells and instruments through pickle and cloudpickle, into spawned workers too."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from typing import Any

import cloudpickle
import pytest
from support.metrics import fresh, total

import otelkit
from otelkit.instruments.registry import default_registry

SHOP = otelkit.counter("test.pickle.shop", labels=["source"])


@otelkit.metered(name="test.pickle.module")
def of_module(value: int) -> int:
    """Decorated at the top of a module: pickled by its name."""
    return value + 1


@pytest.mark.parametrize("library", [pickle, cloudpickle])
def test_cells_and_instruments_come_back_as_themselves(library: Any) -> None:
    """By definition, never by content: a detached copy would record to nobody."""
    for instrument in (
        otelkit.histogram(fresh("p"), buckets=[1]),
        otelkit.gauge(fresh("p")),
        otelkit.summary(fresh("p"), quantiles=[0.5]),
        otelkit.timer(fresh("p"), labels=["a"]),
        SHOP,
    ):
        assert library.loads(library.dumps(instrument)) is instrument
        assert copy.deepcopy(instrument) is instrument
    cell = SHOP.labels(source="web")
    assert library.loads(library.dumps(cell)) is cell
    (family,) = [family for family in default_registry.families() if family.name == "test.pickle.shop"]
    assert library.loads(library.dumps(family)) is family


@pytest.mark.parametrize("decorator", [otelkit.metered, otelkit.observed])
def test_a_function_that_is_pickled_by_value_records_to_the_same_cells(decorator: Any) -> None:
    """Its closure holds cells and families, nothing that would be copied."""
    name = fresh("pickle")

    @decorator(name=name, labels=["kind"], record_error_if=lambda result: result < 0)
    def call(kind: str) -> int:
        return 1

    back = cloudpickle.loads(cloudpickle.dumps(call))
    assert back is not call
    call("a")
    assert back("a") == 1
    assert total(f"{name}.calls", {"kind": "a"}) == 2
    assert total(f"{name}.active_calls") == 0


WORKER = """
import json, pickle, sys
payload = pickle.load(sys.stdin.buffer)
results = [payload["call"](1), payload["labelled"]("x")]
payload["cell"].increment(4)
payload["instrument"].increment(1, source="web")
import otelkit
from otelkit.instruments.registry import default_registry
found = {
    metric.name: [[dict(point.attributes), getattr(point, "value", getattr(point, "count", None))] for point in points]
    for metric, points in default_registry.snapshot()
}
print(json.dumps([results, found, sorted(metric.name for metric in default_registry)]))
"""


def test_a_spawned_worker_records_into_its_own_registry() -> None:
    """All four metrics arrive there, active calls too, and nothing in the parent."""
    name = fresh("spawn")

    def plain(value: int) -> int:
        return value + 1

    def labelled(kind: str) -> str:
        otelkit.add_label("late", kind * 2)
        return kind

    payload = {
        "call": otelkit.metered(name=name)(plain),
        "labelled": otelkit.observed(name=f"{name}.labelled", labels=["kind", "late"])(labelled),
        "cell": SHOP.labels(source="worker"),
        "instrument": SHOP,
    }
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        data = cloudpickle.dumps(payload)
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=data, capture_output=True, check=True, env=environment, timeout=60
    )
    results, found, declared = json.loads(done.stdout)
    assert results == [2, "x"]
    assert found[f"{name}.calls"] == [[{}, 1]]
    assert found[f"{name}.active_calls"] == [[{}, 0]]
    assert found[f"{name}.duration"] == [[{}, 1]]
    labels = {"kind": "x", "late": "xx"}
    assert found[f"{name}.labelled.calls"] == [[labels, 1]]
    assert found[f"{name}.labelled.active_calls"] == [[{"kind": "x"}, 0]]
    assert sorted(found["test.pickle.shop"], key=str) == sorted(
        [[{"source": "worker"}, 4], [{"source": "web"}, 1]], key=str
    )
    assert {f"{name}.calls", "test.pickle.shop"} <= set(declared)
    assert total(f"{name}.calls") == 0


def test_a_decorated_function_of_a_module_travels_by_name() -> None:
    """A function of a module travels by name, as undecorated ones do."""
    assert pickle.loads(pickle.dumps(of_module)) is of_module
    assert of_module(1) == 2
