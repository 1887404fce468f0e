# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""transformers itself, instrumented, on tiny models with random weights: no hub, no download."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from otelkit_instrumentation.inference.torch import TorchInstrumentor
from otelkit_instrumentation.inference.transformers import TransformersInstrumentor
from support.tiny_transformers import classifier, gpt2, tokenizer
from transformers import (
    GenerationConfig,
    GenerationMixin,
    T5Config,
    T5ForConditionalGeneration,
    TextStreamer,
    pipeline,
)

import otelkit
from otelkit.testing import Telemetry, strict_guard, telemetry  # noqa: F401 - fixtures

pytestmark = [pytest.mark.engines, pytest.mark.usefixtures("strict_guard")]

MODEL = {"inference.model": "tiny"}
GEN_AI = {
    "gen_ai.operation.name": "text_completion",
    "gen_ai.provider.name": "transformers",
    "gen_ai.request.model": "tiny",
}


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    """Instrument transformers and PyTorch for the test, and see that everything is put back after it."""
    before = GenerationMixin.generate, GenerationMixin._has_unfinished_sequences
    instrumentors = (TransformersInstrumentor(), TorchInstrumentor())
    for each in instrumentors:
        each.instrument(skip_dep_check=True)
    yield
    for each in instrumentors:
        each.uninstrument()
    assert (GenerationMixin.generate, GenerationMixin._has_unfinished_sequences) == before


def tokens(telemetry: Telemetry, kind: str) -> float:  # noqa: F811
    """Return the tokens of the test's generations."""
    points = telemetry.points("gen_ai.client.token.usage", GEN_AI, **{"gen_ai.token.type": kind})
    return sum(point.sum for point in points)


# -- generate -----------------------------------------------------------------


def test_generation(telemetry: Telemetry) -> None:  # noqa: F811
    """A generation is one inference with its tokens and times; the model's calls are part of it."""
    model = gpt2()
    out = model.generate(torch.tensor([[3, 4, 5]]), max_new_tokens=12, do_sample=False)
    assert out.shape == (1, 15)
    models = {
        (point.attributes["inference.engine"], point.attributes["inference.operation"]): point.value
        for point in telemetry.points("inference.requests")
    }
    assert models == {("transformers", "generate"): 1}, "the model's own calls are recorded, too"
    assert (tokens(telemetry, "input"), tokens(telemetry, "output")) == (3, 12)
    (first,) = telemetry.points("gen_ai.server.time_to_first_token", GEN_AI)
    (each,) = telemetry.points("gen_ai.server.time_per_output_token", GEN_AI)
    (whole,) = telemetry.points("gen_ai.client.operation.duration", GEN_AI)
    assert first.count == each.count == whole.count == 1
    assert 0 < first.sum < whole.sum
    assert first.sum + 11 * each.sum == pytest.approx(whole.sum, rel=0.01)
    assert telemetry.value("gen_ai.server.request.duration", GEN_AI) == 1


@pytest.mark.parametrize(
    ("options", "rows", "new"),
    [
        ({"do_sample": True, "temperature": 0.7}, 2, 2 * 8),
        ({"num_beams": 3, "do_sample": False}, 2, 2 * 8),
        ({"num_return_sequences": 3, "do_sample": True}, 6, 6 * 8),
        ({"use_cache": False, "do_sample": False}, 2, 2 * 8),
        ({"return_dict_in_generate": True, "output_scores": True}, 2, 2 * 8),
        ({"cache_implementation": "static", "disable_compile": True}, 2, 2 * 8),
    ],
)
def test_ways_of_decoding(telemetry: Telemetry, options: dict, rows: int, new: int) -> None:  # noqa: F811
    """However tokens are chosen: sequences are the items, and their tokens are counted."""
    ids, mask = torch.tensor([[3, 4, 5], [0, 6, 7]]), torch.tensor([[1, 1, 1], [0, 1, 1]])
    gpt2().generate(input_ids=ids, attention_mask=mask, max_new_tokens=8, **options)
    assert telemetry.value("inference.requests") == 1
    assert telemetry.value("inference.items", MODEL) == rows
    assert (tokens(telemetry, "input"), tokens(telemetry, "output")) == (5, new)
    assert telemetry.value("gen_ai.server.time_to_first_token", GEN_AI) == 1


