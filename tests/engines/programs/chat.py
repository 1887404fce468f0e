# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program that has never heard of otelkit: a text is generated in a thread and shown as it comes."""

from threading import Thread

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.streamers import BaseStreamer


class Counting(BaseStreamer):
    """Says how often tokens came."""

    def __init__(self) -> None:
        self.puts = 0

    def put(self, value: torch.Tensor) -> None:
        self.puts += 1

    def end(self) -> None:
        print(f"prompt and {self.puts - 1} tokens")


if __name__ == "__main__":
    torch.manual_seed(0)
    small = {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, "vocab_size": 100}
    config = GPT2Config(**small, bos_token_id=0, eos_token_id=None)
    model = GPT2LMHeadModel(config).eval()
    options = {"input_ids": torch.tensor([[1, 2, 3, 4]]), "max_new_tokens": 20, "do_sample": True}
    for _ in range(2):
        thread = Thread(target=model.generate, kwargs={**options, "streamer": Counting()})
        thread.start()
        thread.join()
