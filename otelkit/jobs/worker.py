# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
A worker process that reports as the process that started it does.

A forked worker has inherited everything. One that was spawned, or runs on
another machine, gets the submitter's settings in whatever the engine hands to
a new worker (an initializer, a plugin, a task's headers).
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

from otelkit._core._guard import guard

__all__ = ("Setup", "flush_worker", "setup_of_this_process")


class Setup:
    """
    The settings of a process, on their way to its workers; pickles and cloudpickles.

    They may hold credentials of the receiver: hand them only to what the program hands its own data to.
    """

    __slots__ = ("_settings", "submitter")

    def __init__(self, settings: bytes, submitter: int) -> None:
        self._settings = settings  # pickled once, not with each payload
        self.submitter = submitter

    def __reduce__(self) -> tuple[Any, ...]:
        return Setup, (self._settings, self.submitter)

    def __repr__(self) -> str:
        return f"<otelkit setup of process {self.submitter}>"

    def is_elsewhere(self) -> bool:
        """Tell whether this process is another one than the submitter's."""
        return os.getpid() != self.submitter

    def apply(self) -> bool:
        """
        Configure this process, unless it is configured already or is the submitter; tell whether it was.

        Call it in the worker's main thread where there is a choice: a handler of SIGTERM can be set there only.
        Never raises.
        """
        if not self.is_elsewhere():
            return False
        with guard.shield("configuration of a worker"):
            from otelkit.instruments.registry import default_registry
            from otelkit.pipeline import telemetry

            if telemetry.current() is None:
                settings = pickle.loads(self._settings)  # noqa: S301 - what the engine itself carries is pickled too
                telemetry.start(_for_worker(settings), default_registry)
                return True
        return False


def setup_of_this_process() -> Setup | None:
    """Return what a worker needs to report as this process does; None if this process does not report."""
    telemetry: Any = sys.modules.get("otelkit.pipeline.telemetry")
    current = telemetry.current() if telemetry is not None else None
    if current is None or not current.settings.enabled:
        return None
    global _known
    settings, pid, setup = _known
    if setup is None or settings is not current.settings or pid != os.getpid():
        with guard.shield("configuration for workers"):
            setup = Setup(pickle.dumps(current.settings), os.getpid())
            _known = (current.settings, os.getpid(), setup)
    return setup


_known: tuple[Any, int, Setup | None] = (None, 0, None)


def flush_worker() -> None:
    """
    Deliver all there is before this worker ends in a way of which Python tells nobody: ``os._exit``, a kill.

    multiprocessing's, Celery's and a program's ordinary end deliver by themselves. Takes ``shutdown_timeout_s`` at
    most. Never raises.
    """
    with guard.shield("flush of a worker"):
        telemetry: Any = sys.modules.get("otelkit.pipeline.telemetry")
        current = telemetry.current() if telemetry is not None else None
        if current is not None:
            current.flush(current.settings.shutdown_timeout_s)


def _for_worker(settings: Any) -> Any:
    """Return settings for one more process: its own instance id, and not the port that the submitter has."""
    from msgspec.structs import replace

    changes: dict[str, Any] = {}
    attributes = settings.resource_attributes
    if "service.instance.id" in attributes:
        own = f"{attributes['service.instance.id']}-{os.getpid()}"
        changes["resource_attributes"] = {**attributes, "service.instance.id": own}
    if settings.workers_folder is None and "prometheus" in settings.metrics_exporters:
        changes["metrics_exporters"] = tuple(name for name in settings.metrics_exporters if name != "prometheus")
    return replace(settings, **changes) if changes else settings
