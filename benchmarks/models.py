# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What recording costs a call of PyTorch, ONNX Runtime and transformers, against the same call uninstrumented.

    python -m benchmarks.models            all that are installed
    python -m benchmarks.models torch      one of them

Instrumentors come and go in turns within one process, so that both kinds of call meet the same machine. One thread
computes, and it is its CPU time that is measured: on a busy machine, too. Figures are lower quartiles, because what
other work does to caches only adds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import otelkit
from benchmarks.inference import Call, show


def in_turns(library: str, call: Call, *, rounds: int = 60, batches: int = 5, batch: int = 1) -> tuple[float, float]:
    """Return the lower quartiles of a call without and with a library's instrumentor, in seconds a call."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for switch, times in zip((otelkit.uninstrument, otelkit.instrument), spent, strict=True):
            switch(library)
            call()
            for _ in range(batches):
                started = thread_time()
                for _ in range(batch):
                    call()
                times.append((thread_time() - started) / batch)
    otelkit.uninstrument(library)
    plain, recorded = (statistics.quantiles(times, n=4)[0] for times in spent)
    return plain, recorded


def torch() -> None:
    """The smallest module, modules inside, a loader; a span, where somebody traces."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(1)
    linear, x = nn.Linear(4, 4).eval(), torch.zeros(2, 4)
    deep = nn.Sequential(*(nn.Identity() for _ in range(100))).eval()
    loader = DataLoader(TensorDataset(torch.zeros(1_000, 4)), batch_size=10)
    with torch.inference_mode():
        show("torch: Linear(4, 4)", *in_turns("torch", lambda: linear(x), batch=500))
        with trace.get_tracer("benchmark").start_as_current_span("request"):
            show("torch: Linear(4, 4), with a span", *in_turns("torch", lambda: linear(x), batch=100))
        plain, recorded = in_turns("torch", lambda: deep(x), batch=10)
        show("torch: a module inside (Identity)", plain / 101, recorded / 101)
    plain, recorded = in_turns("torch", lambda: list(loader), rounds=20, batches=1)
    show("torch: a batch of a DataLoader", plain / 100, recorded / 100)


def onnxruntime() -> None:
    """The smallest run, and one of some milliseconds: of models that ONNX Runtime and magika bring."""
    import magika
    import onnxruntime
    from onnxruntime.datasets import get_example

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(get_example("sigmoid.onnx"), options)
    feed: dict[str, Any] = {"x": [[[0.0] * 5] * 4] * 3}
    show("onnxruntime: sigmoid of 60 numbers", *in_turns("onnxruntime", lambda: session.run(None, feed), batch=200))

    (path,) = Path(magika.__file__).parent.glob("models/*/model.onnx")
    detector = onnxruntime.InferenceSession(path, options)
    file = {"bytes": [[0] * 2048]}
    show("onnxruntime: magika, one file", *in_turns("onnxruntime", lambda: detector.run(None, file), rounds=40))


def transformers() -> None:
    """A generation of 12 tokens, whose forward calls are recorded nowhere else."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.set_num_threads(1)
    small = {"n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, "vocab_size": 100}
    model = GPT2LMHeadModel(GPT2Config(**small, bos_token_id=99, eos_token_id=None)).eval()
    options: dict[str, Any] = {"input_ids": torch.tensor([[1, 2, 3]]), "max_new_tokens": 12, "do_sample": False}
    options["attention_mask"] = torch.ones_like(options["input_ids"])
    call: Call = lambda: model.generate(**options)  # noqa: E731 - one of many
    show("transformers: generate of 12 tokens", *in_turns("transformers", call, rounds=15, batches=2))


CASES: dict[str, Callable[[], None]] = {"torch": torch, "onnxruntime": onnxruntime, "transformers": transformers}


def main() -> None:
    """Print a table of the cases that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models")
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all, if none is given")
    arguments = parser.parse_args()
    trace.set_tracer_provider(TracerProvider())
    otelkit.configure(service_name="benchmark", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    print("| what | plain, µs | recorded, µs | more, µs | ratio |\n|---|---|---|---|---|")
    for case in arguments.cases or CASES:
        try:
            CASES[case]()
        except ImportError as missing:
            print(f"| {case} | not installed: {missing.name} | | | |")


if __name__ == "__main__":
    main()
