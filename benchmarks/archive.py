# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What pyperf knows of the machine, and the values in its file format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyperf

from benchmarks.cases import BY_KEY, Group
from benchmarks.contest import Results

TOLD = ("cpu_model_name", "cpu_count", "platform", "python_version", "python_compiler", "aslr")
"""What of pyperf's metadata a reader needs; the host's name is not among it."""


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    metadata = pyperf.Run([1.0], metadata={"name": "machine"}, collect_metadata=True).get_metadata()
    return {name: str(metadata[name]) for name in TOLD if name in metadata}


def write(results: Results, file: Path) -> None:
    """Write every value for ``pyperf stats``, ``pyperf hist`` and ``pyperf compare_to``; replaces ``file``."""
    suite = [benchmark(f"{case}/{rival}", case, values) for (case, rival), values in results.values.items() if values]
    suite += [benchmark(f"{case}/bare", case, values) for case, values in results.bare.items() if values]
    pyperf.BenchmarkSuite(suite).dump(str(file), replace=True)


def benchmark(name: str, case: str, values: list[float]) -> pyperf.Benchmark:
    """One series of values, whole calls (bare call included) in seconds, or bytes."""
    known = BY_KEY.get(case)
    unit = "byte" if known and known.group is Group.MEMORY else "second"
    metadata = {"name": name, "unit": unit, **machine()}
    positive = [max(round(value) if unit == "byte" else value, 1e-12) for value in values]
    return pyperf.Benchmark([pyperf.Run(positive, metadata=metadata, collect_metadata=False)])
