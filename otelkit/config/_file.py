# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The file: where it is looked for, and what is in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otelkit.environment_variables import OTELKIT_CONFIG_FILE
from otelkit.exceptions import ConfigurationError

OWN_NAME = "otelkit.toml"
PROJECT_NAME = "pyproject.toml"


class ConfigurationFile(NamedTuple):
    """Keys and values, and the folder that relative paths in them start from."""

    name: str
    folder: Path
    values: dict[str, Any]


def find(file: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> ConfigurationFile | None:
    """Read the file that was named, or else the nearest one, from the current directory upwards."""
    if file is not None:
        return _named(Path(file), "argument file")
    if named := environ.get(OTELKIT_CONFIG_FILE, "").strip():
        return _named(Path(named), OTELKIT_CONFIG_FILE)
    for folder in _here_and_upwards():
        own, project = folder / OWN_NAME, folder / PROJECT_NAME
        if os.path.isfile(own):  # not Path.is_file, which raises in a folder that may not be entered
            return _opened(own, _parse(own))
        if _mentions_otelkit(project):
            table = _own_table(_parse(project))
            if table is not None:
                return _opened(project, table)
    return None


def _here_and_upwards() -> list[Path]:
    try:
        here = Path.cwd()
    except OSError:  # the current directory was removed
        return []
    return [here, *here.parents]


def _mentions_otelkit(project: Path) -> bool:
    """Say whether to parse somebody else's file: about one that is none of ours nobody is to hear complaints."""
    try:
        return b"otelkit" in project.read_bytes()
    except OSError:
        return False


def _named(path: Path, where: str) -> ConfigurationFile:
    if not os.path.exists(path):
        raise ConfigurationError("a file", f"{str(path)!r}, which does not exist", where, "Create it, or name another.")
    values = _parse(path)
    if path.name == PROJECT_NAME:
        table = _own_table(values)
        if table is None:
            raise ConfigurationError("a table [tool.otelkit]", "none", _shown(path), "Add it, or name another file.")
        values = table
    return _opened(path, values)


def _opened(path: Path, values: dict[str, Any]) -> ConfigurationFile:
    return ConfigurationFile(_shown(path), path.absolute().parent, values)


def _own_table(values: dict[str, Any]) -> dict[str, Any] | None:
    tools = values.get("tool", {})
    return tools.get("otelkit") if isinstance(tools, dict) else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(
            "a readable file", reason, _shown(path), f"Make it readable, or name another in {OTELKIT_CONFIG_FILE}."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        got = f"byte {error.object[error.start]:#04x} (at line {line})"
        raise ConfigurationError("UTF-8", got, _shown(path), "Save the file as UTF-8.") from None


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            "TOML", f"what TOML does not allow: {error}", _shown(path), "Correct that line."
        ) from None


def _shown(path: Path) -> str:
    """Return the path as short as it stays clear: relative below the current directory."""
    here = _here_and_upwards()
    return str(path.relative_to(here[0])) if here and path.is_relative_to(here[0]) else str(path)
