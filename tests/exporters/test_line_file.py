# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Appending whole lines to a file that others append to as well."""

import fcntl
import os
import resource
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from otelkit.exporters import _line_file
from otelkit.exporters._line_file import LineFile

WRITER = """
import sys
from pathlib import Path
from otelkit.exporters._line_file import LineFile
path, name, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
file = LineFile(path, limit_bytes=limit, keep=1_000)
print("ready", flush=True)
sys.stdin.readline()
for i in range(200):
    file.append(f"{name} {i} ".encode() + b"x" * (i * 37 % 5_000) + b"\\n")
"""


def test_files_are_the_owners_only(tmp_path: Path) -> None:
    """The file is created 0600 in a folder 0700."""
    path = tmp_path / "new" / "a.jsonl"
    LineFile(path).append(b"{}\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("limit", [10**9, 20_000])
def test_lines_of_several_processes_stay_whole(tmp_path: Path, limit: int) -> None:
    """Three processes append to one file, which is rotated under them: every line is there once, and whole."""
    path = tmp_path / "a.jsonl"
    names = ("red", "green", "blue")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name, str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in names
    ]
    for writer in writers:
        writer.stdout.readline()
    for writer in writers:
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0

    files = list(tmp_path.iterdir())
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{name} {i} {'x' * (i * 37 % 5_000)}" for name in names for i in range(200))
    assert all(file.stat().st_size <= limit for file in files)
    assert (len(files) > 10) == (limit == 20_000)


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    """A file at its limit makes room: the kept ones are the newest, in order, each under its header."""
    file = LineFile(tmp_path / "a.csv", limit_bytes=10, keep=2, header=b"h\n")
    for i in range(6):
        file.append(f"line{i}\n".encode())
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.csv": "h\nline5\n",
        "a.1.csv": "h\nline4\n",
        "a.2.csv": "h\nline3\n",
    }


def test_rotation_may_keep_nothing(tmp_path: Path) -> None:
    """With keep=0 only the current file exists."""
    file = LineFile(tmp_path / "a.jsonl", limit_bytes=6, keep=0)
    for i in range(3):
        file.append(f"line{i}\n".encode())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["line2\n"]


def test_what_a_full_disk_cut_short_is_taken_back(tmp_path: Path) -> None:
    """A write that only half fits raises and leaves the file as it was; later ones arrive."""
    path = tmp_path / "a.jsonl"
    file = LineFile(path)
    file.append(b"first\n")
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            file.append(b"x" * 5_000 + b"\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"first\n"
    file.append(b"second\n")
    assert path.read_bytes() == b"first\nsecond\n"


def test_half_a_line_of_a_killed_process_is_closed(tmp_path: Path) -> None:
    """The next line does not continue what somebody else left unfinished."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"half":')
    LineFile(path).append(b"{}\n")
    assert path.read_bytes() == b'{"half":\n{}\n'


def test_deleted_folder_comes_back(tmp_path: Path) -> None:
    """A folder that was deleted between two appends is made again."""
    path = tmp_path / "data" / "a.jsonl"
    file = LineFile(path, header=b"h\n")
    file.append(b"1\n")
    shutil.rmtree(path.parent)
    file.append(b"2\n")
    assert path.read_bytes() == b"h\n2\n"


def test_a_process_that_holds_the_lock_cannot_hang_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a stopped process an append gives up, and works again once the lock is free."""
    monkeypatch.setattr(_line_file, "LOCK_TIMEOUT_S", 0.05)
    path = tmp_path / "a.jsonl"
    file = LineFile(path)
    file.append(b"1\n")
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            file.append(b"2\n")
    file.append(b"3\n")
    assert path.read_bytes() == b"1\n3\n"


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    """Appends leave no open file behind, failed ones included."""
    file = LineFile(tmp_path / "a.jsonl")
    blocked = LineFile(tmp_path / "a.jsonl" / "b.jsonl")
    file.append(b"1\n")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        file.append(b"2\n")
        with pytest.raises(OSError, match="Not a directory"):
            blocked.append(b"2\n")
    assert len(os.listdir("/proc/self/fd")) == before
