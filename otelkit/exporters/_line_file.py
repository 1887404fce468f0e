# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""A file that several processes append whole lines to, and that cannot fill the disk."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from otelkit.exporters._files import FILE_MODE, make_folder

LIMIT_BYTES = 64 * 2**20
KEEP = 3
LOCK_TIMEOUT_S = 2.0


class LineFile:
    """
    Lines in ``path``; older ones in ``<stem>.1<suffix>`` to ``<stem>.<keep><suffix>``.

    The file is opened for each append and locked (``flock``) while it is
    written, so that nothing is remembered between appends: it may be deleted,
    its folder too, another process may have rotated it, this one may have
    forked. An append costs some 20 µs above the write. Either all of it
    arrives or nothing does: what a full disk cut short is taken back, and half
    a line that a killed process left is closed before the next one.

    Thread-safe. On file systems without ``flock`` every append fails.

    Args:
        path: The file; created 0600, its folder 0700.
        limit_bytes: An append that would make the file longer starts a new
            one; a single longer append still gets a file of its own.
        keep: How many older files stay.
        header: First bytes of every new file.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES, keep: int = KEEP, header: bytes = b"") -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._keep = keep
        self._header = header

    def append(self, lines: bytes) -> None:
        """
        Append ``lines``, which ends with a newline.

        Raises:
            OSError: It could not be written, or another process held the lock
                for two seconds; the file is as it was.
        """
        while not self._try_append(lines):
            pass

    def _try_append(self, lines: bytes) -> bool:
        """Append unless the file is another one by now, or has to become one."""
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            if not self._is_current(descriptor):
                return False
            if size and size + len(lines) > self._limit_bytes:
                self._rotate()
                return False
            self._write(descriptor, size, lines)
            return True

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = self._open()
        try:
            _lock(descriptor)
            try:
                yield descriptor
            finally:
                # Said explicitly: a child forked meanwhile shares the lock and would keep it past the close.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            return os.open(self.path, flags, FILE_MODE)
        except FileNotFoundError:
            make_folder(self.path.parent)
            return os.open(self.path, flags, FILE_MODE)

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        newer = [self.path, *(self.path.with_suffix(f".{i}{self.path.suffix}") for i in range(1, self._keep + 1))]
        for target, source in reversed(list(zip(newer[1:], newer, strict=False))):
            with suppress(FileNotFoundError):
                os.replace(source, target)
        if not self._keep:
            os.unlink(self.path)

    def _write(self, descriptor: int, size: int, lines: bytes) -> None:
        start = self._header
        if size:
            start = b"" if os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"
        rest = memoryview(start + lines)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise


def _lock(descriptor: int) -> None:
    """Lock within two seconds: an exporter must not hang behind a process that was stopped."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)