def test_padding_after_the_end_is_not_generated(telemetry: Telemetry) -> None:  # noqa: F811
    """A sequence that ended early is counted up to its end, not with what fills the batch up."""
    model = gpt2()
    prompts = torch.tensor([[3, 4, 5], [6, 7, 8]])
    free = model.generate(prompts, max_new_tokens=8, do_sample=False)[:, 3:]
    end = next(int(token) for token in free[0] if token not in free[1])  # ends the first sequence, never the second
    length = free[0].tolist().index(end) + 1
    ended = model.generate(prompts, max_new_tokens=8, do_sample=False, eos_token_id=end, pad_token_id=0)
    assert ended.shape == (2, 3 + 8)
    assert tokens(telemetry, "output") == 16 + length + 8


def test_end_from_a_generation_config(telemetry: Telemetry) -> None:  # noqa: F811
    """The end that a generation's own configuration names counts."""
    model = gpt2()
    prompt = torch.tensor([[3, 4, 5]])
    end = int(model.generate(prompt, max_new_tokens=1, do_sample=False)[0, -1])
    out = model.generate(prompt, GenerationConfig(max_new_tokens=8, eos_token_id=[end], pad_token_id=0))
    assert out.shape == (1, 4)
    assert tokens(telemetry, "output") == 2


def test_encoder_decoder(telemetry: Telemetry) -> None:  # noqa: F811
    """A model with an encoder: the prompt is what the encoder gets, the first token of the answer is given."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, eos_token_id=31
    )
    model = T5ForConditionalGeneration(config).eval()
    out = model.generate(torch.tensor([[3, 4, 5, 6]]), max_new_tokens=5, min_new_tokens=5, do_sample=False)
    assert out.shape == (1, 6)
    usage = telemetry.points("gen_ai.client.token.usage", {"gen_ai.request.model": "T5ForConditionalGeneration"})
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in usage} == {"input": 4, "output": 5}


def test_assisted_generation_is_one(telemetry: Telemetry) -> None:  # noqa: F811
    """What an assistant model generates for the sake of another one is no generation of its own."""
    out = gpt2().generate(torch.tensor([[3, 4, 5]]), max_new_tokens=8, do_sample=False, assistant_model=gpt2(n_layer=1))
    assert out.shape == (1, 11)
    assert telemetry.value("inference.requests") == 1
    assert tokens(telemetry, "output") == 8


def test_streaming(telemetry: Telemetry, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    """The program's streamer gets what it always gets."""
    gpt2().generate(torch.tensor([[3, 4]]), max_new_tokens=4, do_sample=False, streamer=TextStreamer(tokenizer()))
    assert len(capsys.readouterr().out.split()) == 6
    (span,) = telemetry.spans
    assert span.attributes["gen_ai.request.stream"] is True


def test_span_of_a_generation(telemetry: Telemetry) -> None:  # noqa: F811
    """The span has the conventions' name and attributes, and nothing of what was said."""
    gpt2().generate(torch.tensor([[3, 4, 5]]), max_new_tokens=6, do_sample=True, temperature=0.5, top_k=7)
    (span,) = telemetry.spans
    assert span.name == "text_completion tiny"
    said = {key: value for key, value in span.attributes.items() if key.startswith("gen_ai.")}
    assert said.pop("gen_ai.response.time_to_first_chunk") > 0
    assert said == {
        **GEN_AI,
        "gen_ai.request.max_tokens": 6,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_k": 7,
        "gen_ai.request.stream": False,
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 6,
    }


def test_generation_that_fails(telemetry: Telemetry) -> None:  # noqa: F811
    """The program gets transformers' own exception; it is counted by type, and the times without tokens."""
    with pytest.raises(ValueError, match="max_new_tokens"):
        gpt2().generate(torch.tensor([[3, 4]]), max_new_tokens=0)
    (error,) = telemetry.points("inference.errors", MODEL)
    assert error.attributes["error.type"] == "ValueError"
    assert telemetry.value("gen_ai.client.operation.duration", GEN_AI, **{"error.type": "ValueError"}) == 1
    assert tokens(telemetry, "output") == 0


def test_generation_inside_a_step_by_hand(telemetry: Telemetry) -> None:  # noqa: F811
    """Inside of `otelkit.inference` a generation is no second inference, and yet has its tokens."""
    with otelkit.inference("chat", batch_size=1):
        gpt2().generate(torch.tensor([[3, 4, 5]]), max_new_tokens=4, do_sample=False)
    assert telemetry.value("inference.requests") == 1
    assert telemetry.value("inference.requests", {"inference.model": "chat"}) == 1
    assert tokens(telemetry, "output") == 4
    inner, outer = telemetry.spans
    assert (inner.name, outer.name) == ("text_completion tiny", "predict chat")
    assert inner.parent.span_id == outer.context.span_id


