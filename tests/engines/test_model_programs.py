# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Programs that run models and have never heard of otelkit, under `otelkit run`, seen by a real receiver."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.otlp_receiver import DELTA, OtlpReceiver
from support.program import environment

pytestmark = [pytest.mark.engines, pytest.mark.timeout(420)]

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver of OTLP over HTTP."""
    with OtlpReceiver() as listening:
        yield listening


def observed(receiver: OtlpReceiver, *words: str | Path) -> str:
    """Run Python with ``words`` plainly and under `otelkit run`; return what it printed, the same both times."""
    outputs = []
    for launcher in ([], ["-m", "otelkit", "run", "--", sys.executable]):
        done = subprocess.run(
            [sys.executable, *launcher, *map(str, words)],
            env=environment(receiver),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "otelkit" not in done.stderr
        outputs.append(done.stdout)
    plain, instrumented = outputs
    assert instrumented == plain
    return plain


def numbers(receiver: OtlpReceiver, metric: str) -> dict[tuple[str, str, str], float]:
    """Return counts, values or, of sizes and tokens, sums by engine, model and operation, warm-up included."""
    last: dict[tuple, float] = {}
    for series in receiver.series(metric):
        assert series.temporality != DELTA
        point = series.point
        value = point.count if hasattr(point, "count") else point.as_double or point.as_int
        last[(series.resource["service.instance.id"], *sorted(series.attributes.items()))] = value
    found: Counter[tuple[str, str, str]] = Counter()
    for (_, *attributes), value in last.items():
        labels = dict(attributes)
        found[tuple(labels[f"inference.{key}"] for key in ("engine", "model", "operation"))] += value
    return {key: value for key, value in found.items() if value}


def test_magika_by_its_own_client(receiver: OtlpReceiver, tmp_path: Path) -> None:
    """File types are detected as ever; the session's runs and files are on the receiver, and nothing else."""
    for number in range(70):
        (tmp_path / f"file{number}.py").write_text(f"import os\n\nprint(os.getcwd(), {number})\n" * 5)
    output = observed(receiver, "-m", "magika.cli.magika_client", "--recursive", "--label", tmp_path)
    assert output.count("python") == 70
    model = ("onnxruntime", "standard_v3_3", "run")
    requests = numbers(receiver, "inference.requests")
    assert set(requests) == {model}
    assert requests[model] == numbers(receiver, "inference.duration")[model] <= 70
    assert numbers(receiver, "inference.items") == {model: 70}
    sessions = [dict(series.attributes) for series in receiver.series("inference.sessions")]
    assert sessions[0]["inference.provider"] == "CPUExecutionProvider"


def test_sentence_transformers(receiver: OtlpReceiver) -> None:
    """Each batch of sentences is one call of the outermost module; the transformer inside is part of it."""
    output = observed(receiver, PROGRAMS / "embed_sentences.py")
    assert output == "cat (60, 384)\n"
    model = ("torch", "SentenceTransformer", "forward")
    assert numbers(receiver, "inference.requests") == {model: 5}  # 60 sentences by 16, and the question
    assert numbers(receiver, "inference.items") == {model: 61}


def test_training(receiver: OtlpReceiver) -> None:
    """Training and evaluation are told apart, each batch that was waited for is there, from workers, too."""
    assert observed(receiver, PROGRAMS / "train_digits.py") == "accuracy above 0.9: True\n"
    train, forward = ("torch", "DigitNet", "train"), ("torch", "DigitNet", "forward")
    assert numbers(receiver, "inference.requests") == {train: 90, forward: 3}
    assert numbers(receiver, "inference.items") == {train: 4_500, forward: 297}
    assert numbers(receiver, "inference.wait_time") == {("torch", "TensorDataset", "load"): 93}


def test_two_processes_of_torchrun(receiver: OtlpReceiver) -> None:
    """Each process records its own part, under the name of the model that the data-parallel wrapper wraps."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    first, second = observed(receiver, *launcher, PROGRAMS / "train_together.py").splitlines()
    assert first.startswith("trained to ")
    assert first == second
    assert numbers(receiver, "inference.requests") == {("torch", "Shared", "train"): 10}
    assert numbers(receiver, "inference.items") == {("torch", "Shared", "train"): 80}
    assert sorted(receiver.totals("inference.requests").values())[-2:] == [5, 5]


def test_generation_in_a_thread(receiver: OtlpReceiver) -> None:
    """Streamed generations have their tokens and times, and a span each; the model's calls are part of them."""
    assert observed(receiver, PROGRAMS / "chat.py") == 2 * "prompt and 20 tokens\n"
    model = ("transformers", "GPT2LMHeadModel", "generate")
    assert numbers(receiver, "inference.requests") == {model: 2}
    tokens = {
        series.attributes["gen_ai.token.type"]: series.point.sum
        for series in receiver.series("gen_ai.client.token.usage")
    }
    assert tokens == {"input": 8, "output": 40}
    assert receiver.total("gen_ai.server.time_to_first_token") == 2
    assert receiver.total("gen_ai.server.time_per_output_token") == 2
    assert [span.name for span in receiver.spans()] == 2 * ["text_completion GPT2LMHeadModel"]
