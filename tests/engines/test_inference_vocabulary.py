# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""One vocabulary for all that runs models: the same assertions on each of them, with a real model."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from engines.adapters.adapter import Adapter
from opentelemetry import trace

import otelkit
from otelkit.testing import Telemetry, capture, strict

pytestmark = pytest.mark.engines

ADAPTERS = [
    "sklearn.SklearnAdapter",
    "onnxruntime.OnnxRuntimeAdapter",
    "torch.TorchAdapter",
    "transformers.GenerateAdapter",
    "transformers.PipelineAdapter",
]
"""Module and class, in engines/adapters."""


def _adapter_class(name: str) -> type[Adapter]:
    module, _, cls = name.partition(".")
    return getattr(importlib.import_module(f"engines.adapters.{module}"), cls)


@pytest.fixture(params=ADAPTERS, ids=lambda name: name.partition(".")[2])
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    """An engine, instrumented before its model is made; failures inside otelkit fail the test."""
    cls = _adapter_class(request.param)
    with strict():
        assert otelkit.instrument(cls.name) == (cls.name,)
        try:
            yield cls()
        finally:
            otelkit.uninstrument(cls.name)


@pytest.fixture
def telemetry(adapter: Adapter) -> Iterator[Telemetry]:
    """What is recorded after the adapter's model was made."""
    with capture() as captured:
        yield captured


def _labels(adapter: Adapter) -> dict[str, str]:
    return {
        "inference.engine": adapter.engine,
        "inference.model": adapter.model,
        "inference.operation": adapter.operation,
    }


def _requests(telemetry: Telemetry) -> float:
    return telemetry.value("inference.requests")


def _sum(telemetry: Telemetry, name: str, labels: dict[str, str]) -> float:
    return sum(point.sum for point in telemetry.points(name, labels))  # type: ignore[union-attr]


def test_calls_items_and_durations_are_counted(adapter: Adapter, telemetry: Telemetry) -> None:
    """Each call is one request and one duration; its items are those that it got."""
    for rows in (1, 2, 7):
        adapter.call(rows)
    labels = _labels(adapter)
    assert telemetry.value("inference.requests", labels) == _requests(telemetry) == 3
    assert telemetry.value("inference.duration", labels) == 3
    assert telemetry.value("inference.batch_size", labels) == 3
    assert telemetry.value("inference.items", labels) == _sum(telemetry, "inference.batch_size", labels) == 10
    assert telemetry.value("inference.active_requests", labels) == 0
    assert telemetry.value("inference.errors", labels) == 0
    assert _sum(telemetry, "inference.duration", labels) > 0


def test_an_error_is_counted_by_type_and_passes_untouched(adapter: Adapter, telemetry: Telemetry) -> None:
    """The program sees the library's own exception; a failed call has a duration, and no items."""
    with pytest.raises(Exception, match=r".+") as caught:
        adapter.fail()
    kind = caught.type if caught.type.__module__ == "builtins" else None
    error_type = caught.type.__qualname__ if kind else f"{caught.type.__module__}.{caught.type.__qualname__}"
    failed = {**_labels(adapter), "error.type": error_type}
    assert _requests(telemetry) == 1
    assert telemetry.value("inference.errors", failed) == telemetry.value("inference.errors") == 1
    assert telemetry.value("inference.duration", failed) == 1
    assert telemetry.value("inference.items") == 0
    assert telemetry.value("inference.active_requests") == 0


def test_nested_calls_are_recorded_once(adapter: Adapter, telemetry: Telemetry) -> None:
    """What an outermost call calls belongs to it."""
    labels = {"inference.engine": adapter.engine, **adapter.nested(60)}
    assert telemetry.value("inference.requests", labels) == 1
    assert _requests(telemetry) == 1


def test_a_step_by_hand_is_the_only_record(adapter: Adapter, telemetry: Telemetry) -> None:
    """The program's own step stands for what engines do inside it."""
    with otelkit.inference("by-hand", batch_size=5):
        adapter.call(5)
    assert telemetry.value("inference.requests", {"inference.model": "by-hand"}) == 1
    assert _requests(telemetry) == 1


