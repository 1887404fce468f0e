# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""
Requests with spans in files, so that they outlive the process.

    <folder>/<owner>.lock          held by the owner; the kernel releases it when the owner dies
    <folder>/<owner>/<time>-<number>.otlp

Each file is one request and comes into being by a rename, so that it is there
as a whole or not at all; a checksum finds what a broken disk or a power cut
made of it. What an owner leaves behind, whoever comes next takes over.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from otelkit._core._guard import guard

CORRUPT = "buffer file corrupt"

_MAGIC = b"otelkit1"
_HEADER = struct.Struct("<8sIIQ")  # magic, CRC-32 of the body, number of spans, length of the body
_OWNER = re.compile(r"\d+-[0-9a-f]{8}")
_NAME = re.compile(r"(\d{20})-(\d{8})\.otlp")
_HALF_WRITTEN = re.compile(r"\d{20}-\d{8}\.tmp")
_BLOCK_BYTES = 4_096
_SUFFIX = ".otlp"


class StoredRequest(NamedTuple):
    """
    One file.

    Attributes:
        made_ns: Unix time, in nanoseconds.
        size: Bytes on disk, whole blocks.
    """

    path: Path
    made_ns: int
    size: int


class CorruptFileError(Exception):
    """A file that does not hold what was written, or is gone."""


class SpanFiles:
    """
    The files of one owner in a folder that several processes share.

    Nothing is made before there is something to write. Used under its owner's lock.

    Args:
        folder: Of one service and one receiver; made when needed, for this user alone.
        max_age_s: Seconds after which the folders beside it, of services that never came back, are cleaned up.
    """

    def __init__(self, folder: Path, max_age_s: float = 86_400.0) -> None:
        self.folder = folder
        self._max_age_s = max_age_s
        self.start_afresh()

    def start_afresh(self) -> None:
        """Own nothing, as a forked child must: files and lock are the parent's, and stay its own."""
        self._own: Path | None = None
        self._lock: int | None = None
        self._numbers = 0

    def leave_to_parent(self) -> None:
        """Close the inherited lock, which holds until all who share it have, and own nothing."""
        if self._lock is not None:
            with suppress(OSError):
                os.close(self._lock)
        self.start_afresh()

    # -- writing and reading --------------------------------------------------

    def write(self, body: bytes, items: int, made_ns: int) -> StoredRequest:
        """Store one request; raises ``OSError``."""
        if self._own is not None and not self._own.is_dir():
            self.close()  # somebody cleaned up
        path = self._next_path(made_ns)
        unfinished = path.with_suffix(".tmp")
        try:
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                file.write(_HEADER.pack(_MAGIC, zlib.crc32(body), items, len(body)))
                file.write(body)
            os.replace(unfinished, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            raise
        return StoredRequest(path, made_ns, _blocks(_HEADER.size + len(body)))

    @staticmethod
    def read(stored: StoredRequest) -> tuple[bytes, int]:
        """Return a request and its number of spans; raises `CorruptFileError`."""
        try:
            data = stored.path.read_bytes()
            magic, checksum, items, length = _HEADER.unpack_from(data)
        except (OSError, struct.error) as error:
            raise CorruptFileError(str(error)) from error
        body = data[_HEADER.size :]
        if magic != _MAGIC or len(body) != length or zlib.crc32(body) != checksum:
            raise CorruptFileError(f"{stored.path.name}: the checksum does not match")
        return body, items

    @staticmethod
    def remove(stored: StoredRequest) -> None:
        """Delete a file; one that is gone already is as good."""
        with suppress(OSError):
            stored.path.unlink()

    # -- owning ---------------------------------------------------------------

    def _owned(self) -> Path:
        if self._own is None:
            _make_private(self.folder)
            while self._own is None:
                name = f"{os.getpid()}-{secrets.token_hex(4)}"
                own = self.folder / name
                lock = _try_lock(_lock_of(own))
                if lock is not None:
                    own.mkdir(mode=0o700)
                    self._own, self._lock = own, lock
        return self._own

    def _next_path(self, made_ns: int) -> Path:
        self._numbers += 1
        return self._owned() / f"{made_ns:020d}-{self._numbers:08d}{_SUFFIX}"

    def adopt(self) -> list[StoredRequest]:
        """Take over what dead owners left, oldest first; raises ``OSError``."""
        adopted: list[StoredRequest] = []
        for left in _owners(self.folder):
            if left != self._own and (lock := _try_lock(_lock_of(left))) is not None:
                with _released(left, lock):
                    adopted += self._take(left)
        return sorted(adopted, key=lambda stored: (stored.made_ns, stored.path.name))

    def _take(self, left: Path) -> Iterator[StoredRequest]:
        # One after the other: a crash in the middle leaves each file with one owner or the other.
        for path in sorted(left.iterdir()) if left.is_dir() else ():
            if _HALF_WRITTEN.fullmatch(path.name):
                guard.dropped("spans", CORRUPT, detail=f"{path} was half-written.")
                path.unlink(missing_ok=True)
            elif found := _NAME.fullmatch(path.name):
                made_ns = int(found[1])
                new = self._next_path(made_ns)
                os.rename(path, new)
                yield StoredRequest(new, made_ns, _blocks(new.stat().st_size))

    def sweep(self) -> None:
        """Delete what dead owners left for other services and receivers, once it is older than ``max_age_s``."""
        for folder in self.folder.parent.iterdir() if self.folder.parent.is_dir() else ():
            if folder == self.folder or folder.is_symlink() or not folder.is_dir():
                continue
            for left in _owners(folder):
                with suppress(OSError):
                    self._sweep(left)
            with suppress(OSError):
                folder.rmdir()

    def _sweep(self, left: Path) -> None:
        if time.time() - left.stat().st_mtime < self._max_age_s or (lock := _try_lock(_lock_of(left))) is None:
            return
        with _released(left, lock):
            for path in left.iterdir():
                if _NAME.fullmatch(path.name) or _HALF_WRITTEN.fullmatch(path.name):
                    path.unlink()

    def close(self) -> None:
        """Give up ownership; what files there are wait for the next owner."""
        if self._own is not None:
            _remove_if_empty(self._own)
        self.leave_to_parent()


def _owners(folder: Path) -> list[Path]:
    """Return the folders of owners, dead or alive."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if _OWNER.fullmatch(path.name))
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def _lock_of(own: Path) -> Path:
    return own.with_name(f"{own.name}.lock")


@contextmanager
def _released(left: Path, lock: int) -> Iterator[None]:
    """Clean up behind a dead owner, as far as it is empty, and give its lock back."""
    try:
        yield
    finally:
        _remove_if_empty(left)
        os.close(lock)


def _remove_if_empty(own: Path) -> None:
    """Remove an owner's folder and lock; under that lock."""
    with suppress(FileNotFoundError):
        try:
            own.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            return
        _lock_of(own).unlink()


def _blocks(size: int) -> int:
    return -(-size // _BLOCK_BYTES) * _BLOCK_BYTES


def _make_private(folder: Path) -> None:
    """Make a folder that is this user's alone; raises ``OSError`` if it is another's, as one in /tmp may be."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(errno.EPERM, "the folder belongs to others too", str(folder))


def _try_lock(path: Path) -> int | None:
    """Return a descriptor that holds the lock, or None if somebody has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
