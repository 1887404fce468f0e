# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch, instrumented by name: training and inference told apart, and the wait for the loader's batches."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import otelkit
from otelkit.instruments.registry import default_registry

if __name__ == "__main__":
    otelkit.configure(service_name="training", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    otelkit.instrument("torch")
    torch.manual_seed(0)
    x = torch.randn(320, 8)
    data = TensorDataset(x, (x.sum(1) > 0).long())
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(10):
        for batch, target in DataLoader(data, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), target).backward()
            optimizer.step()
    net.eval()
    with torch.inference_mode():
        right = (net(x).argmax(1) == data.tensors[1]).float().mean()
    print(f"learned: {right > 0.9}")
    for metric, points in sorted(default_registry.snapshot(), key=lambda each: each.metric.name):
        for point in points if metric.name in ("inference.items", "inference.wait_time") else ():
            labels = [point.attributes[f"inference.{key}"] for key in ("model", "operation", "warmup")]
            print(metric.name, *labels, int(point.value if hasattr(point, "value") else point.count))
