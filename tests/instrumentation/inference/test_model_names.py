# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What models are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from otelkit_instrumentation.inference._model_names import name_of_checkpoint, name_of_file, name_of_graph


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/models/ranker.onnx", "ranker"),
        ("/site/magika/models/standard_v3_3/model.onnx", "standard_v3_3"),
        ("/x/bert-tiny/onnx/model_quantized.onnx", "bert-tiny"),
        ("/root/.cache/hub/models--acme--bert/snapshots/0123456789abcdef0123/onnx/model.onnx", "acme/bert"),
        ("/tmp/tmpab12cd/0123456789abcdef.onnx", "0123456789abcdef"),
        ("model.onnx", "model"),
        (Path("weights/vad.onnx"), "vad"),
    ],
)
def test_name_of_a_file(path: Any, name: str) -> None:
    """A model is called as its file, or as the nearest folder that says something."""
    assert name_of_file(path) == name


@pytest.mark.parametrize(
    ("graph", "name"),
    [
        ("detector", "detector"),
        ("", "unnamed"),
        ("main_graph", "unnamed"),
        ("tf2onnx", "unnamed"),
        ("torch_jit", "unnamed"),
        ("3c59201b940f410fa29dc71ea9d5767d", "unnamed"),
    ],
)
def test_name_of_a_graph(graph: str, name: str) -> None:
    """A model in memory is called as its graph, unless that is what exporters call everything, or a hash."""
    assert name_of_graph(graph) == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("", "Kind"),
        (None, "Kind"),
        ("gpt2", "gpt2"),
        ("openai-community/gpt2", "openai-community/gpt2"),
        ("/data/checkpoints/ranker-7b", "ranker-7b"),
        ("./ranker", "ranker"),
        ("/tmp/tmpab12cd_x", "Kind"),
        ("/cache/models--acme--bert/snapshots/0123456789abcdef0123", "acme/bert"),
    ],
)
def test_name_of_a_checkpoint(given: Any, name: str) -> None:
    """A model is called as on the hub, or as its folder; one that was never saved as its class."""
    assert name_of_checkpoint(given, "Kind") == name
