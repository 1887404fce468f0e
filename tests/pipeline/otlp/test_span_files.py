# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""Requests in files: whole or not at all, for their owner alone, and for the next one after its death."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.otlp_spans import dropped, eventually

from otelkit.pipeline.otlp.span_files import CORRUPT, CorruptFileError, SpanFiles

NOW_NS = 1_700_000_000_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files of a service go; not there yet."""
    return tmp_path / "spans" / "service"


def test_written_and_read(folder: Path) -> None:
    """A request comes back with its number of spans; it is on disk for this user alone."""
    files = SpanFiles(folder)
    stored = files.write(b"body", 3, NOW_NS)
    assert SpanFiles.read(stored) == (b"body", 3)
    assert stat.S_IMODE(stored.path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, stored.path.parent)} == {0o700}
    assert stored.size == 4_096
    SpanFiles.remove(stored)
    SpanFiles.remove(stored)
    with pytest.raises(CorruptFileError):
        SpanFiles.read(stored)


def test_nothing_written_leaves_nothing(folder: Path) -> None:
    """No folder before there is something to keep, and none after it was delivered."""
    files = SpanFiles(folder)
    assert files.adopt() == []
    files.sweep()
    files.close()
    assert not folder.exists()
    SpanFiles.remove(files.write(b"body", 1, NOW_NS))
    files.close()
    assert list(folder.iterdir()) == []


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damage_is_found(folder: Path, data: st.DataObject) -> None:
    """Whatever a disk makes of a file, what is read is what was written, or nothing."""
    stored = SpanFiles(folder).write(b"some spans, serialized", 2, NOW_NS)
    whole = bytearray(stored.path.read_bytes())
    how = data.draw(st.sampled_from(["cut", "changed", "longer", "garbage"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = {
        "cut": bytes(whole[:at]),
        "changed": bytes([*whole[:at], whole[at] ^ data.draw(st.integers(1, 255)), *whole[at + 1 :]]),
        "longer": bytes(whole) + data.draw(st.binary(min_size=1)),
        "garbage": data.draw(st.binary()),
    }[how]
    stored.path.write_bytes(damaged)
    try:
        body, _ = SpanFiles.read(stored)
    except CorruptFileError:
        return
    assert body == b"some spans, serialized"


def test_one_owner_at_a_time(folder: Path) -> None:
    """What a living owner has stays its own; when it lets go, the next one has it, in order."""
    first, second = SpanFiles(folder), SpanFiles(folder)
    for number in range(3):
        first.write(b"%d" % number, 1, NOW_NS + number)
    assert second.adopt() == []
    first.close()
    adopted = second.adopt()
    assert [SpanFiles.read(stored)[0] for stored in adopted] == [b"0", b"1", b"2"]
    assert [stored.made_ns for stored in adopted] == [NOW_NS, NOW_NS + 1, NOW_NS + 2]
    third = SpanFiles(folder)
    assert third.adopt() == []
    assert len(list(folder.glob("*.lock"))) == 1


def test_forked_child_owns_nothing(folder: Path) -> None:
    """It lets go of the lock that it inherited, and its parent keeps it, also when the child dies."""
    files = SpanFiles(folder)
    files.write(b"parent's", 1, NOW_NS)
    child = os.fork()
    if not child:
        files.leave_to_parent()
        os._exit(bool(files.adopt()) or files.write(b"child's", 1, NOW_NS).path.parent.name == "")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    other = SpanFiles(folder)
    assert [SpanFiles.read(stored)[0] for stored in other.adopt()] == [b"child's"]


def test_half_written_files_are_removed(folder: Path) -> None:
    """What a dead owner did not finish is counted; what is nobody's is left alone."""
    files = SpanFiles(folder)
    stored = files.write(b"body", 1, NOW_NS)
    (stored.path.parent / f"{NOW_NS:020d}-00000009.tmp").write_bytes(b"otel")
    (stored.path.parent / "notes.txt").write_text("mine")
    files.leave_to_parent()
    (adopted,) = SpanFiles(folder).adopt()
    assert SpanFiles.read(adopted) == (b"body", 1)
    assert dropped(CORRUPT) == 1
    assert [path.name for path in stored.path.parent.iterdir()] == ["notes.txt"]


def test_folders_of_services_that_never_came_back(tmp_path: Path) -> None:
    """They are cleaned up when they are old; other people's folders beside them are not."""
    gone, alive = SpanFiles(tmp_path / "gone"), SpanFiles(tmp_path / "alive")
    old, owned = gone.write(b"old", 1, NOW_NS), alive.write(b"owned", 1, NOW_NS)
    gone.leave_to_parent()
    bystander = tmp_path / "pictures" / "1-00000000"
    bystander.mkdir(parents=True)
    (bystander / "cat.jpg").write_text("a cat")
    (tmp_path / "pictures" / "2024").mkdir()
    for path in (old.path.parent, owned.path.parent, bystander):
        os.utime(path, (0, 0))
    SpanFiles(tmp_path / "third", max_age_s=60).sweep()
    assert not (tmp_path / "gone").exists()
    assert owned.path.exists()
    assert (bystander / "cat.jpg").exists()
    assert (tmp_path / "pictures" / "2024").exists()


def test_cleaned_up_under_its_feet(folder: Path) -> None:
    """Somebody empties the folder: the next file makes it anew."""
    files = SpanFiles(folder)
    stored = files.write(b"lost", 1, NOW_NS)
    stored.path.unlink()
    stored.path.parent.rmdir()
    assert SpanFiles.read(files.write(b"kept", 1, NOW_NS))[0] == b"kept"


def test_folder_of_others_is_not_used(folder: Path) -> None:
    """Where others may write, they could read and exchange what is kept."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        SpanFiles(folder).write(b"body", 1, NOW_NS)


_WRITER = """
import sys, time
from pathlib import Path
from otelkit.pipeline.otlp.span_files import SpanFiles
files = SpanFiles(Path(sys.argv[1]))
[print(number, files.write(b"%d " % number * 20_000, 1, time.time_ns()).made_ns, flush=True) for number in range(10**6)]
"""


def test_killed_while_writing(folder: Path) -> None:
    """Five times kill -9 in the middle: all that was acknowledged is there, whole and in order, nothing else."""
    for _ in range(5):
        program = [sys.executable, "-c", _WRITER, str(folder)]
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as writer:
            assert eventually(lambda: len(list(folder.glob("*/*.otlp"))) > 20)
            time.sleep(0.01)
            writer.send_signal(signal.SIGKILL)
            assert writer.stdout
            written = [line.split()[0] for line in writer.stdout.read().splitlines()]
        files = SpanFiles(folder)
        adopted = files.adopt()
        found = [SpanFiles.read(stored)[0].split()[0].decode() for stored in adopted]
        assert found[: len(written)] == written
        assert len(found) - len(written) <= 1  # the file was there, its line was not
        for stored in adopted:
            SpanFiles.remove(stored)
        files.close()
    assert list(folder.iterdir()) == []
