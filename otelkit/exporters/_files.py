# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder that exporters write into, and a file in it that is replaced as a whole."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from otelkit.exceptions import ConfigurationError

FILE_MODE = 0o600
FOLDER_MODE = 0o700


class FolderSettings(Protocol):
    """What the file exporters read of `otelkit.config.Settings`."""

    @property
    def data_folder(self) -> str:
        """Folder for the files."""
        ...

    def source(self, name: str, /) -> str:
        """Say where a value came from."""
        ...


def data_folder(settings: FolderSettings) -> Path:
    """
    Return the folder to write into; created, with access for its owner only, if it was missing.

    Raises:
        ConfigurationError: No file can be created in it.
    """
    folder = Path(settings.data_folder)
    try:
        make_folder(folder)
        # Asked by doing: os.access() says yes to root, and on full or quota-bound disks.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            "a folder that can be written to",
            f"{str(folder)!r} ({error.strerror})",
            f"data_folder ({settings.source('data_folder')})",
            "Set data_folder (OTELKIT_DATA_FOLDER) to a folder that this process may write into.",
        ) from error
    return folder


def make_folder(folder: Path) -> None:
    """Create ``folder`` and its parents unless it exists; 0700."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def replace_file(path: Path, text: str) -> None:
    """
    Put ``text`` in place of ``path``: a reader sees the old file or the new one, never half of one.

    Raises:
        OSError: It could not be written; the old file is untouched.
    """
    make_folder(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
