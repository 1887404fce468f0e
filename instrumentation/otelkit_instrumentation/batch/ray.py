# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Ray: tasks, and methods of actors.

Who counts what: the process that submits counts submitted, and cancelled or
failed where no worker can tell: a job that was taken back before it started, or
whose process died; of these it learns when it asks for the result. The worker
counts the run (`otelkit_instrumentation.batch._ray_worker`). How many jobs are
pending only Ray's raylets know, so ``job.pending`` is not published.

Names are ``module.function`` and ``module.Class.method``, whatever
``options(name=...)`` says. Creating an actor is no job. Programs that are
connected by ``ray://`` are left alone: what submits is a process of the cluster.
"""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from otelkit._core._guard import guard
from otelkit_instrumentation._base import Instrumentor
from otelkit_instrumentation._patching import Patches
from otelkit_instrumentation.batch import _ray_submit
from otelkit_instrumentation.batch._ray_fates import fates
from otelkit_instrumentation.batch._ray_worker import ENGINE, end_of_driver

__all__ = ("RayInstrumentor",)


class RayInstrumentor(Instrumentor):
    """Ray's tasks and actors, where they are submitted and where they run."""

    title = "Ray"
    requires = ("ray >= 2.40",)
    signals = "tasks and actor methods; a span per run; retries, cancelled and lost tasks"

    def patch(self, patches: Patches, **options: Any) -> None:
        """Wrap what submits, what fetches results, what cancels, and the driver's end."""
        patches.when_imported("ray.remote_function", lambda module: _patch_functions(patches, module))
        patches.when_imported("ray.actor", lambda module: _patch_actors(patches, module))
        patches.when_imported("ray._private.worker", lambda module: _patch_driver(patches, module))
        patches.when_imported("ray", lambda module: _patch_names(patches, module))
        patches.when_imported("ray.util.actor_pool", lambda module: _patch_pool(patches, module))
        patches.on_restore(_ray_submit.restore)


def _patch_functions(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.RemoteFunction, "_remote", _ray_submit.remote_function)


def _patch_actors(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.ActorClass, "_remote", _ray_submit.actor_class)
    patches.wrap(module.ActorMethod, "_remote", _ray_submit.actor_method)


def _patch_driver(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.Worker, "deserialize_objects", _deserialize)
    atexit.register(_before_the_end)  # so before Ray's own, which was registered when this module was loaded
    patches.on_restore(lambda: atexit.unregister(_before_the_end))


def _patch_names(patches: Patches, module: ModuleType) -> None:
    """Wrap the functions that the program calls by these names."""
    patches.wrap(module, "cancel", _cancel)
    patches.wrap(module, "shutdown", _shutdown)


def _patch_pool(patches: Patches, module: ModuleType) -> None:
    patches.wrap(module.ActorPool, "map", _batch)
    patches.wrap(module.ActorPool, "map_unordered", _batch)


# -- what becomes of jobs that no worker can tell of -------------------------------------------


def _deserialize(deserialize: Callable[..., Any]) -> Callable[..., Any]:
    """Around ``Worker.deserialize_objects``, where exceptions are values yet."""

    def observed(worker: Any, serialized: Any, references: Any, *args: Any, **kwargs: Any) -> Any:
        results = deserialize(worker, serialized, references, *args, **kwargs)
        with guard.shield("ray"):
            fates.learn(references, results)
        return results

    return observed


def _cancel(cancel: Callable[..., Any]) -> Callable[..., Any]:
    def observed(reference: Any, *args: Any, **kwargs: Any) -> Any:
        result = cancel(reference, *args, **kwargs)
        with guard.shield("ray"):
            if hasattr(reference, "_on_completed"):
                # Told of the end also where the program never asks; the result of a task that was cancelled is small.
                reference._on_completed(lambda value: fates.learn((reference,), (value,)))
        return result

    return observed


# -- batches, and the end ------------------------------------------------------------------------


def _batch(submit: Callable[..., Any]) -> Callable[..., Any]:
    def observed(pool: Any, function: Any, values: Any, *args: Any, **kwargs: Any) -> Any:
        ENGINE.batch(len(values) if hasattr(values, "__len__") else None)
        return submit(pool, function, values, *args, **kwargs)

    return observed


def _shutdown(shutdown: Callable[..., Any]) -> Callable[..., Any]:
    def observed(*args: Any, **kwargs: Any) -> Any:
        _before_the_end()
        return shutdown(*args, **kwargs)

    return observed


def _before_the_end() -> None:
    """Let the workers deliver, which Ray is about to kill."""
    ray: Any = sys.modules.get("ray")
    telemetry: Any = sys.modules.get("otelkit.pipeline.telemetry")
    current = telemetry.current() if telemetry is not None else None
    if ray is None or current is None:
        return
    with guard.shield("ray"):
        worker = ray._private.worker
        if ray.is_initialized() and worker.global_worker.mode == worker.SCRIPT_MODE:
            end_of_driver(current.settings.shutdown_timeout_s)
