# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What is configured, from where, and what of it contradicts itself or does nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import NamedTuple

from msgspec import to_builtins

from otelkit.cli._findings import Finding, Status
from otelkit.config import Settings, describe, display, load
from otelkit.exceptions import ConfigurationError

__all__ = ("ShownSetting", "check", "shown_settings")

SECTION = "Configuration"


class ShownSetting(NamedTuple):
    """A setting as it is shown: secrets masked."""

    name: str
    value: object
    unit: str
    source: str


def check() -> tuple[Settings | None, list[Finding]]:
    """Load the configuration; None instead of settings when that fails."""
    findings = list(_variables())
    try:
        settings = load()
    except ConfigurationError as error:
        what = f"Expected {error.expected}, got {error.got} - at {error.where}."
        return None, [Finding(SECTION, "configuration", Status.BROKEN, what, error.remedy), *findings]
    return settings, [*_contents(settings), *findings]


def shown_settings(settings: Settings) -> list[ShownSetting]:
    """Return every setting with where its value came from, and those that hold for one signal only."""
    common = [
        ShownSetting(
            setting.name,
            to_builtins(display(setting.name, getattr(settings, setting.name))),
            setting.unit,
            settings.source(setting.name),
        )
        for setting in describe()
    ]
    of_signals = [
        ShownSetting(
            f"{signal}.{name}", to_builtins(display(name, value)), setting.unit, setting.option.otel_variable(signal)
        )
        for signal, values in settings.signals.items()
        for name, value in values.items()
        for setting in describe()
        if setting.name == name
    ]
    return common + of_signals


def _contents(settings: Settings) -> Iterator[Finding]:
    given = [name for name, source in settings.sources.items() if source != "default"]
    said = f"{len(given)} of {len(describe())} settings are set, the others at their defaults (--verbose lists them)"
    yield Finding(SECTION, "configuration", Status.OK, f"Valid: {said}.")
    if not settings.enabled:
        where = settings.source("enabled")
        text = f"otelkit is off ({where}): decorated functions are the plain functions, nothing is recorded."
        yield Finding(SECTION, "enabled", Status.WARNING, text, f"Take {where} away to turn it on.")
    elif not _goes_anywhere(settings):
        yield Finding(
            SECTION,
            "exporters",
            Status.WARNING,
            "Neither metrics nor spans go anywhere.",
            "Set OTEL_METRICS_EXPORTER or OTEL_TRACES_EXPORTER, for example to otlp or prometheus.",
        )
    if settings.service_name is None:
        yield Finding(
            SECTION,
            "service_name",
            Status.WARNING,
            "The program has no name: everything appears under unknown_service.",
            "Set OTEL_SERVICE_NAME, service_name in otelkit.toml, or otelkit.configure(service_name=…).",
        )


def _goes_anywhere(settings: Settings) -> bool:
    metrics = settings.metrics_enabled and settings.metrics_exporters
    return bool(metrics or (settings.traces_enabled and settings.traces_exporters))


def _variables() -> Iterator[Finding]:
    if file := os.environ.get("OTEL_CONFIG_FILE"):
        yield Finding(
            SECTION,
            "OTEL_CONFIG_FILE",
            Status.WARNING,
            f"OTEL_CONFIG_FILE={file} is OpenTelemetry's declarative configuration; otelkit does not read it, and the "
            "SDK's own set-up ignores all other variables because of it.",
            "Unset it, and put the settings into otelkit.toml or OTEL_* variables.",
        )
    known = _known_variables()
    for name in sorted(os.environ):
        # Instrumentors read variables of their own that nobody lists: only what is nearly a known name is misspelt.
        if name.startswith("OTEL_") and name not in known and (near := get_close_matches(name, known, 1, 0.92)):
            text = f"{name} is set, but OpenTelemetry for Python knows no such variable."
            yield Finding(SECTION, "variable.unknown", Status.WARNING, text, f"Did you mean {near[0]!r}?")


def _known_variables() -> set[str]:
    """Return what the installed OpenTelemetry packages and otelkit read."""
    known = {variable for setting in describe() for variable in setting.variables}
    for entry_point in entry_points(group="opentelemetry_environment_variables"):
        try:
            module = entry_point.load()
        except Exception:  # noqa: S112 - a package that cannot be imported is another check's finding
            continue
        known.update(
            value
            for name, value in vars(module).items()
            if name.lstrip("_").startswith("OTEL_") and value == str(value)
        )
    return known
