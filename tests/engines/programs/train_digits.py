# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program that has never heard of otelkit: a network learns digits, with loaders, workers and a checkpoint."""

import io

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class DigitNet(nn.Module):
    """Two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    images, digits = load_digits(return_X_y=True)
    data = TensorDataset(torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(digits))
    train, test = random_split(data, [1500, 297])
    net = DigitNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        for batch, target in DataLoader(train, batch_size=50, shuffle=True, num_workers=1):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(batch), target).backward()
            optimizer.step()
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False).eval()
    with torch.inference_mode():
        right = sum((loaded(batch).argmax(1) == target).sum().item() for batch, target in DataLoader(test, 100))
    print(f"accuracy above 0.9: {right / 297 > 0.9}")
