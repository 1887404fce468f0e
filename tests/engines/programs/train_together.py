# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program that has never heard of otelkit: two processes, started by torchrun, train one model together."""

import sys

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
    # Of collective operations only those without tensors of Python's here: gloo's thread may let go of one while the
    # interpreter ends, which aborts the process ("terminate called without an active exception", pytorch#179291).
    torch.distributed.barrier()  # nobody goes while the other still needs the connection
    torch.distributed.destroy_process_group()
    sys.stdout.write(f"trained to {net.module.layer.weight.sum().item():.4f}\n")
