# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program that has never heard of otelkit: two processes, started by torchrun, train one model together."""

import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

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


def rest() -> None:
    """
    Wait until no other thread of this process runs.

    gloo's may still let go of what a backward pass left them. One that needs the interpreter's lock for it while the
    interpreter ends aborts the process: "terminate called without an active exception" (pytorch#179291).
    """
    quiet = 0
    while quiet < 5:
        time.sleep(0.01)  # without the lock
        quiet = 0 if "R" in states_of_others() else quiet + 1


def states_of_others() -> set[str]:
    """Return the kernel's letters for the states of this process' other threads."""
    states = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if int(task.name) != threading.get_native_id():
                states.add((task / "stat").read_text().rpartition(")")[2].split()[0])
    return states


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo")
    torch.manual_seed(torch.distributed.get_rank())
    net = DistributedDataParallel(Shared())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        net(torch.randn(8, 4)).sum().backward()
        optimizer.step()
    torch.distributed.barrier()  # nobody goes while the other still needs the connection
    torch.distributed.destroy_process_group()
    rest()
    sys.stdout.write(f"trained to {net.module.layer.weight.sum().item():.4f}\n")
