# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The examples of model libraries, run as their reader would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.otlp_receiver import OtlpReceiver
from support.program import environment

pytestmark = pytest.mark.engines

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("torch_training", "inference.items Sequential train false 3168"),
        ("onnxruntime_file_types", "inference.requests onnxruntime standard_v3_3 run true 1"),
        ("transformers_generate", "gen_ai.client.token.usage {'input': 18, 'output': 96}"),
    ],
)
def test_the_example_prints_what_its_page_says(name: str, line: str) -> None:
    """Each ends by itself, without a warning, and its output is the one in docs/inference.md."""
    with OtlpReceiver() as receiver:
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "engines" / f"{name}.py"],
            env=environment(receiver),
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert line in done.stdout.splitlines()
    assert done.stdout in (ROOT / "docs" / "inference.md").read_text()
