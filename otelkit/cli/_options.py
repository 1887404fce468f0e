# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Command-line options made from the settings' one definition, handed on as environment variables."""

from __future__ import annotations

import argparse
from collections.abc import MutableMapping

from otelkit.config import Setting, describe
from otelkit.environment_variables import OTELKIT_CONFIG_FILE, variable_of

__all__ = ("add_settings", "export_settings")

_PREFIX = "setting_"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` an option for every setting but secrets, which would show in process lists and histories."""
    group = parser.add_argument_group(
        "settings", "As in otelkit.toml and OTELKIT_*; secrets are taken from there only."
    )
    group.add_argument("--config-file", metavar="FILE", help="read this file instead of the nearest otelkit.toml")
    for setting in describe():
        if not setting.secret:
            group.add_argument(
                "--" + setting.name.replace("_", "-"),
                dest=_PREFIX + setting.name,
                metavar=_metavar(setting),
                help=_help(setting).replace("%", "%%"),
            )


def export_settings(arguments: argparse.Namespace, environment: MutableMapping[str, str]) -> None:
    """Put the given options into ``environment`` so that they override whatever it says already."""
    if arguments.config_file is not None:
        environment[OTELKIT_CONFIG_FILE] = arguments.config_file
    for setting in describe():
        text = getattr(arguments, _PREFIX + setting.name, None)
        if text is not None:
            _export(setting, text, environment)


def _export(setting: Setting, text: str, environment: MutableMapping[str, str]) -> None:
    option = setting.option
    if setting.type == "table" and option.otel:
        # Of two equal keys the later one counts; the others stay.
        before = environment.get(option.otel, "")
        environment[option.otel] = f"{before},{text}" if before else text
        return
    for variable in setting.variables:
        environment.pop(variable, None)
    # OpenTelemetry's variable where it means the same, for what else in the program reads it; some are in
    # milliseconds or say the opposite.
    same = option.otel and option.read is None
    environment[option.otel if same else variable_of(setting.name)] = text


def _metavar(setting: Setting) -> str:
    if setting.type.startswith("list of"):
        return "A,B"
    if " | " in setting.type:
        return "{" + setting.type.replace(" | ", ",") + "}"
    return {"table": "KEY=VALUE,…", "true or false": "true|false", "text": "TEXT", "table of rules": "JSON"}.get(
        setting.type, "SECONDS" if setting.unit == "s" else "N"
    )


def _help(setting: Setting) -> str:
    text = setting.help.rstrip(".")
    default = setting.default
    if default in (None, {}, ()):
        return text
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else str(default).lower()
    return f"{text} (default {shown})"
