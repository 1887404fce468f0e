# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Models and a tokenizer for transformers, tiny and with random weights: no hub, no download."""

from __future__ import annotations

from typing import Any

import tokenizers
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    pipeline,
)

WORDS = ["[PAD]", "[EOS]", "[UNK]", *(f"w{number}" for number in range(61))]


def gpt2(**config: Any) -> GPT2LMHeadModel:
    """Return a GPT-2 of two tiny layers that never ends by itself, unless it is told to."""
    torch.manual_seed(0)
    ids = {"eos_token_id": None, "pad_token_id": 0, "bos_token_id": 1}
    small = {"n_layer": 2, "n_head": 2, "n_embd": 16, "n_positions": 64, "vocab_size": len(WORDS)}
    return GPT2LMHeadModel(GPT2Config(**(small | ids | config), name_or_path="tiny")).eval()


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer that knows the words w0 to w60."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]", padding_side="left"
    )


def classifier() -> Any:
    """Return a pipeline that classifies text, with one tiny layer."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config._name_or_path = "tiny"
    return pipeline(
        "text-classification", model=BertForSequenceClassification(config).eval(), tokenizer=tokenizer(), device="cpu"
    )
