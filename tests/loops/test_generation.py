# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""`Generation`: an inference that makes tokens, by the conventions' names."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator

import pytest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from support.metrics import fresh

from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.loops import Generation
from otelkit.testing import Telemetry, capture


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What a test records."""
    with capture() as captured:
        yield captured


@pytest.fixture
def recorder() -> Generation:
    """The recorder of a model that no other test has."""
    return Generation("engine", fresh("model"), provider="mine", gen_ai_operation="chat", warmup_steps=0)


def labels(recorder: Generation, **more: str) -> dict[str, str]:
    """Return what its gen_ai series have."""
    common = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "mine", "gen_ai.request.model": recorder.model}
    return {**common, **{name.replace("_", "."): value for name, value in more.items()}}


def amount(telemetry: Telemetry, name: str, wanted: dict[str, str]) -> float:
    """Return the sum of a histogram's only point."""
    (point,) = telemetry.points(name, wanted)
    return point.sum  # type: ignore[union-attr]


def test_a_generation_is_an_inference_and_more(telemetry: Telemetry, recorder: Generation) -> None:
    """Tokens in and out, the time to the first, and the time for each further one."""
    with recorder.step(1) as step:
        step.input_tokens = 12
        time.sleep(0.02)
        step.first_token()
        step.first_token()
        time.sleep(0.03)
        step.output_tokens = 4
    mine = labels(recorder)
    assert telemetry.value("inference.items", {"inference.model": recorder.model}) == 1
    duration = amount(telemetry, "gen_ai.server.request.duration", mine)
    assert amount(telemetry, "gen_ai.client.operation.duration", mine) == duration
    first = amount(telemetry, "gen_ai.server.time_to_first_token", mine)
    each = amount(telemetry, "gen_ai.server.time_per_output_token", mine)
    assert 0.02 <= first < duration
    assert first + 3 * each == pytest.approx(duration)
    usage = {**mine, "gen_ai.token.type": "input"}
    assert amount(telemetry, "gen_ai.client.token.usage", usage) == 12
    usage = {**mine, "gen_ai.token.type": "output"}
    assert amount(telemetry, "gen_ai.client.token.usage", usage) == 4


def test_a_batch_of_prompts_makes_its_tokens_side_by_side(telemetry: Telemetry, recorder: Generation) -> None:
    """What one prompt waits for is its own next token."""
    with recorder.step(4) as step:
        step.first_token()
        time.sleep(0.02)
        step.output_tokens = 4 * 3
    each = amount(telemetry, "gen_ai.server.time_per_output_token", labels(recorder))
    assert each * 2 >= 0.02


def test_one_token_has_no_next_and_no_streaming_no_first(telemetry: Telemetry, recorder: Generation) -> None:
    """What was not measured is left out."""
    with recorder.step(1) as step:
        step.first_token()
        step.output_tokens = 1
    with recorder.step(1) as step:
        step.output_tokens = 5
    assert telemetry.value("gen_ai.server.time_to_first_token", labels(recorder)) == 1
    assert not telemetry.points("gen_ai.server.time_per_output_token", labels(recorder))


def test_a_failed_generation_has_its_error_type(telemetry: Telemetry, recorder: Generation) -> None:
    """On the duration, and only there."""
    with pytest.raises(KeyError), recorder.step(1):
        raise KeyError
    (point,) = telemetry.points("gen_ai.server.request.duration", labels(recorder))
    assert point.attributes == {**labels(recorder), "error.type": "KeyError"}


def test_the_span_is_the_conventions(telemetry: Telemetry, recorder: Generation) -> None:
    """Its name and attributes; parameters are given, content never is."""
    with recorder.step(1) as step:
        step.parameters["gen_ai.request.temperature"] = 0.7
        step.input_tokens = 3
        step.first_token()
        step.output_tokens = 2
    (span,) = telemetry.spans
    attributes = dict(span.attributes or {})
    assert span.name == f"chat {recorder.model}"
    assert labels(recorder).items() <= attributes.items()
    assert attributes["gen_ai.request.temperature"] == 0.7
    assert attributes["gen_ai.usage.input_tokens"] == 3
    assert attributes["gen_ai.usage.output_tokens"] == 2
    assert 0 <= attributes["gen_ai.response.time_to_first_chunk"] < 60  # type: ignore[operator]


def test_a_recorder_can_be_sent_elsewhere(recorder: Generation) -> None:
    """By definition."""
    again = pickle.loads(pickle.dumps(recorder))
    assert (again.model, again.provider, again.gen_ai_operation) == (recorder.model, "mine", "chat")


def test_names_and_attributes_are_the_conventions() -> None:
    """As far as the installed package knows them: the newest names live in a repository of their own."""
    known = {value for value in vars(gen_ai_metrics).values() if isinstance(value, str)}
    metrics = {value.name for value in vars(semconv).values() if isinstance(value, Metric) and "gen_ai" in value.name}
    assert len(metrics) == 5
    assert metrics <= known
    attributes = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    named = {value for value in vars(semconv).values() if isinstance(value, str) and value.startswith("gen_ai.")}
    assert named - attributes <= {"gen_ai.request.stream", "gen_ai.response.time_to_first_chunk"}