def test_same_tokens_as_ever() -> None:
    """With a seed, what is generated is what is generated without otelkit; the signature is the original's."""
    model, prompt = gpt2(), torch.tensor([[3, 4, 5]])
    torch.manual_seed(1)
    instrumented = model.generate(prompt, max_new_tokens=16, do_sample=True)
    signature = inspect.signature(model.generate)
    TransformersInstrumentor().uninstrument()
    torch.manual_seed(1)
    plain = model.generate(prompt, max_new_tokens=16, do_sample=True)
    assert signature == inspect.signature(model.generate)
    TransformersInstrumentor().instrument(skip_dep_check=True)
    assert torch.equal(instrumented, plain)


# -- pipelines ----------------------------------------------------------------


def test_pipeline_on_one_input(telemetry: Telemetry) -> None:  # noqa: F811
    """A call on one input is one inference in three phases, whose model's call is part of it."""
    classify = classifier()
    for _ in range(3):
        classify("w1 w2 w3")
    labels = {**MODEL, "inference.engine": "transformers", "inference.operation": "text-classification"}
    assert telemetry.value("inference.requests") == telemetry.value("inference.requests", labels) == 3
    assert telemetry.value("inference.items", labels) == 3
    phases = {
        phase: telemetry.points("inference.phase.duration", labels, **{"inference.phase": phase})
        for phase in ("preprocess", "compute", "postprocess")
    }
    assert all(sum(point.count for point in points) == 3 for points in phases.values())
    spent = sum(point.sum for points in phases.values() for point in points)
    whole = sum(point.sum for point in telemetry.points("inference.duration", labels))
    assert 0 < spent <= whole


@pytest.mark.parametrize("inputs", [list, iter])
def test_pipeline_on_many_inputs(telemetry: Telemetry, inputs: Any) -> None:  # noqa: F811
    """Of many inputs, each batch that goes through the model is one inference, with its size."""
    texts = inputs([f"w{number} w2" for number in range(10)])
    given = texts if isinstance(texts, list) else (text for text in texts)
    assert len(list(classifier()(given, batch_size=4))) == 10
    labels = {**MODEL, "inference.operation": "text-classification"}
    assert telemetry.value("inference.requests", labels) == 3
    assert sum(point.sum for point in telemetry.points("inference.batch_size", labels)) == 10
    assert telemetry.value("inference.requests") == 3


def test_pipeline_that_generates(telemetry: Telemetry) -> None:  # noqa: F811
    """A text-generation pipeline is one inference; the generation inside adds its tokens and a span."""
    generate = pipeline("text-generation", model=gpt2(), tokenizer=tokenizer(), device="cpu")
    (answer,) = generate("w1 w2", max_new_tokens=5, do_sample=False)
    assert answer["generated_text"].startswith("w1 w2")
    assert telemetry.value("inference.requests") == 1
    assert telemetry.value("inference.requests", {"inference.operation": "text-generation"}) == 1
    assert (tokens(telemetry, "input"), tokens(telemetry, "output")) == (2, 5)
    inner, outer = telemetry.spans
    assert (inner.name, outer.name) == ("text_completion tiny", "text-generation tiny")
    assert inner.parent.span_id == outer.context.span_id


def test_pipeline_that_fails(telemetry: Telemetry) -> None:  # noqa: F811
    """A pipeline's own error passes, and is counted."""
    with pytest.raises(ValueError, match="input"):
        classifier()(5)
    assert telemetry.value("inference.errors", MODEL) == 1


# -- the rest -----------------------------------------------------------------


def test_nothing_is_imported_for_its_own_sake() -> None:
    """Instrumenting imports no transformers; what the program imports later is instrumented."""
    program = (
        "import sys\n"
        "from otelkit_instrumentation.inference.transformers import TransformersInstrumentor\n"
        "TransformersInstrumentor().instrument()\n"
        "assert not {'transformers', 'torch'} & set(sys.modules)\n"
        "from transformers import GPT2LMHeadModel\n"
        "assert hasattr(GPT2LMHeadModel.generate, '__otelkit_unpatched__')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=100)
