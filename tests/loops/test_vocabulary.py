# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The inference vocabulary, name by name, as it stands on `/metrics`; no engine is needed for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import otelkit
from otelkit import semconv
from otelkit._core._snapshot import Metric
from otelkit.exporters._exposition import render
from otelkit.instruments.registry import default_registry
from otelkit.loops import Generation

MODEL = "vocabulary-ranker"


@pytest.fixture(scope="module")
def samples() -> list[Any]:
    """Use everything once, and read the page with prometheus_client's own strict parser."""
    for warmup in (True, False):
        with otelkit.inference(MODEL, batch_size=8, warmup=warmup) as step:
            with step.phase("preprocess"):
                pass
            step.wait_time(0.1)
            step.cache(hits=2, misses=1)
            step.fill(8, 16)
            step.padding(1, 4)
        step.device_time(0.2)
    with pytest.raises(KeyError), otelkit.inference(MODEL, warmup=False):
        raise KeyError
    with Generation("engine", MODEL, warmup_steps=0).step(1) as generation:
        generation.input_tokens = 5
        generation.first_token()
        generation.output_tokens = 3
    page = render(default_registry.snapshot(), openmetrics=True).decode()
    return [sample for family in text_string_to_metric_families(page) for sample in family.samples]


STEP = {
    "inference_engine": "custom",
    "inference_model": MODEL,
    "inference_operation": "predict",
    "inference_warmup": "false",
}
GENERATION = {
    "gen_ai_operation_name": "text_completion",
    "gen_ai_provider_name": "engine",
    "gen_ai_request_model": MODEL,
}
FAILED = {**STEP, "error_type": "KeyError"}

VOCABULARY = [
    ("inference_requests_total", STEP, 2),
    ("inference_requests_total", {**STEP, "inference_warmup": "true"}, 1),
    ("inference_active_requests", STEP, 0),
    ("inference_errors_total", FAILED, 1),
    ("inference_duration_seconds_count", STEP, 1),
    ("inference_duration_seconds_count", FAILED, 1),
    ("inference_batch_size_count", STEP, 1),
    ("inference_items_total", STEP, 8),
    ("inference_phase_duration_seconds_count", {**STEP, "inference_phase": "preprocess"}, 1),
    ("inference_device_time_seconds_sum", STEP, 0.2),
    ("inference_wait_time_seconds_sum", STEP, 0.1),
    ("inference_cache_hits_total", STEP, 2),
    ("inference_cache_misses_total", STEP, 1),
    ("inference_batch_fill_sum", STEP, 0.5),
    ("inference_padding_sum", STEP, 0.25),
    ("gen_ai_server_request_duration_seconds_count", GENERATION, 1),
    ("gen_ai_client_operation_duration_seconds_count", GENERATION, 1),
    ("gen_ai_server_time_to_first_token_seconds_count", GENERATION, 1),
    ("gen_ai_server_time_per_output_token_seconds_count", GENERATION, 1),
    ("gen_ai_client_token_usage_sum", {**GENERATION, "gen_ai_token_type": "input"}, 5),
    ("gen_ai_client_token_usage_sum", {**GENERATION, "gen_ai_token_type": "output"}, 3),
]


@pytest.mark.parametrize(("name", "labels", "value"), VOCABULARY, ids=range(len(VOCABULARY)))
def test_each_name_is_on_the_page(samples: list[Any], name: str, labels: dict[str, str], value: float) -> None:
    """With exactly its labels, and the value that was made."""
    found = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
    assert found == [value]


def test_throughput_is_a_rate(samples: list[Any]) -> None:
    """Items a second; its unit says so once."""
    (found,) = [
        sample for sample in samples if sample.name.startswith("inference_throughput") and sample.labels == STEP
    ]
    assert found.name == "inference_throughput_per_second"
    assert found.value > 0


def test_the_page_names_the_whole_vocabulary() -> None:
    """Each metric with its unit, and each attribute."""
    text = (Path(__file__).parents[2] / "docs" / "inference.md").read_text()
    names = {name: value for name, value in vars(semconv).items() if name.startswith(("INFERENCE_", "GEN_AI_"))}
    metrics = [value for value in names.values() if isinstance(value, Metric)]
    assert len(metrics) > 15
    for metric in metrics:
        (row,) = [line for line in text.splitlines() if line.startswith("|") and f"`{metric.name}`" in line]
        assert metric.unit in row
    for name in ("ENGINE", "MODEL", "OPERATION", "PHASE", "WARMUP", "PROVIDER"):
        assert f"| `{names[f'INFERENCE_{name}']}` |" in text
