# Copyright The otelkit Authors
# SPDX-License-Identifier: Apache-2.0
"""The folder of a server: real processes that write, die anywhere, and are folded."""

import os
import random
import resource
import select
import signal
import sys
import time

import pytest
from support import workers

from otelkit._core._guard import guard
from otelkit.exporters.workers import wire
from otelkit.exporters.workers.folder import Folder
from otelkit.exporters.workers.member import Member, ask


@pytest.fixture(autouse=True)
def _clean_guard():
    guard.reset()
    yield
    guard.reset()


@pytest.fixture
def folder(tmp_path):
    """Return an empty folder."""
    made = Folder(tmp_path / "server")
    made.create()
    return made


def in_child(work):
    """Run ``work`` in a forked process; return its id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(30)
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def end_of(pid):
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def leave(folder, value):
    """Have a process leave a counter of ``value`` and die."""
    assert end_of(in_child(lambda: Member(folder).write(workers.snapshot(workers.counter("hits", value))))) == 0


def hits(folder):
    """Return the total of the folder's counter."""
    contents = folder.read()
    return workers.total([*contents.live, *contents.dead], "hits")


def names(folder):
    """Return the names of the files, but for the locks."""
    return sorted(set(os.listdir(folder.path)) - {"lock", "port"})


def tallied(reason):
    """Return how often ``reason`` was counted."""
    return sum(items for _, labels, items in guard.tallies() if reason in dict(labels).values())


def test_files_are_private(folder):
    """The folder is 0700, all in it 0600."""
    member = Member(folder)
    member.write(workers.snapshot(workers.counter("hits", 1)))
    leave(folder, 2)
    hits(folder)
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.path.iterdir()} == {0o600}


def test_the_dead_are_folded_and_their_files_removed(folder):
    """Whatever number of dead processes leaves one file, and the same total at every reading."""
    for value in (1, 20, 300):
        leave(folder, value)
    assert [hits(folder) for _ in range(3)] == [321, 321, 321]
    assert names(folder) == ["dead.values"]
    leave(folder, 4_000)
    assert hits(folder) == 4_321
    assert names(folder) == ["dead.values"]


def test_the_dead_are_folded_without_a_scrape(folder):
    """Tidying leaves one file for all the dead; the live one's file stays as it is."""
    member = Member(folder)
    member.write(workers.snapshot(workers.counter("hits", 4_000)))
    for value in (1, 20, 300):
        leave(folder, value)
    folder.tidy()
    folder.tidy()
    assert names(folder) == sorted([f"{member.name}.alive", f"{member.name}.values", "dead.values"])
    assert hits(folder) == 4_321


def test_a_live_one_is_not_folded(folder):
    """A process is alive for as long as it runs, whatever the age of its file, and dead right after."""
    go, release = os.pipe()
    ready, tell = os.pipe()

    def work():
        Member(folder).write(workers.snapshot(workers.counter("hits", 5)))
        os.write(tell, b"x")
        os.read(go, 1)

    pid = in_child(work)
    os.read(ready, 1)
    assert len(folder.read().live) == 1
    assert len(names(folder)) == 2
    os.kill(pid, signal.SIGKILL)
    end_of(pid)
    contents = folder.read()
    assert (len(contents.live), workers.total(contents.dead, "hits")) == (0, 5)
    os.close(release)


STEPS = ("open", "os.rename", "os.remove", "os.listdir", "fcntl.flock")


def killed_at(step):
    """Have this process killed at its n-th access to a file: with -9, in the middle of whatever it does."""
    left = [step]

    def hook(event, _):
        if event in STEPS:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def test_killed_anywhere_while_folding(folder):
    """At each step of a folding the process may be killed: never twice, never lost."""
    expected, step, codes = 0, 0, set()
    while True:
        step += 1
        for value in (1, 20):
            leave(folder, value)
            expected += value

        def work(step=step):
            killed_at(step)
            folder.read()

        code = end_of(in_child(work))
        codes.add(code)
        assert hits(folder) == expected, step
        assert hits(folder) == expected, step
        if code == 0:
            break
    assert codes == {0, -signal.SIGKILL}
    assert step > 12
    assert names(folder) == ["dead.values"]


def test_killed_anywhere_while_entering_and_writing(folder):
    """A process that is killed on its way in, or while it writes, leaves what it had written before, or nothing."""
    step, seen = 0, set()
    while True:
        step += 1
        before = hits(folder)

        def work(step=step):
            killed_at(step)
            member = Member(folder)
            member.write(workers.snapshot(workers.counter("hits", 1)))
            member.write(workers.snapshot(workers.counter("hits", 2)))

        code = end_of(in_child(work))
        seen.add(hits(folder) - before)
        if code == 0:
            break
    assert seen == {0, 1, 2}
    assert tallied("damaged file") == 0


