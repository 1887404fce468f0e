# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Any loop, measured: waiting against working, items a second, a progress bar if a terminal looks on."""

import time
from collections.abc import Iterator

import otelkit


def load(batches: int) -> Iterator[list[int]]:
    for number in range(batches):
        time.sleep(0.002)  # reading and decoding
        yield list(range(number, number + 16))


def train(batch: list[int]) -> float:
    time.sleep(0.004)
    return sum(batch) / (batch[0] - 20)  # one batch is broken


if __name__ == "__main__":
    otelkit.configure(service_name="training", metrics_exporters=["none"], traces_exporters=["none"], machine=[])
    for epoch in otelkit.track(range(2), name="epoch"):
        loop = otelkit.track(load(50), name="train", batch_size=len, total=50)
        for batch in loop:
            try:
                train(batch)
            except ZeroDivisionError as error:
                loop.failed(error)
        print(f"epoch {epoch}: {loop.iterations} batches, {loop.items:.0f} items, {loop.errors} failed")
