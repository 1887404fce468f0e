# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""What waits: in order, within its limits, on disk when it takes longer."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.otlp_spans import dropped

from otelkit.pipeline.otlp.outbox import BUFFER_FULL, TOO_OLD, UNDELIVERED, Outbox
from otelkit.pipeline.otlp.span_files import CORRUPT, SpanFiles


def make_outbox(folder: Path | None, **limits: float) -> Outbox:
    """Return an outbox with files in ``folder``."""
    limits = {"disk_bytes": 1 << 20, "max_age_s": 60, "memory_bytes": 100, **limits}
    return Outbox(SpanFiles(folder) if folder else None, **limits)  # type: ignore[arg-type]


def drain(outbox: Outbox) -> list[bytes]:
    """Deliver all, to nowhere."""
    found = []
    while parcel := outbox.first():
        body = outbox.body(parcel)
        if body is not None:
            found.append(body)
            outbox.remove(parcel)
    return found


def close(outbox: Outbox) -> None:
    """Do what the end of a program does."""
    outbox.keep()
    outbox.give_up()
    outbox.release()


def test_first_in_first_out(tmp_path: Path) -> None:
    """A few in memory, more on disk, and then a few in memory again: the order stays."""
    outbox = make_outbox(tmp_path)
    outbox.put(b"a", 1)
    assert (outbox.memory_bytes, outbox.disk_bytes) == (1, 0)
    outbox.keep()
    outbox.put(b"b", 1)
    assert (outbox.memory_bytes, outbox.disk_bytes) == (0, 8_192)
    outbox.keep(False)
    outbox.put(b"c", 1)
    assert (len(outbox), outbox.memory_bytes, outbox.disk_bytes) == (3, 1, 8_192)
    assert drain(outbox) == [b"a", b"b", b"c"]
    assert (len(outbox), outbox.memory_bytes, outbox.disk_bytes) == (0, 0, 0)
    assert list(tmp_path.glob("*/*.otlp")) == []


def test_full_memory_goes_to_disk(tmp_path: Path) -> None:
    """Also when nothing has failed yet: a receiver that is slow."""
    outbox = make_outbox(tmp_path)
    for number in range(10):
        outbox.put(b"%d" % number * 60, 1)
        assert outbox.memory_bytes <= 100
    assert [body[:1] for body in drain(outbox)] == [b"%d" % number for number in range(10)]
    assert dropped() == 0


def test_full_disk_quota(tmp_path: Path) -> None:
    """The oldest go, counted by their spans; the newest stay."""
    lost: list[int] = []
    outbox = Outbox(SpanFiles(tmp_path), disk_bytes=3 * 4_096, max_age_s=60, on_dropped=lost.append)
    outbox.keep()
    for number in range(5):
        outbox.put(b"%d" % number, 10 + number)
    assert drain(outbox) == [b"2", b"3", b"4"]
    assert dropped(BUFFER_FULL) == sum(lost) == 10 + 11


def test_without_files() -> None:
    """Memory only: the oldest go when it is full."""
    outbox = make_outbox(None)
    outbox.keep()
    for number in range(5):
        outbox.put(b"%d" % number * 40, 1)
        assert outbox.memory_bytes <= 100
    assert [body[:1] for body in drain(outbox)] == [b"3", b"4"]
    assert dropped(BUFFER_FULL) == 3


def test_end_without_files() -> None:
    """What was not delivered is counted."""
    outbox = make_outbox(None)
    outbox.put(b"a", 3)
    close(outbox)
    assert len(outbox) == 0
    assert dropped(UNDELIVERED) == 3


def test_age(tmp_path: Path) -> None:
    """What waited too long is dropped, in memory and on disk."""
    outbox = make_outbox(tmp_path, max_age_s=0.05)
    outbox.keep()
    outbox.put(b"a", 2)
    outbox.keep(False)
    outbox.put(b"b", 3)
    time.sleep(0.1)
    outbox.put(b"c", 1)
    assert drain(outbox) == [b"c"]
    assert dropped(TOO_OLD) == 5


def test_damaged_file_is_skipped(tmp_path: Path) -> None:
    """It is counted and removed; the others go on."""
    outbox = make_outbox(tmp_path)
    outbox.keep()
    for body in (b"a", b"b", b"c"):
        outbox.put(body, 1)
    damaged, gone = sorted(tmp_path.glob("*/*.otlp"))[:2]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    gone.unlink()
    assert drain(outbox) == [b"c"]
    assert dropped(CORRUPT) == 2
    assert list(tmp_path.glob("*/*.otlp")) == []


def test_restart(tmp_path: Path) -> None:
    """What one process could not deliver, the next one does first, memory included."""
    first = make_outbox(tmp_path)
    first.keep()
    first.put(b"a", 1)
    first.keep(False)
    first.put(b"b", 1)
    close(first)
    second = make_outbox(tmp_path)
    second.put(b"c", 1)
    second.adopt()
    assert drain(second) == [b"a", b"b", b"c"]
    close(second)
    assert list(tmp_path.iterdir()) == []


def test_adopted_files_count(tmp_path: Path) -> None:
    """The limit is one for what was adopted and what is new."""
    first = make_outbox(tmp_path)
    first.keep()
    for number in range(5):
        first.put(b"%d" % number, 1)
    close(first)
    second = make_outbox(tmp_path, disk_bytes=2 * 4_096)
    second.adopt()
    assert drain(second) == [b"3", b"4"]
    assert dropped(BUFFER_FULL) == 3


@pytest.mark.parametrize("where", ["file", "kernel"])
def test_folder_that_cannot_be_written(tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture) -> None:
    """Said once; a few stay in memory."""
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "spans" if where == "file" else Path("/proc/otelkit")
    outbox = make_outbox(folder)
    outbox.keep()
    for number in range(5):
        outbox.put(b"%d" % number * 40, 1)
    outbox.adopt()
    assert [body[:1] for body in drain(outbox)] == [b"3", b"4"]
    assert sum("cannot keep spans on disk" in record.message for record in caplog.records) == 1


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from otelkit.pipeline.otlp.outbox import Outbox
from otelkit.pipeline.otlp.span_files import SpanFiles
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
outbox = Outbox(SpanFiles(Path(sys.argv[1])), disk_bytes=1 << 20, max_age_s=60, memory_bytes=50_000)
outbox.keep()
outbox.put(b"a" * 30_000, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 100_000))
outbox.put(b"b" * 30_000, 1)
outbox.put(b"c" * 30_000, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
outbox.put(b"d" * 30_000, 1)
print(outbox.memory_bytes, [path.name for path in Path(sys.argv[1]).glob("*/*.tmp")])
while parcel := outbox.first():
    print(outbox.body(parcel)[:1].decode())
    outbox.remove(parcel)
"""


def test_full_disk(tmp_path: Path) -> None:
    """A write that fails half-way leaves nothing behind; when there is room again, memory is written too."""
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split("\n")[:-1] == ["0 []", "a", "c", "d"]
    assert done.stderr.count("cannot keep spans on disk") == 1
