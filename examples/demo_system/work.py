# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
What runs inside the batch's worker processes; the standard library only.

The workers know nothing of otelkit: who submits the work measures it.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from pathlib import Path
from typing import NamedTuple


class Indexed(NamedTuple):
    """
    One file's entry in the index.

    Attributes:
        began_s: Monotonic clock when the worker took the file up; on Linux the same clock in all processes.
        seconds: How long the worker had it.
        error: Name of the exception if the file is no text, otherwise empty.
    """

    began_s: float
    seconds: float
    digest: str = ""
    words: int = 0
    size_bytes: int = 0
    packed_bytes: int = 0
    error: str = ""


def index_file(path: Path) -> Indexed:
    """Hash, compress and count the words of one text file; a file that is no UTF-8 is an error."""
    began = time.monotonic()
    try:
        content = path.read_bytes()
        words = len(content.decode("utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        return Indexed(began, time.monotonic() - began, error=type(error).__name__)
    packed = len(zlib.compress(content, 9))
    digest = hashlib.sha256(content).hexdigest()
    return Indexed(began, time.monotonic() - began, digest, words, len(content), packed)


def ready() -> None:
    """Do nothing: a task that makes the pool start its workers."""
