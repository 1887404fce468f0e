# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
`instrument` and `uninstrument`: what ``otelkit run`` does by itself, called by the program.

Instrumentors are found by entry point, otelkit's own and other people's.
otelkit's are called ``otelkit_celery`` and so on there; here their library's
name suffices.
"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from otelkit._core._guard import guard
from otelkit.exceptions import ConfigurationError, did_you_mean
from otelkit.instruments._options import early_settings

__all__ = ("instrument", "uninstrument")

_GROUP = "opentelemetry_instrumentor"
_OURS = "otelkit_"
_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_ON_ITS_OWN = "otelkit_machine"
"""`configure` observes the machine already, and only what the settings name."""

_others: dict[str, Any] = {}
"""Other people's instrumentors that were activated here."""


def instrument(*names: str, **options: Any) -> tuple[str, ...]:
    """
    Instrument libraries: those named, or all that are installed.

    Nothing is imported for it: a library is patched when the program imports
    it, or now, if it has. Twice is the same as once. What the operator names
    in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS stays off. A library that is not
    installed is skipped, one of an unsupported version with one line in the
    log.

    Args:
        names: ``"celery"``, ``"torch"``, ...; see instrumentation/README.md.
        options: For the instrumentors, such as ``spans=False``.

    Returns:
        The names of those that are instrumented now.

    Raises:
        ConfigurationError: No instrumentor is called so; the nearest name is suggested.
    """
    points = _points()
    wanted = [_resolve(name, points) for name in names] or [name for name in points if name != _ON_ITS_OWN]
    if not early_settings().enabled:
        return ()
    disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
    if "*" in disabled:
        return ()
    done = [name for name in wanted if name not in disabled and _activate(points[name], options)]
    return tuple(name.removeprefix(_OURS) for name in done)


def uninstrument(*names: str) -> tuple[str, ...]:
    """
    Put the originals back, exactly: of the libraries named, or of all.

    Without names these are otelkit's own instrumentors, however they were
    activated, and those of others that `instrument` has activated.

    Returns:
        The names of those that were instrumented.

    Raises:
        ConfigurationError: No instrumentor is called so; the nearest name is suggested.
    """
    points = _points()
    wanted = [_resolve(name, points) for name in names] or [
        name for name in points if name in _others or (name.startswith(_OURS) and name != _ON_ITS_OWN)
    ]
    done = [name for name in wanted if _deactivate(points[name])]
    return tuple(name.removeprefix(_OURS) for name in done)


def _points() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=_GROUP), key=lambda point: point.name)}


def _resolve(name: str, points: dict[str, EntryPoint]) -> str:
    for known in (f"{_OURS}{name}", name):
        if known in points:
            return known
    short = [known.removeprefix(_OURS) for known in points]
    hint = did_you_mean(name, short) if isinstance(name, str) else ""
    remedy = hint or f"There are: {', '.join(sorted(short))}."
    raise ConfigurationError("the name of an instrumentor", name, "otelkit.instrument()", remedy)


def _activate(point: EntryPoint, options: dict[str, Any]) -> bool:
    from opentelemetry.instrumentation.dependencies import DependencyConflictError, get_dist_dependency_conflicts

    name = point.name.removeprefix(_OURS)
    try:
        conflict = get_dist_dependency_conflicts(point.dist) if point.dist is not None else None
        if conflict is not None:
            raise DependencyConflictError(conflict)
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(skip_dep_check=True, **options)
    except DependencyConflictError as error:
        conflict = error.conflict
        if conflict.found or conflict.found_any:
            guard.warn(f"conflict {name}", f"otelkit leaves {name} as it is: {conflict}")
        return False
    except ModuleNotFoundError:  # how other people's instrumentors say that their library is not installed
        return False
    except Exception as error:
        guard.failed(f"instrumenting {name}", error)
        return False
    if not point.name.startswith(_OURS):
        _others[point.name] = instrumentor
    return True


def _deactivate(point: EntryPoint) -> bool:
    name = point.name.removeprefix(_OURS)
    try:
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            return False
        instrumentor.uninstrument()
    except ModuleNotFoundError:
        return False
    except Exception as error:
        guard.failed(f"uninstrumenting {name}", error)
        return False
    _others.pop(point.name, None)
    return True