def test_threads_each_have_their_own_outermost_calls(adapter: Adapter, telemetry: Telemetry) -> None:
    """A call under way in one thread hides none of another's."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(adapter.call, [2] * 100))
    assert telemetry.value("inference.requests", _labels(adapter)) == _requests(telemetry) == 100
    assert telemetry.value("inference.items", _labels(adapter)) == 200


def test_tasks_each_have_their_own_outermost_calls(adapter: Adapter, telemetry: Telemetry) -> None:
    """Of tasks that take turns, one that records by hand hides only its own calls."""

    async def by_hand(both: asyncio.Barrier) -> None:
        async with otelkit.inference("task"):
            await both.wait()
            adapter.call(1)
            await both.wait()

    async def plain(both: asyncio.Barrier) -> None:
        await both.wait()
        adapter.call(3)
        await both.wait()

    async def main() -> None:
        both = asyncio.Barrier(2)
        await asyncio.gather(by_hand(both), plain(both))

    asyncio.run(main())
    assert telemetry.value("inference.requests", {"inference.model": "task"}) == 1
    assert telemetry.value("inference.requests", _labels(adapter)) == 1
    assert telemetry.value("inference.items", _labels(adapter)) == 3


def test_warm_up_is_told_apart(adapter: Adapter, telemetry: Telemetry) -> None:
    """All steps say whether they are warm-up, and after a few calls none is."""
    for _ in range(5):
        adapter.call(1)
    apart = {
        state: telemetry.value("inference.requests", {**_labels(adapter), "inference.warmup": state})
        for state in ("true", "false")
    }
    assert sum(apart.values()) == 5
    assert apart["false"] >= 3


def test_a_span_is_the_child_of_the_callers(adapter: Adapter, telemetry: Telemetry) -> None:
    """It says what was asked of which model, and how many items it got; no content."""
    if not adapter.spans:
        otelkit.uninstrument(adapter.name)
        otelkit.instrument(adapter.name, spans=True)
    with trace.get_tracer("test").start_as_current_span("request") as request:
        adapter.call(4)
    inner = [span for span in telemetry.spans if span.name != "request"]
    (span,) = inner
    attributes: dict[str, Any] = dict(span.attributes or {})
    assert span.parent is not None
    assert span.parent.span_id == request.get_span_context().span_id
    assert _labels(adapter).items() <= attributes.items()
    assert attributes["inference.batch_size"] == 4


def test_spans_can_be_turned_off(adapter: Adapter, telemetry: Telemetry) -> None:
    """Without spans, metrics are what they are."""
    otelkit.uninstrument(adapter.name)
    otelkit.instrument(adapter.name, spans=False)
    with trace.get_tracer("test").start_as_current_span("request"):
        adapter.call(4)
    assert [span.name for span in telemetry.spans] == ["request"]
    assert telemetry.value("inference.requests", _labels(adapter)) == 1


def test_thousand_calls_are_thousand_requests(adapter: Adapter, telemetry: Telemetry) -> None:
    """Exactly."""
    for _ in range(1_000):
        adapter.call(1)
    assert _requests(telemetry) == telemetry.value("inference.duration", _labels(adapter)) == 1_000
    assert telemetry.value("inference.items") == 1_000


def test_uninstrument_puts_everything_back(adapter: Adapter, telemetry: Telemetry) -> None:
    """The originals are the library's very own objects, and calls are recorded no more; and back again."""
    otelkit.uninstrument(adapter.name)
    plain = adapter.originals()
    adapter.call(1)
    assert _requests(telemetry) == 0
    otelkit.instrument(adapter.name)
    patched = adapter.originals()
    assert any(before is not after for before, after in zip(plain, patched, strict=True))
    adapter.call(1)
    assert _requests(telemetry) == 1
    otelkit.uninstrument(adapter.name)
    again = adapter.originals()
    assert all(before is after for before, after in zip(plain, again, strict=True))