def test_killed_at_random_moments(folder):
    """What a process says that it has written is there after kill -9, at any moment."""
    moments = random.Random(4)
    expected = 0
    for number in range(25):
        told, tell = os.pipe()

        def work(tell=tell):
            member = Member(folder)
            value = 0
            while True:
                value += 1
                member.write(
                    workers.snapshot(workers.counter("hits", value), workers.counter("ballast", 1, text="x" * 9_999))
                )
                os.write(tell, b"%d\n" % value)

        pid = in_child(work)
        os.close(tell)
        if number % 5:  # else it may not even have begun
            select.select([told], [], [])
        time.sleep(moments.uniform(0.005, 0.04))
        os.kill(pid, signal.SIGKILL)
        end_of(pid)
        with open(told) as lines:
            said = int((lines.read().split() or ["0"])[-1])
        found = hits(folder)
        assert expected + said <= found <= expected + said + 1
        expected = found
    assert names(folder) == ["dead.values"]
    assert tallied("damaged file") == 0


def test_two_fold_at_the_same_time(folder):
    """Readers in several processes agree while workers die."""
    stop, end = os.pipe()

    def read():
        os.set_blocking(stop, False)
        while True:
            folder.read()
            time.sleep(0.002)
            try:
                if not os.read(stop, 1):
                    return
            except BlockingIOError:
                pass

    readers = [in_child(lambda: (os.close(end), read())) for _ in range(3)]
    expected = 0
    for value in range(1, 20):
        leave(folder, value)
        expected += value
        assert hits(folder) == expected
    os.close(end)
    assert [end_of(pid) for pid in readers] == [0, 0, 0]
    assert hits(folder) == expected


def test_without_the_lock_the_totals_are_right(folder):
    """A reader that cannot fold, because somebody is stopped while folding, counts the same."""
    for value in (1, 20):
        leave(folder, value)
    hits(folder)
    leave(folder, 300)
    before = names(folder)
    os.rename(folder.path / "lock", folder.path / "kept")
    (folder.path / "lock").mkdir()
    assert [hits(folder), hits(folder)] == [321, 321]
    assert names(folder) == sorted([*before, "kept"])


@pytest.mark.parametrize("content", [b"", b"otelkit", os.urandom(500), b"half"])
def test_damaged_files_are_survived_and_counted(folder, content, caplog):
    """A live worker's damaged file is left out until its next one, a dead one's is removed; each is reported."""
    if content == b"half":
        content = wire.encode(workers.snapshot(workers.counter("hits", 7)))[:-9]
    member = Member(folder)
    member.write(workers.snapshot(workers.counter("hits", 1)))
    leave(folder, 20)
    folder.path_of(member.name, ".values").write_bytes(content)
    folder.path_of("1-dead", ".values").write_bytes(content)
    assert hits(folder) == 20
    assert tallied("damaged file") == 2
    assert sum("damaged file" in record.message for record in caplog.records) == 1
    assert "1-dead.values" not in names(folder)
    member.write(workers.snapshot(workers.counter("hits", 2)))
    assert hits(folder) == 22


def test_a_damaged_record_is_set_aside(folder):
    """The record of the dead cannot be made up: it is kept for inspection, and counting goes on."""
    leave(folder, 20)
    hits(folder)
    (folder.path / "dead.values").write_bytes(b"\0" * 99)
    leave(folder, 1)
    assert hits(folder) == 1
    assert names(folder) == ["dead.damaged", "dead.values"]
    assert tallied("damaged file") == 1


def test_on_a_full_disk_the_last_values_stand(folder):
    """A write that fails in the middle leaves the file before it, and nothing else."""

    def work():
        member = Member(folder)
        member.write(workers.snapshot(workers.counter("hits", 5)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
        with pytest.raises(OSError, match="too large"):
            member.write(workers.snapshot(workers.counter("hits", 6), workers.counter("ballast", 1, text="x" * 99_999)))
        member.write(workers.snapshot(workers.counter("hits", 7)))
        assert not list(folder.path.glob("*.part"))

    assert end_of(in_child(work)) == 0
    assert hits(folder) == 7


def test_a_record_that_does_not_fit_is_no_loss(folder):
    """While the dead cannot be folded, their files stay and count."""
    for value in (1, 20):
        leave(folder, value)

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        assert hits(folder) == 21

    assert end_of(in_child(work)) == 0
    assert hits(folder) == 21


def test_a_folder_that_is_gone(folder):
    """Reading what is no longer there gives nothing and raises nothing."""
    for entry in folder.path.iterdir():
        entry.unlink()
    folder.path.rmdir()
    assert folder.read() == ([], [])
    assert folder.members() == []


def test_asking_waits_for_an_answer_but_not_for_long(folder):
    """Who listens answers with values collected after the question; who does not is left behind."""
    ready, tell = os.pipe()

    def answer():
        member = Member(folder)
        member.enter()
        os.write(tell, b"x")
        while True:
            if member.wait(5):
                member.write(workers.snapshot(workers.counter("hits", 5)))

    def be_busy():
        Member(folder).enter()
        os.write(tell, b"x")
        time.sleep(30)

    pids = [in_child(answer)]
    os.read(ready, 1)
    began = time.monotonic()
    ask(folder, folder.members(), 5)
    assert hits(folder) == 5
    assert time.monotonic() - began < 2
    pids.append(in_child(be_busy))
    os.read(ready, 1)
    began = time.monotonic()
    ask(folder, folder.members(), 0.3)
    assert 0.3 <= time.monotonic() - began < 2
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        end_of(pid)
