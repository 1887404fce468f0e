# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The Python runtime: what CPython's garbage collector did."""

from __future__ import annotations

import gc
import sys

from otelkit import semconv
from otelkit.devices._part import Reading, add

__all__ = ("METRICS", "Runtime")

METRICS = (
    semconv.CPYTHON_GC_COLLECTIONS,
    semconv.CPYTHON_GC_COLLECTED_OBJECTS,
    semconv.CPYTHON_GC_UNCOLLECTABLE_OBJECTS,
)


class Runtime:
    """Garbage collection by generation. Another implementation than CPython has none of it to tell."""

    metrics = METRICS

    def read(self) -> Reading:
        """Return the collector's totals since the interpreter started. Cost: microseconds, takes no lock."""
        reading: Reading = {}
        if sys.implementation.name == "cpython":
            for generation, counts in enumerate(gc.get_stats()):
                labels = {semconv.CPYTHON_GC_GENERATION: generation}
                add(reading, semconv.CPYTHON_GC_COLLECTIONS, counts["collections"], labels)
                add(reading, semconv.CPYTHON_GC_COLLECTED_OBJECTS, counts["collected"], labels)
                add(reading, semconv.CPYTHON_GC_UNCOLLECTABLE_OBJECTS, counts["uncollectable"], labels)
        return reading

    def close(self) -> None:
        """Nothing is held."""
