# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
One configuration from four sources.

Each source is read into a layer of typed values that know where they came from; the first layer that has a setting
gives its value: argument, OpenTelemetry's variables, otelkit's own, file, default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otelkit.config import _convert, _file
from otelkit.config._check import check
from otelkit.config._definition import Setting
from otelkit.config._describe import settings_by_name
from otelkit.config._settings import Settings
from otelkit.environment_variables import OTELKIT_PREFIX, RESERVED, is_service_link, variable_of
from otelkit.exceptions import ConfigurationError, did_you_mean

SIGNALS = ("metrics", "traces")
MERGED = ("resource_attributes", "metrics", "alert_thresholds", "alert_delays_s")

_RESOURCE_KEYS = {
    "service_name": "service.name",
    "service_version": "service.version",
    "service_namespace": "service.namespace",
}


class Given(NamedTuple):
    """A value and where it came from."""

    value: Any
    source: str


Layer = dict[str, Given]


def load(
    file: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None, **arguments: object
) -> Settings:
    """
    Return the configuration of this process.

    Args:
        file: TOML file to read instead of looking for ``otelkit.toml`` or ``[tool.otelkit]`` of pyproject.toml from
            the current directory upwards; ``/dev/null`` for none.
        environ: Instead of ``os.environ``.
        arguments: Settings by name; None means not given.

    Errors: `ConfigurationError` for every mistake, wherever it stands.
    """
    environ = os.environ if environ is None else environ
    given = _from_arguments(arguments)
    layers = (given, _from_otel(environ), _from_own(environ), _from_file(_file.find(file, environ)))
    merged = {name: found for name in settings_by_name() if (found := _first(name, layers)) is not None}
    settings = Settings(
        **{name: found.value for name, found in merged.items()},
        sources={name: found.source for name, found in merged.items()},
        signals={signal: _signal_layer(signal, environ, given) for signal in SIGNALS},
    )
    settings = _lower_batch_to_queue(settings)
    check(settings)
    return settings


def _first(name: str, layers: tuple[Layer, ...]) -> Given | None:
    found = [layer[name] for layer in layers if name in layer]
    if not found or name not in MERGED:
        return found[0] if found else None
    table: dict[str, Any] = {}
    for given in found:
        table |= {key: value for key, value in given.value.items() if key not in table}
    return Given(table, ", ".join(given.source for given in found))


def _with_resource_keys(layer: Layer) -> Layer:
    """Let service.name among a layer's attributes be its service_name, unless it has one, as the SDK does."""
    if attributes := layer.get("resource_attributes"):
        for name, key in _RESOURCE_KEYS.items():
            value = attributes.value.get(key)
            if value and name not in layer:
                layer[name] = Given(str(value), f"{attributes.source}: {key}")
    return layer


def _from_arguments(arguments: Mapping[str, object]) -> Layer:
    layer = {}
    for name, value in arguments.items():
        setting = _known(name, f"argument {name}")
        if value is not None:
            layer[name] = Given(_convert.from_value(setting, value, f"argument {name}"), "argument")
    return _with_resource_keys(layer)


def _from_otel(environ: Mapping[str, str]) -> Layer:
    layer = {}
    for name, setting in settings_by_name().items():
        variable = setting.option.otel
        if variable and (text := environ.get(variable, "").strip()):
            layer[name] = Given(_convert.from_text(setting, text, variable, is_otel=True), variable)
    return _with_resource_keys(layer)


def _signal_layer(signal: str, environ: Mapping[str, str], arguments: Layer) -> dict[str, Any]:
    """Return what OTLP's variables for one signal say, where no argument says otherwise."""
    found = {}
    for name, setting in settings_by_name().items():
        variable = setting.option.otel_variable(signal)
        if setting.option.per_signal and (text := environ.get(variable, "").strip()):
            value = _convert.from_text(setting, text, variable, is_otel=True)
            if name not in arguments:
                found[name] = value
    return found


def _from_own(environ: Mapping[str, str]) -> Layer:
    names = {variable_of(name): name for name in settings_by_name()}
    layer = {}
    for variable, text in environ.items():
        if not variable.startswith(OTELKIT_PREFIX) or variable in RESERVED or not text.strip():
            continue
        if variable not in names and is_service_link(variable, text):
            continue
        if variable not in names:
            # Without the prefix that all share: it would make everything alike.
            known = [each.removeprefix(OTELKIT_PREFIX) for each in (*names, *RESERVED)]
            near = did_you_mean(variable.removeprefix(OTELKIT_PREFIX), known)
            remedy = near.replace("'", f"'{OTELKIT_PREFIX}", 1) or "Unset it: docs/configuration.md lists all settings."
            raise ConfigurationError("a known setting", repr(variable), "the environment", remedy)
        setting = settings_by_name()[names[variable]]
        layer[setting.name] = Given(_convert.from_text(setting, text.strip(), variable, is_otel=False), variable)
    return _with_resource_keys(layer)


def _from_file(file: _file.ConfigurationFile | None) -> Layer:
    layer: Layer = {}
    if file is None:
        return layer
    for name, value in file.values.items():
        where = f"{file.name}: {name}"
        setting = _known(name, where)
        converted = _convert.from_value(setting, value, where)
        if setting.option.path and converted is not None:
            converted = str(Path(file.folder, converted))
        layer[name] = Given(converted, where)
    return _with_resource_keys(layer)


def _known(name: str, where: str) -> Setting:
    try:
        return settings_by_name()[name]
    except KeyError:
        remedy = did_you_mean(name, settings_by_name()) or "docs/configuration.md lists all settings."
        raise ConfigurationError("a known setting", repr(name), where, remedy) from None


def _lower_batch_to_queue(settings: Settings) -> Settings:
    """A small queue alone is no contradiction: the batch that nobody asked for follows it."""
    if settings.source("span_batch_size") == "default" and settings.span_queue_size < settings.span_batch_size:
        from msgspec.structs import replace

        return replace(settings, span_batch_size=settings.span_queue_size)
    return settings
