# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The manifest of a tracker: which jobs there are, and what became of them, on disk.

Lines of JSON: what is said of a job last is true. It is rewritten whole when it
is opened (to a new file that takes its place at once), and appended to from
then on, a line with one system call: after a crash it is whole but for a last
line that may be torn, which is then left out. Ids and statuses only, never data.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from otelkit.exceptions import ConfigurationError

_VERSION = 1


class Manifest:
    """
    One file, of mode 0600, for one process at a time. Not thread-safe.

    Args:
        path: The file; it is created, its folder too, or what it says is taken over.
        tracker: The tracker's name, which an existing file must have.

    Raises:
        ConfigurationError: The file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str], tracker: str) -> None:
        self.path = Path(path)
        self._tracker = tracker
        self.jobs: dict[str, tuple[str, str]] = {}
        """Batch and status by job id, as they were found."""
        try:
            self._load()
            self._rewrite()
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise ConfigurationError("a file to write", error.strerror, f"manifest {self.path}") from error

    def _load(self) -> None:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                if number == 1:
                    self._check(entry)
                else:
                    self.jobs[entry["job"]] = (entry["batch"], entry["status"])
            except ConfigurationError:
                raise
            except (ValueError, KeyError, TypeError):
                if number == len(lines) and number > 1:
                    return  # torn by a crash
                raise self._malformed(number, line) from None

    def _check(self, head: Any) -> None:
        if head["otelkit_manifest"] != _VERSION or head["tracker"] != self._tracker:
            raise ConfigurationError(
                f"the manifest of tracker {self._tracker!r}",
                f"that of {head['tracker']!r}",
                f"manifest {self.path}",
                "Give each tracker a file of its own.",
            )

    def _malformed(self, number: int, line: bytes) -> ConfigurationError:
        got = repr(line[:60].decode("utf-8", "replace"))
        return ConfigurationError("a line of a manifest", got, f"manifest {self.path}:{number}", "Move the file away.")

    def _rewrite(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        head = {"otelkit_manifest": _VERSION, "tracker": self._tracker}
        lines = [_line(head), *(_line(_entry(job, batch, status)) for job, (batch, status) in self.jobs.items())]
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise

    def note(self, entries: list[tuple[str, str, str]]) -> None:
        """Append job, batch and status of each entry; all at once."""
        os.write(self._file, b"".join(_line(_entry(*entry)) for entry in entries))

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)


def _entry(job: str, batch: str, status: str) -> dict[str, str]:
    return {"job": job, "batch": batch, "status": status}


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
