# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program that has never heard of otelkit: two processes, started by torchrun, train one model together."""

import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel


class Shared(nn.Module):
    """One layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    torch.manual_seed(torch.distributed.get_rank())
    net = DistributedDataParallel(Shared())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        net(torch.randn(8, 4)).sum().backward()
        optimizer.step()
    weights = [torch.zeros(2, 4) for _ in range(2)]
    torch.distributed.all_gather(weights, net.module.layer.weight.detach())
    if torch.distributed.get_rank() == 0:
        print(f"both have the same weights: {torch.equal(*weights)}")
    torch.distributed.barrier()  # nobody goes while the other still needs the connection
    torch.distributed.destroy_process_group()
