# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`otelkit.inference`: a step that the program marks itself."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import cloudpickle
import pytest
from support.metrics import fresh, total

import otelkit
from otelkit._core._guard import guard
from otelkit.exceptions import DeclarationError
from otelkit.testing import Telemetry, capture


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What a test records."""
    with capture() as captured:
        yield captured


@pytest.fixture
def model() -> str:
    """A model that no other test has."""
    return fresh("model")


def of(model: str, **more: str) -> dict[str, str]:
    """Return labels."""
    return {"inference.model": model, **{f"inference.{name}": value for name, value in more.items()}}


def test_a_block_with_phases(telemetry: Telemetry, model: str) -> None:
    """The example of the design; the first step is warm-up."""
    for _ in range(3):
        with otelkit.inference(model, batch_size=8) as step, step.phase("preprocess"):
            pass
    mine = of(model, engine="custom", operation="predict")
    assert telemetry.value("inference.requests", {**mine, "inference.warmup": "true"}) == 1
    assert telemetry.value("inference.requests", {**mine, "inference.warmup": "false"}) == 2
    assert telemetry.value("inference.items", mine) == 24
    assert telemetry.value("inference.phase.duration", {**mine, "inference.phase": "preprocess"}) == 3


def test_engine_operation_and_warm_up_can_be_said(telemetry: Telemetry, model: str) -> None:
    """For engines that nobody instruments."""
    with otelkit.inference(model, engine="jax", operation="embed", warmup=False):
        pass
    mine = of(model, engine="jax", operation="embed", warmup="false")
    assert telemetry.value("inference.requests", mine) == 1


def test_an_async_block(telemetry: Telemetry, model: str) -> None:
    """Of tasks side by side each has its own."""

    async def score() -> None:
        async with otelkit.inference(model, batch_size=2):
            await asyncio.sleep(0.001)

    async def main() -> None:
        await asyncio.gather(*[score() for _ in range(20)])

    asyncio.run(main())
    assert telemetry.value("inference.items", of(model)) == 40
    assert telemetry.value("inference.active_requests", of(model)) == 0


def test_steps_by_hand_are_recorded_inside_each_other(telemetry: Telemetry, model: str) -> None:
    """Both were asked for."""
    inner = fresh("model")
    with otelkit.inference(model), otelkit.inference(inner):
        pass
    assert telemetry.value("inference.requests", of(model)) == 1
    assert telemetry.value("inference.requests", of(inner)) == 1


def test_a_decorated_function(telemetry: Telemetry, model: str) -> None:
    """Each call is a step; the size is asked of the first argument, by position or name."""

    @otelkit.inference(model, batch_size=len)
    def score(rows: list[int], scale: int = 1) -> int:
        """Score them."""
        return sum(rows) * scale

    assert score([1, 2, 3], scale=2) == 12
    assert score(rows=[1]) == 1
    with pytest.raises(TypeError):
        score(None)  # type: ignore[arg-type]
    assert (score.__name__, score.__doc__) == ("score", "Score them.")
    assert list(inspect.signature(score).parameters) == ["rows", "scale"]
    assert telemetry.value("inference.requests", of(model)) == 3
    assert telemetry.value("inference.items", of(model)) == 4
    assert telemetry.value("inference.errors", {**of(model), "error.type": "TypeError"}) == 1


def test_a_decorated_coroutine_method(telemetry: Telemetry, model: str) -> None:
    """The step lasts as long as the coroutine, and self is no batch."""

    class Scorer:
        @otelkit.inference(model, batch_size=len)
        async def score(self, rows: list[int]) -> int:
            await asyncio.sleep(0)
            assert total("inference.active_requests", of(model)) == 1
            return len(rows)

    assert inspect.iscoroutinefunction(Scorer.score)
    assert asyncio.run(Scorer().score([1, 2])) == 2
    assert telemetry.value("inference.items", of(model)) == 2


def test_a_recursive_function_is_a_step_a_call(telemetry: Telemetry, model: str) -> None:
    """Each of a decorated function's calls is marked by hand."""

    @otelkit.inference(model)
    def down(depth: int) -> int:
        return down(depth - 1) if depth else 0

    down(4)
    assert telemetry.value("inference.requests", of(model)) == 5


