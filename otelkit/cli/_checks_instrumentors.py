# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Which installed libraries are instrumented, which could be, and which instrumentors will not run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points, version
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from otelkit.cli._findings import Finding, Status
from otelkit.exceptions import did_you_mean

__all__ = ("check_instrumentors",)

SECTION = "Instrumentors"
GROUP = "opentelemetry_instrumentor"
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
# otelkit publishes the machine's metrics itself, as the setting `machine` says.
_COVERED = {"psutil"}
# OpenTelemetry's list has them for another library's sake: pydantic for tortoise-orm's.
_BESIDE_THE_POINT = {"pydantic"}
_MACHINE = "otelkit_machine"
_OURS = "otelkit_"


def check_instrumentors() -> list[Finding]:
    """Compare installed libraries and instrumentors, by their metadata: no library is imported."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    disabled = {name.strip() for name in os.environ.get(DISABLED, "").split(",") if name.strip()}
    return [*_disabled(points, disabled), *_active(points, disabled), *_missing(points)]


def _disabled(points: list[EntryPoint], disabled: set[str]) -> Iterator[Finding]:
    names = [point.name for point in points]
    if "*" in disabled:
        yield Finding(
            SECTION, "instrumentors.disabled", Status.WARNING, f"{DISABLED}=*: all are off.", f"Unset {DISABLED}."
        )
        return
    for name in sorted(disabled - set(names)):
        yield Finding(
            SECTION,
            "instrumentors.unknown",
            Status.WARNING,
            f"{DISABLED} names {name!r}, but no installed instrumentor is called so.",
            did_you_mean(name, names) or f"Installed are: {', '.join(names) or 'none'}.",
        )
    if off := sorted(disabled & set(names)):
        text = f"Off by {DISABLED}: {', '.join(off)}."
        yield Finding(SECTION, "instrumentors.disabled", Status.NOTE, text)


def _active(points: list[EntryPoint], disabled: set[str]) -> Iterator[Finding]:
    active = []
    for point in points:
        if "*" in disabled or point.name in disabled or point.name == _MACHINE or point.dist is None:
            continue
        try:
            conflict = _conflict(point)
        except Exception as error:
            text = f"{point.name} cannot be loaded: {type(error).__name__}: {error}"
            yield Finding(SECTION, "instrumentors.broken", Status.WARNING, text, f"Add it to {DISABLED}.")
            continue
        if conflict is None:
            active.append(point.name)
        elif conflict.found or conflict.found_any:
            fix = f"pip install --upgrade {point.dist.name}, or install a version of the library that it knows."
            yield Finding(SECTION, "instrumentors.conflict", Status.WARNING, str(conflict), fix)
    yield Finding(SECTION, "instrumentors", Status.OK, f"Will be loaded: {', '.join(active) or 'none'}.")


def _conflict(point: EntryPoint) -> Any:
    """Return why an instrumentor would not run, or None; otelkit's own know their libraries themselves."""
    from opentelemetry.instrumentation.dependencies import get_dependency_conflicts, get_dist_dependency_conflicts

    found = get_dist_dependency_conflicts(point.dist) if point.dist is not None else None
    if found is not None or not point.name.startswith(_OURS):
        return found
    instrumentor = point.load()
    return get_dependency_conflicts(instrumentor.requires, instrumentor.requires_any)


def _covered(points: list[EntryPoint]) -> set[str]:
    """Return the libraries that otelkit itself instruments."""
    own = [point for point in points if point.name.startswith(_OURS) and point.name != _MACHINE]
    with suppress(Exception):  # said above
        requirements = [text for point in own for text in (*point.load().requires, *point.load().requires_any)]
        return {Requirement(text).name for text in requirements}
    return set()


def _missing(points: list[EntryPoint]) -> Iterator[Finding]:
    covered = _COVERED | _covered(points)
    wanted = {library: package for library, package in _without_instrumentor().items() if library not in covered}
    own = _required_by_otelkit()
    of_program = {library: package for library, package in wanted.items() if library not in own}
    of_otelkit = {library: package for library, package in wanted.items() if library in own}
    if of_program:
        text = f"Installed, but not instrumented: {', '.join(of_program)}."
        yield Finding(SECTION, "instrumentors.missing", Status.WARNING, text, _pip_install(of_program))
    if of_otelkit:
        text = f"Came with otelkit; if the program uses them itself, they can be instrumented: {', '.join(of_otelkit)}."
        yield Finding(SECTION, "instrumentors.optional", Status.NOTE, text, _pip_install(of_otelkit))


def _pip_install(packages: dict[str, str]) -> str:
    # With otelkit beside them pip must find releases that fit each other: each instrumentor demands one SDK release.
    return f"pip install otelkit {' '.join(sorted(set(packages.values())))}"


def _without_instrumentor() -> dict[str, str]:
    """Return, by library, the package that OpenTelemetry offers for it and that is not installed."""
    from opentelemetry.instrumentation.bootstrap_gen import libraries

    found = {}
    for row in libraries:
        library, package = Requirement(row["library"]), Requirement(row["instrumentation"])
        if library.name in _BESIDE_THE_POINT or _version(package.name) is not None:
            continue
        present = _version(library.name)
        if present is not None and library.specifier.contains(present, prereleases=True):
            found.setdefault(library.name, package.name)
    return found


def _required_by_otelkit() -> set[str]:
    """Return the names of what otelkit needs, directly and through others, extras left out."""
    known: set[str] = set()
    waiting = ["otelkit"]
    while waiting:
        name = waiting.pop()
        if name in known:
            continue
        known.add(name)
        try:
            texts = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        waiting += [required for text in texts if (required := _unconditional(text))]
    return known


def _unconditional(text: str) -> str | None:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return None
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return None
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
