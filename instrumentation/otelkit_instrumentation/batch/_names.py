# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Which job a call is, and whether it is one at all."""

from __future__ import annotations

from typing import Any

from otelkit.jobs import Engine, Job
from otelkit.jobs.engine import name_of

_PLUMBING = frozenset(
    {"billiard", "celery", "dask", "distributed", "joblib", "loky", "opentelemetry", "otelkit", "ray"}
)
"""Packages whose calls are those of an engine that runs on this one, and counts its jobs itself, or are otelkit's."""

_NAMES = 2_000
"""Functions that are remembered; a program that makes them at run time gets the rest named anew each time."""


class Names:
    """The jobs of one engine, by what is called. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.known: dict[tuple[Any, Any], Job | None] = {}
        """By ``__module__`` and ``__qualname__``, for hot code."""

    def find(self, function: Any) -> Job | None:
        """Return the job of a call of ``function``, or None for what is not to be recorded."""
        try:
            return self.known[function.__module__, function.__qualname__]
        except (KeyError, AttributeError, TypeError):
            return self._find(function)

    def _find(self, function: Any) -> Job | None:
        name = name_of(function)
        if name.partition(".")[0] in _PLUMBING or name.startswith("otelkit_instrumentation."):
            job = None
        else:
            job = self.engine.job(name)
        module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
        if isinstance(module, str) and isinstance(qualname, str) and len(self.known) < _NAMES:
            self.known[module, qualname] = job
        return job
