# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
From cells to OpenTelemetry: set up, flush, end. The only room that knows the SDK.

    configure(service_name="shop")
    flush(timeout_s=2)
    shutdown(timeout_s=2)
"""

from __future__ import annotations

from otelkit.pipeline import dashboard
from otelkit.pipeline.telemetry import Telemetry, current

__all__ = ("Telemetry", "configure", "current", "flush", "shutdown")


def configure(**arguments: object) -> None:
    """
    Set OpenTelemetry up for this process and connect the cells to it.

    A second call replaces the first: what was recorded is delivered, then readers, exporters, sampler and resource
    become the new ones. Instruments, tracers and the global providers stay.

    Args:
        arguments: Settings by name, and ``file`` and ``environ``; see `otelkit.config.load`.

    Errors: `otelkit.exceptions.ConfigurationError` for every mistake.
    """
    from otelkit.config import load
    from otelkit.instruments.registry import default_registry
    from otelkit.pipeline.telemetry import start

    start(load(**arguments), default_registry)  # type: ignore[arg-type]


def flush(timeout_s: float = 2) -> bool:
    """Deliver all there is; False if it did not all arrive within ``timeout_s`` seconds. Never raises."""
    telemetry = current()
    return telemetry.flush(timeout_s) if telemetry else True


def shutdown(timeout_s: float = 2) -> bool:
    """
    Deliver all there is and stop; False if it did not all arrive within ``timeout_s`` seconds.

    Never raises, also when called twice or from several threads. Runs by itself at the end of the program.
    """
    telemetry = current()
    delivered = telemetry.shutdown(timeout_s) if telemetry else True
    dashboard.stop()  # last: it took what was delivered
    return delivered
