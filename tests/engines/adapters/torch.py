# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch, with a network of two layers."""

from __future__ import annotations

from typing import Any

from engines.adapters.adapter import Adapter


class TorchAdapter(Adapter):
    """A sequence of modules, and one that is compiled."""

    name = engine = "torch"
    model = "Sequential"
    operation = "forward"

    def __init__(self) -> None:
        import torch

        self.torch = torch
        self.net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()

    def call(self, rows: int) -> Any:
        with self.torch.inference_mode():
            return self.net(self.torch.zeros(rows, 4))

    def fail(self) -> None:
        self.net(self.torch.zeros(2, 5))

    def nested(self, rows: int) -> dict[str, str]:
        layer = self.torch.nn.TransformerEncoderLayer(8, 2, dim_feedforward=8, batch_first=True)
        self.torch.nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).eval()(self.torch.zeros(rows, 3, 8))
        return {"inference.model": "TransformerEncoder", "inference.operation": "forward"}

    def originals(self) -> list[Any]:
        from torch.utils.data.dataloader import _BaseDataLoaderIter

        return [vars(self.torch.nn.Module)["__call__"], vars(_BaseDataLoaderIter)["__next__"]]