def test_a_size_that_fails_costs_only_itself(telemetry: Telemetry, model: str) -> None:
    """It is counted as a failure of otelkit's, and the call goes on."""

    def failures() -> int:
        return sum(items for what, _, items in guard.tallies() if what == "failures")

    @otelkit.inference(model, batch_size=len)
    def score(rows: Any) -> Any:
        return rows

    before = failures()
    assert score(5) == 5
    assert failures() == before + 1
    assert telemetry.value("inference.duration", of(model)) == 1
    assert telemetry.value("inference.items", of(model)) == 0


def test_what_cannot_be_decorated_says_what_to_do(model: str) -> None:
    """On decoration, never on a call."""

    def generator() -> Iterator[int]:
        yield 1

    with pytest.raises(DeclarationError, match="no generator"):
        otelkit.inference(model)(generator)
    with pytest.raises(DeclarationError, match="Expected a function"):
        otelkit.inference(model)(Telemetry)
    with pytest.raises(DeclarationError, match="Expected a function"):
        otelkit.inference(model)(7)  # type: ignore[type-var]


def test_phases_have_spans_inside_the_steps(telemetry: Telemetry, model: str) -> None:
    """So that a trace shows where the time went; a phase that fails is an error."""

    def score() -> None:
        with otelkit.inference(model) as step:
            with step.phase("preprocess"):
                pass
            with step.phase("compute"):
                raise KeyError

    with pytest.raises(KeyError):
        score()
    preprocess, compute, outer = telemetry.spans
    assert [span.name for span in telemetry.spans] == ["preprocess", "compute", f"predict {model}"]
    assert outer.context is not None
    for span in (preprocess, compute):
        assert span.parent is not None
        assert span.parent.span_id == outer.context.span_id
    assert preprocess.status.is_ok
    assert not compute.status.is_ok


def test_a_decorated_function_can_be_sent_elsewhere(telemetry: Telemetry) -> None:
    """By cloudpickle, as Ray and Dask do; the other side records to its own."""

    @otelkit.inference("sent", batch_size=len)
    def score(rows: list[int]) -> int:
        return sum(rows)

    program = (
        "import cloudpickle, sys\n"
        "score = cloudpickle.load(sys.stdin.buffer)\n"
        "assert score([1, 2]) == 3\n"
        "from otelkit.instruments.registry import default_registry\n"
        "found = {metric.name: points for metric, points in default_registry.snapshot()}\n"
        "print(found['inference.items'][0].value)\n"
    )
    score.__module__ = "__main__"
    done = subprocess.run([sys.executable, "-c", program], input=cloudpickle.dumps(score), capture_output=True)
    assert done.stdout == b"2.0\n", done.stderr.decode()


@pytest.mark.parametrize("variable", ["OTELKIT_ENABLED", "OTEL_SDK_DISABLED"])
def test_switched_off_it_is_not_there(variable: str) -> None:
    """A decorated function is the plain one, and a block records nothing."""
    program = (
        "import otelkit\n"
        "def score(rows): return 1\n"
        "assert otelkit.inference('off', batch_size=len)(score) is score\n"
        "with otelkit.inference('off', batch_size=2) as step:\n"
        "    with step.phase('compute'): pass\n"
        "assert list(otelkit.track([1, 2])) == [1, 2]\n"
        "from otelkit.loops import recorded_outside\n"
        "from otelkit.instruments.registry import default_registry\n"
        "print([m.name for m, p in default_registry.snapshot() if m.name == 'inference.requests'])\n"
    )
    value = "false" if variable == "OTELKIT_ENABLED" else "true"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={variable: value})
    assert (done.stdout, done.stderr) == ("[]\n", "")
