# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The real input of the demo: the files of the Python installation that runs it."""

from __future__ import annotations

import os
import random
import sysconfig
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

LEFT_OUT = {"__pycache__", "site-packages", "dist-packages"}
LARGEST_BYTES = 1 << 20


def installed_files(seed: int = 3) -> list[Path]:
    """
    Return the standard library's files of at most 1 MiB, shuffled.

    Source, text, test data, compiled extensions: a mixed diet. Takes about 0.1 s.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(sysconfig.get_paths()["stdlib"]):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and path.stat().st_size <= LARGEST_BYTES:
                found.append(path)
    random.Random(seed).shuffle(found)
    return found


def batches(files: list[Path], size: int) -> Iterator[list[Path]]:
    """Yield lists of ``size`` files for ever, from the start again when the files are used up."""
    endless = cycle(files)
    while batch := list(islice(endless, size)):
        yield batch
