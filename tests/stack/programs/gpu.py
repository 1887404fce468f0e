# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A program on a machine with GPUs, which reports nothing else, until it is told to end."""

from __future__ import annotations

import sys

import otelkit

if __name__ == "__main__":
    otelkit.configure(machine=["gpu"])
    print("up", flush=True)
    for _ in sys.stdin:
        print(otelkit.flush(timeout_s=30), flush=True)
