# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The machine's metrics for programs that are instrumented from outside."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from otelkit.devices import Machine, observe_machine

__all__ = ("MachineInstrumentor",)


class MachineInstrumentor(BaseInstrumentor):
    """
    Observes host, process, runtime and GPUs for as long as it is instrumented.

    ``instrument()`` takes ``meter_provider`` and ``parts``, as
    `otelkit.devices.observe_machine` does. It loads nothing: psutil and NVML
    come with the first collection.
    """

    _machine: Machine | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing: what it reads with are otelkit's own dependencies."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        given = {name: kwargs[name] for name in ("meter_provider", "parts") if kwargs.get(name) is not None}
        self._machine = observe_machine(**given)

    def _uninstrument(self, **kwargs: Any) -> None:
        if self._machine is not None:
            self._machine.stop()
            self._machine = None
