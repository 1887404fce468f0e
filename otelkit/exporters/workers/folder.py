# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
The folder that the processes of one server share.

    lock             held while the dead are folded
    port             held by whoever serves the page
    <member>.alive   a pipe that its member holds locked and listens to for requests
    <member>.values  the member's last snapshot
    dead.values      what the dead had counted, and the names of those in it

Folding is safe against an end at any point: the new record replaces the old
one in one step and names whose files count no more; only then are these
removed. A name is never used again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from otelkit._core._guard import guard
from otelkit.exporters.workers import locks, merge, wire
from otelkit.exporters.workers.wire import DamagedError, Snapshot

__all__ = ("ALIVE", "VALUES", "Contents", "Folder")

ALIVE, NEW, VALUES, PART = ".alive", ".new", ".values", ".part"
_RECORD_NAME = "dead"

LOCK_TIMEOUT_S = 2.0
"""How long a reader waits for another one; if that one is stopped, it reads all the same, without folding."""
KEEP_NAMES_S = 60.0
"""How long the record remembers whom it contains after their files are gone, for readers without the lock."""
ABANDONED_S = 60.0
"""Age at which a pipe that was never finished, because its process ended, is removed."""


class Contents(NamedTuple):
    """What a folder holds: the live members' snapshots, and those of the dead, in one record as a rule."""

    live: list[Snapshot]
    dead: list[Snapshot]


class Folder:
    """
    One server's folder; it need not exist before `create`.

    Thread-safe and safe between processes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port_lock = path / "port"
        self._lock = path / "lock"

    def create(self) -> None:
        """
        Make the folder, 0700.

        Raises:
            OSError: It cannot be made or written to.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        locks.Lock(self._lock).close()

    def discard(self) -> None:
        """Remove a folder in which nobody has left anything."""
        if self.is_alone(""):
            for path in (self.port_lock, self._lock):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                self.path.rmdir()

    def members(self) -> list[str]:
        """Return the names of those who have left something here, alive or dead."""
        entries = self._entries()
        names = {
            entry.removesuffix(suffix) for suffix in (ALIVE, VALUES) for entry in entries if entry.endswith(suffix)
        }
        return sorted(names - {_RECORD_NAME})

    def is_alone(self, name: str) -> bool:
        """Tell whether nobody but ``name`` is here or has ever been."""
        return not any(
            entry.endswith((ALIVE, VALUES)) and entry not in (name + ALIVE, name + VALUES) for entry in self._entries()
        )

    def is_alive(self, name: str) -> bool:
        """Tell whether a member's process runs."""
        return locks.is_locked(self.path / (name + ALIVE))

    def in_use(self) -> bool:
        """Tell whether a process of the server runs."""
        return locks.is_locked(self.port_lock) or any(self.is_alive(name) for name in self.members())

    def path_of(self, name: str, suffix: str) -> Path:
        """Return one of a member's files."""
        return self.path / (name + suffix)

    def write(self, name: str, content: bytes) -> None:
        """
        Replace a member's snapshot: a reader sees the old one or the new one.

        Raises:
            OSError: It could not be written; the old one is untouched.
        """
        part = self.path_of(name, PART)
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, locks.FILE_MODE)
            with open(descriptor, "wb", buffering=0) as file:
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
            os.replace(part, self.path_of(name, VALUES))
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise

    def collected_at(self, name: str) -> int:
        """Return the monotonic time of a member's snapshot, 0 if it has none."""
        try:
            with open(self.path_of(name, VALUES), "rb", buffering=0) as file:
                return wire.collected_at(file.read(wire.HEADER_BYTES))
        except (OSError, DamagedError):
            return 0

    def read(self, without: str = "") -> Contents:
        """
        Return everybody's snapshots, but for the member ``without``, and fold those of the dead.

        Errors: raises none; what cannot be read is left out, counted and logged.
        """
        live: list[Snapshot] = []
        with self._exclusive() as exclusive:
            gone: list[str] = []
            dead: dict[str, Snapshot] = {}
            for name in self.members():
                if name == without:
                    continue
                # In this order: of one that was dead before it was read, nothing can come any more.
                alive = self.is_alive(name)
                snapshot = self._read(name)
                if not alive:
                    gone.append(name)
                if snapshot is not None:
                    if alive:
                        live.append(snapshot)
                    else:
                        dead[name] = snapshot
            return Contents(live, self._settle(gone, dead, exclusive=exclusive))

    def tidy(self) -> None:
        """Fold the dead. Cost: 20 µs for each live member."""
        with self._exclusive() as exclusive:
            gone = [name for name in self.members() if not self.is_alive(name)]
            if exclusive and gone:
                read = {name: self._read(name) for name in gone}
                self._settle(gone, {name: each for name, each in read.items() if each is not None}, exclusive=True)

    def _settle(self, gone: Sequence[str], dead: Mapping[str, Snapshot], *, exclusive: bool) -> list[Snapshot]:
        """Return what the dead amount to; folded, with the lock."""
        # After their files: whoever was folded since is in the record, and by name.
        record = self._read(_RECORD_NAME)
        if record is None and self.path_of(_RECORD_NAME, VALUES).exists():
            self._set_aside()
        folded = record.folded if record else {}
        fresh = [snapshot for name, snapshot in dead.items() if name not in folded]
        if exclusive:
            if gone:
                with guard.shield("workers: folding of the dead"):
                    record, fresh = self._fold(record, fresh, gone), []
                    self._remove(gone)
            self._sweep()
        return ([record] if record else []) + fresh

    def _fold(self, record: Snapshot | None, fresh: Sequence[Snapshot], gone: Sequence[str]) -> Snapshot | None:
        if not fresh:
            return record
        new = merge.fold(record, fresh)
        now = time.time()
        new.folded = {name: at for name, at in new.folded.items() if name in gone or now - at < KEEP_NAMES_S}
        new.folded |= dict.fromkeys(gone, now)
        self.write(_RECORD_NAME, wire.encode(new))
        return new

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            for suffix in (VALUES, PART, ALIVE):
                with suppress(FileNotFoundError):
                    self.path_of(name, suffix).unlink()

    def _sweep(self) -> None:
        """Remove what processes that ended while they started or wrote have left."""
        for entry in self._entries():
            if entry.endswith((NEW, PART)):
                path = self.path / entry
                with suppress(OSError):
                    if time.time() - path.stat().st_mtime > ABANDONED_S:
                        path.unlink()

    def _read(self, name: str) -> Snapshot | None:
        path = self.path_of(name, VALUES)
        try:
            return wire.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except DamagedError as error:
            guard.dropped("workers", "damaged file", detail=f"{path.name}: {error}.")
        except OSError as error:
            guard.failed("workers: reading", error)
        return None

    def _set_aside(self) -> None:
        """Keep a record that cannot be read from being taken for none and then replaced."""
        with guard.shield("workers: damaged record"):
            os.replace(self.path_of(_RECORD_NAME, VALUES), self.path_of(_RECORD_NAME, ".damaged"))

    def _entries(self) -> list[str]:
        try:
            return os.listdir(self.path)
        except OSError:
            return []

    @contextmanager
    def _exclusive(self) -> Iterator[bool]:
        try:
            lock = locks.Lock(self._lock)
        except OSError:  # a folder that is read-only or gone
            yield False
            return
        try:
            yield lock.acquire(LOCK_TIMEOUT_S)
        finally:
            lock.close()
