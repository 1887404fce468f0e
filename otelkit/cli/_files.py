# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Files that a command writes for people to keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from otelkit.exceptions import ConfigurationError

__all__ = ("write",)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """
    Write ``files``, by name, into ``folder``, and say of each whether it changed.

    Errors: ConfigurationError if that cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = folder / name
            same = path.exists() and path.read_text(encoding="utf-8") == text
            if not same:
                path.write_text(text, encoding="utf-8")
            print(f"{path}: {'unchanged' if same else 'written'}")
    except (OSError, ValueError) as error:
        remedy = "Give another folder, or correct its rights."
        raise ConfigurationError("a folder to write into", str(error), str(folder), remedy) from None
