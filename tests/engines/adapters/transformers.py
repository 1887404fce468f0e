# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""transformers, with tiny models of random weights."""

from __future__ import annotations

from typing import Any

from engines.adapters.adapter import Adapter
from support.tiny_transformers import classifier, gpt2, tokenizer


class _Adapter(Adapter):
    name = engine = "transformers"
    model = "tiny"

    def nested(self, rows: int) -> dict[str, str]:
        from transformers import pipeline

        generate = pipeline("text-generation", model=gpt2(), tokenizer=tokenizer(), device="cpu")
        generate("w1 w2", max_new_tokens=3, do_sample=False)
        return {"inference.model": "tiny", "inference.operation": "text-generation"}

    def originals(self) -> list[Any]:
        from transformers import GenerationMixin
        from transformers.pipelines.base import ChunkPipeline, Pipeline

        methods = ("generate", "_has_unfinished_sequences", "run_single", "forward")
        return [vars(owner).get(name) for owner in (GenerationMixin, Pipeline, ChunkPipeline) for name in methods]


class GenerateAdapter(_Adapter):
    """A GPT-2, generating."""

    operation = "generate"

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.gpt2 = gpt2(n_layer=1)

    def call(self, rows: int) -> Any:
        return self.gpt2.generate(self.torch.full((rows, 2), 5), max_new_tokens=1, do_sample=False)

    def fail(self) -> None:
        self.gpt2.generate(self.torch.full((1, 2), 5), max_new_tokens=0)


class PipelineAdapter(_Adapter):
    """A text classifier, in batches."""

    operation = "text-classification"

    def __init__(self) -> None:
        self.classifier = classifier()

    def call(self, rows: int) -> Any:
        return self.classifier(["w1 w2"] * rows, batch_size=rows)

    def fail(self) -> None:
        self.classifier(5)
