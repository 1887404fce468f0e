# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""transformers, instrumented by name: what a generation took, by the conventions' gen_ai.* names."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

import otelkit
from otelkit.instruments.registry import default_registry

if __name__ == "__main__":
    otelkit.configure(service_name="chat", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    otelkit.instrument("transformers", "torch")
    torch.manual_seed(0)
    small = {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, "vocab_size": 100}
    model = GPT2LMHeadModel(GPT2Config(**small, bos_token_id=99, eos_token_id=None)).eval()
    prompts = torch.tensor([[1, 2, 3], [4, 5, 6]])
    for _ in range(3):
        model.generate(prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=16, do_sample=True)
    for metric, points in sorted(default_registry.snapshot(), key=lambda each: each.metric.name):
        if metric.name in ("inference.requests", "inference.items"):
            print(metric.name, *(f"{point.attributes['inference.engine']} {int(point.value)}" for point in points))
        elif metric.name == "gen_ai.client.token.usage":
            print(metric.name, {point.attributes["gen_ai.token.type"]: int(point.sum) for point in points})
        elif metric.name.startswith("gen_ai.server."):
            print(metric.name, int(sum(point.count for point in points)))
